# SPDX-License-Identifier: BSD-3-Clause
"""init.py: the distribution of every gate, what is left alone, and that packed weights follow."""

import copy
import math
import re

import numpy as np
import pytest
from support.recurrent import make_layer
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn import init, reference

# How far an estimate may lie from what it estimates, in standard deviations of the estimator: a right distribution
# fails one check in a million, and with the seeds that are fixed here never once it has passed.
SIGMAS = 5

GATES = {"rnn": "h", "lstm": "ifgo", "gru": "rzn"}  # PyTorch's order


def gates_of(layer):
    return GATES[type(layer).__name__.lower()] if layer.stateful else "y"


def blocks(layer, kind):
    """{(name, gate): (rows, columns) or (rows,)} in float64 of the parameters whose name begins with `kind`."""
    gates = gates_of(layer)
    return {
        (name, gate): block.astype(np.float64)
        for name, array in layer.params.items()
        if name.startswith(kind)
        for gate, block in zip(gates, np.split(array, len(gates)), strict=True)
    }


def biases(layer, gate):
    """bias_ih and bias_hh of one gate, (layers * directions, H) each."""
    return [np.stack([b for (_, g), b in blocks(layer, kind).items() if g == gate]) for kind in ("bias_ih", "bias_hh")]


def layers(dtype=np.float32, H=30):
    """One of every kind that has weights, of sizes that tell I, H and G*H apart; seeded, so that they are the same."""
    make = {"num_layers": 2, "bidirectional": True, "dtype": dtype, "seed": 3}
    recurrent = [fr.RNN(70, H, **make), fr.LSTM(70, H, **make), fr.GRU(70, H, reset_after=False, **make)]
    return [*recurrent, fr.Linear(70, H, dtype=dtype, seed=3)]


# name -> what it does to a layer with a seed, and the kinds of layers it is for
INITIALISERS = {
    "pytorch": (init.pytorch, init.WEIGHTED),
    "xavier_uniform": (lambda layer, seed=None: init.xavier_uniform(layer, 1.5, seed), init.WEIGHTED),
    "xavier_normal": (lambda layer, seed=None: init.xavier_normal(layer, 1.5, seed), init.WEIGHTED),
    "he_uniform": (lambda layer, seed=None: init.he_uniform(layer, 1.5, seed), init.WEIGHTED),
    "he_normal": (lambda layer, seed=None: init.he_normal(layer, 1.5, seed), init.WEIGHTED),
    "orthogonal": (lambda layer, seed=None: init.orthogonal(layer, 1.5, seed), init.WEIGHTED),
    "identity": (lambda layer, seed=None: init.identity(layer, 0.5, 0.1, seed), (fr.RNN,)),
    "forget_bias": (lambda layer, seed=None: init.forget_bias(layer, 1.5), (fr.LSTM,)),
    "chrono": (lambda layer, seed=None: init.chrono(layer, 50, seed), (fr.LSTM, fr.GRU)),
}
each = pytest.mark.parametrize(("initialise", "kinds"), INITIALISERS.values(), ids=INITIALISERS)
random = pytest.mark.parametrize(
    ("initialise", "kinds"),
    [pair for name, pair in INITIALISERS.items() if name != "forget_bias"],
    ids=[name for name in INITIALISERS if name != "forget_bias"],
)


def fitting(kinds, dtype=np.float32):
    return [layer for layer in layers(dtype) if isinstance(layer, kinds)]


def assert_same(layer, expected):
    assert layer.params.keys() == expected.keys()
    for name, array in layer.params.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


# -- distributions -------------------------------------------------------------------------------------------------


def assert_distributed(what, sample, std, uniform):
    """`sample` has mean 0, this standard deviation, and the shape of a uniform or a normal distribution.

    Of n numbers of variance v the mean has variance v / n and the mean square (m4 - v**2) / n, where the fourth moment
    m4 is 9/5 v**2 (uniform) or 3 v**2 (normal).
    """
    n, v = sample.size, std**2
    assert abs(sample.mean()) <= SIGMAS * std / math.sqrt(n), what
    assert abs(np.square(sample).mean() - v) <= SIGMAS * v * math.sqrt((0.8 if uniform else 2) / n), what
    bound = math.sqrt(3) * std
    if uniform:
        # float32 may round up. That none of n is in the outer 20/n of the range has probability exp(-20).
        assert bound * (1 - 20 / n) <= np.abs(sample).max() <= bound * (1 + 1e-7), what
    else:
        outside = math.erfc(bound / std / math.sqrt(2))  # 8 % of normal numbers
        error = SIGMAS * math.sqrt(outside * (1 - outside) / n)
        assert abs(np.mean(np.abs(sample) > bound) - outside) <= error, what


VARIANCES = {  # (rows, columns) -> variance, rows being fan_out
    "xavier": lambda fan_out, fan_in: 2 / (fan_in + fan_out),
    "he": lambda fan_out, fan_in: 2 / fan_in,
}


@pytest.mark.parametrize("gain", [1.0, 0.25])
@pytest.mark.parametrize("shape", ["uniform", "normal"])
@pytest.mark.parametrize("name", VARIANCES)
def test_every_gate_has_the_variance_of_its_own_block(dtype, name, shape, gain):
    for layer in layers(dtype):
        getattr(init, f"{name}_{shape}")(layer, gain, seed=0)
        for key, block in blocks(layer, "weight").items():
            std = gain * math.sqrt(VARIANCES[name](*block.shape))
            assert_distributed((layer, key), block, std, shape == "uniform")
        assert not any(block.any() for block in blocks(layer, "bias").values())


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "orthogonal"])
def test_the_gain_is_1_unless_told(name):
    for layer, other in zip(layers(), layers(), strict=True):
        getattr(init, name)(layer, seed=0)
        assert_same(layer, getattr(init, name)(other, 1.0, 0).params)


def test_pytorch_is_uniform_within_the_root_of_the_size():
    for layer in layers():
        init.pytorch(layer, seed=0)
        size = layer.hidden_size if layer.stateful else layer.in_features
        for kind in ("weight", "bias"):
            for key, block in blocks(layer, kind).items():
                assert_distributed((layer, key), block, (3 * size) ** -0.5, uniform=True)


def test_pytorch_is_what_the_constructor_draws(cell, dtype):
    """To the bit, for a number and for a generator as the seed."""
    for seed in (lambda: 0, lambda: np.random.default_rng(5)):
        made = make_layer(cell, 5, 7, 2, bidirectional=True, dtype=dtype, seed=seed())
        layer = make_layer(cell, 5, 7, 2, bidirectional=True, dtype=dtype, seed=1)
        assert_same(init.pytorch(layer, seed()), made.params)
        linear = init.pytorch(fr.Linear(5, 7, dtype=dtype, seed=1), seed())
        assert_same(linear, fr.Linear(5, 7, dtype=dtype, seed=seed()).params)


def test_pytorch_leaves_dropout_where_it_is():
    layer, made = (fr.GRU(3, 20, 2, dropout=0.5, seed=0) for _ in range(2))
    x = np.ones((4, 2, 3), np.float32)
    init.pytorch(layer, seed=0)
    for _ in range(2):
        np.testing.assert_array_equal(layer.forward(x)[0], made.forward(x)[0])
        init.pytorch(layer, seed=0)


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_orthogonal_recurrent_weights(gain):
    """Each gate's own, to rounding, and no two the same."""
    for layer in fitting((fr.RNN, fr.LSTM, fr.GRU), np.float64):
        init.orthogonal(layer, gain, seed=0)
        found = list(blocks(layer, "weight_hh").values())
        for block in found:
            np.testing.assert_allclose(block @ block.T, gain**2 * np.eye(30), rtol=0, atol=1e-12)
            np.testing.assert_allclose(block.T @ block, gain**2 * np.eye(30), rtol=0, atol=1e-12)
        assert not any(np.allclose(a, b) for k, a in enumerate(found) for b in found[:k])
        assert not any(block.any() for block in blocks(layer, "bias").values())


def test_orthogonal_is_xavier_uniform_where_weights_are_not_recurrent(dtype):
    """The gain is not theirs."""
    for layer in layers(dtype):
        init.orthogonal(layer, 3.0, seed=0)
        for key, block in blocks(layer, "weight" if not layer.stateful else "weight_ih").items():
            assert_distributed((layer, key), block, math.sqrt(VARIANCES["xavier"](*block.shape)), uniform=True)


def test_no_orthogonal_matrix_is_likelier_than_another():
    """Of size 1 there are two, 1 and -1; of size 2 a half are rotations and their angle is uniform.

    Q as LAPACK leaves it would always be 1 in size 1: the signs are what is tested.
    """
    lstm = init.orthogonal(fr.LSTM(1, 1, 100, bidirectional=True, dtype=np.float64), seed=0)
    signs = np.array([block.item() for block in blocks(lstm, "weight_hh").values()])
    assert signs.size == 800 and set(signs) == {-1.0, 1.0}
    assert abs(signs.mean()) <= SIGMAS / math.sqrt(signs.size)
    lstm = init.orthogonal(fr.LSTM(1, 2, 100, bidirectional=True, dtype=np.float64), seed=0)
    matrices = np.stack(list(blocks(lstm, "weight_hh").values()))
    determinants, columns = np.linalg.det(matrices), matrices[:, :, 0]
    assert abs(determinants.mean()) <= SIGMAS / math.sqrt(800)
    angles = np.arctan2(columns[:, 1], columns[:, 0])
    assert_distributed("angles", angles, math.pi / math.sqrt(3), uniform=True)


def test_identity_is_exact(dtype):
    (rnn,) = fitting((fr.RNN,), dtype)
    init.identity(rnn, 0.75, 0.5, seed=0)
    for block in blocks(rnn, "weight_hh").values():
        np.testing.assert_array_equal(block, 0.75 * np.eye(30))
    for key, block in blocks(rnn, "weight_ih").items():
        assert_distributed(key, block, 0.5, uniform=False)
    assert not any(block.any() for block in blocks(rnn, "bias").values())


def test_identity_by_default_is_the_paper_s():
    """Ones on the diagonal, 0.001 for the input; a relu network keeps its state while nothing comes in."""
    rnn = init.identity(fr.RNN(70, 30, nonlinearity="relu"), seed=0)
    assert_distributed("w_ih", rnn.params["weight_ih_l0"].astype(np.float64), 0.001, uniform=False)
    h = np.linspace(0, 1, 30, dtype=np.float32)[None, None]
    np.testing.assert_array_equal(rnn(np.zeros((9, 1, 70), np.float32), h)[1], h)


# -- biases --------------------------------------------------------------------------------------------------------


def assert_only_changed(layer, before, gates):
    """Only biases of these gates differ from what was before, everything else has its bits."""
    assert set(layer.params) == set(before)
    for key, block in blocks(layer, "bias").items():
        name, gate = key
        old = np.split(before[name], len(gates_of(layer)))[gates_of(layer).index(gate)]
        assert (block != old).all() if gate in gates else (block == old).all(), key
    for name, array in layer.params.items():
        if name.startswith("weight"):
            np.testing.assert_array_equal(array, before[name], err_msg=name)


def silent(layer):
    """The layer with weights and biases of 0: its gates are then what their biases make them."""
    for array in layer.params.values():
        array[...] = 0
    return layer


def test_forget_bias_sets_that_gate_alone(dtype):
    (lstm,) = fitting((fr.LSTM,), dtype)
    before = lstm.state_dict()
    assert init.forget_bias(lstm, 2.5) is lstm
    assert_only_changed(lstm, before, "f")
    b_ih, b_hh = biases(lstm, "f")
    assert b_ih.shape == (4, 30) and (b_ih == 2.5).all() and not b_hh.any()
    assert (biases(init.forget_bias(lstm), "f")[0] == 1).all()


def test_forget_bias_is_the_part_of_c_that_is_kept(isa, dtype):
    """The gate's place in the order, as the engine has it: c_1 = sigma(value) c_0, since g is 0."""
    lstm = init.forget_bias(silent(fr.LSTM(3, 5, dtype=dtype)), 0.75)
    h, c = np.zeros((1, 2, 5), dtype), np.ones((1, 2, 5), dtype)
    _, (_, c) = lstm(np.zeros((1, 2, 3), dtype), (h, c))
    assert_close(c, np.full((1, 2, 5), reference.sigmoid(np.float64(0.75))), dtype, terms=8, steps=1)


T_MAX = 50


@pytest.mark.parametrize("kind", [fr.LSTM, fr.GRU])
def test_chrono_draws_one_bias_per_unit(dtype, kind):
    """exp(b) is uniform in [1, T_max - 1], and the gates that are not meant keep what they have."""
    layer = kind(2, 300, 2, bidirectional=True, dtype=dtype, seed=0)
    before = layer.state_dict()
    assert init.chrono(layer, T_MAX, seed=0) is layer
    gate, opposite = {"LSTM": ("f", "i"), "GRU": ("z", None)}[kind.__name__]
    assert_only_changed(layer, before, (gate, opposite))
    b_ih, b_hh = biases(layer, gate)
    assert b_ih.shape == (4, 300) and not b_hh.any()
    assert b_ih.min() >= 0 and b_ih.max() <= dtype.type(np.log(T_MAX - 1))
    if opposite:
        b_i, b_hi = biases(layer, opposite)
        assert (b_i == -b_ih).all() and not b_hi.any()
    middle, half = T_MAX / 2, (T_MAX - 2) / 2  # of the interval [1, T_max - 1]
    for row in b_ih:
        # float32 rounds log(u) by at most 2e-7, and so u by 2e-7 u
        assert_distributed(kind, (np.exp(row) - middle) / (half * (1 + 1e-6)), 1 / math.sqrt(3), uniform=True)
    assert len({row.tobytes() for row in b_ih}) == 4


def test_chrono_of_the_least_time_is_zero():
    lstm = init.chrono(fr.LSTM(2, 3, seed=0), 2, seed=0)
    assert not biases(lstm, "f")[0].any() and not biases(lstm, "i")[0].any()


@pytest.mark.parametrize("reset_after", [True, False])
def test_chrono_gives_a_gru_times_from_2_to_t_max(isa, dtype, reset_after):
    """A unit loses 1/time of itself at the first step: 1 - h_1 / h_0 = 1 - z. At any other gate, times would be 2."""
    gru = silent(fr.GRU(2, 300, reset_after=reset_after, dtype=dtype))
    h = np.ones((1, 1, 300), dtype)
    _, h = init.chrono(gru, T_MAX, seed=0)(np.zeros((1, 1, 2), dtype), h)
    times = 1 / (1 - h.astype(np.float64))
    slack = 1 + 1e-4  # float32: h is within 1e-6 of exact, and T_max = 50 times that changes a time
    assert 2 / slack <= times.min() < 5 and 45 < times.max() <= T_MAX * slack


def test_chrono_gives_an_lstm_gates_that_sum_to_1(isa, dtype):
    """With g = 1 and c_0 = 1, c_1 = f + i is 1; from c_0 = 0 it is i = 1/time."""
    lstm = silent(fr.LSTM(2, 300, dtype=dtype))
    lstm.params["bias_ih_l0"][600:900] = 40  # g = tanh(40) = 1
    init.chrono(lstm, T_MAX, seed=0)
    h, ones = np.zeros((1, 1, 300), dtype), np.ones((1, 1, 300), dtype)
    x = np.zeros((1, 1, 2), dtype)
    assert_close(lstm(x, (h, ones))[1][1], ones, dtype, terms=302, steps=1)
    times = 1 / lstm(x, (h, h))[1][1].astype(np.float64)
    slack = 1 + 1e-4
    assert 2 / slack <= times.min() < 5 and 45 < times.max() <= T_MAX * slack


# -- what holds for all --------------------------------------------------------------------------------------------


def test_every_initialiser_is_tested_here():
    assert sorted(INITIALISERS) == sorted(init.__all__)
    assert fr.init is init


@each
def test_writes_in_place_and_returns_the_layer(initialise, kinds, dtype):
    for layer in fitting(kinds, dtype):
        before = layer.state_dict()
        arrays = dict(layer.params)
        assert initialise(layer, 0) is layer
        assert all(layer.params[name] is array for name, array in arrays.items())
        assert all(array.dtype == dtype and array.shape == before[name].shape for name, array in arrays.items())
        assert any((array != before[name]).any() for name, array in arrays.items())
        assert not any(grad.any() for grad in layer.grads.values())


@each
def test_the_same_seed_gives_the_same_bits(initialise, kinds):
    for layer in fitting(kinds):
        other = copy.deepcopy(layer)
        assert_same(initialise(other, 7), initialise(layer, 7).params)


@random
def test_another_seed_gives_other_numbers(initialise, kinds):
    """As do no seed at all, and the same generator once more."""
    rng = np.random.default_rng(0)
    for seed, again in [(7, 8), (None, None), (rng, rng)]:
        for layer in fitting(kinds):
            first = initialise(layer, seed).state_dict()
            second = initialise(layer, again).state_dict()
            assert any((first[name] != second[name]).any() for name in first)


@each
def test_float32_is_float64_rounded(initialise, kinds):
    for single, double in zip(fitting(kinds), fitting(kinds, np.float64), strict=True):
        single.load_state_dict(double.state_dict())
        initialise(single, 0)
        initialise(double, 0)
        assert_same(single, {name: array.astype(np.float32) for name, array in double.params.items()})


@each
def test_layers_without_biases(initialise, kinds):
    """Their weights are drawn as always; what only writes biases has nothing to do there, and says so."""
    for layer in fitting(kinds):
        bare = type(layer)(**layer.config() | {"bias": False}, seed=1)
        before = bare.state_dict()
        if initialise in (INITIALISERS["forget_bias"][0], INITIALISERS["chrono"][0]):
            text = rf"^(layer|lstm): expected layers with bias=True, got {type(bare).__name__}\("
            with pytest.raises(ValueError, match=text):
                initialise(bare, 0)
            assert_same(bare, before)
        else:
            initialise(bare, 0)
            assert all((array != before[name]).any() for name, array in bare.params.items())


@each
def test_the_output_follows(initialise, kinds, dtype, rng):
    """Weights that have been packed are packed anew, for calls, training and streams that began before."""
    for layer in fitting(kinds, dtype):
        x = rng.standard_normal((3, 2, 70)).astype(dtype)
        stream = None
        if layer.stateful:
            layer = type(layer)(**layer.config() | {"bidirectional": False}, seed=1)
            stream = layer.stream(2)
            stream.step(x[0])
            stream.reset()
        before = y_of(layer, x)
        initialise(layer, 0)
        fresh = type(layer)(**layer.config())
        fresh.load_state_dict(layer.state_dict())
        y = y_of(layer, x)
        assert (y != before).any()
        np.testing.assert_array_equal(y, y_of(fresh, x))
        np.testing.assert_array_equal(layer.forward(x)[0], y)
        if stream:
            np.testing.assert_array_equal(np.stack([stream.step(x_t) for x_t in x]), y)


def y_of(layer, x):
    return layer(x)[0] if layer.stateful else layer(x)


@each
def test_a_sequential_stands_for_its_layers(initialise, kinds):
    """One after another with one generator, also in a Sequential in it; what is not meant is left alone."""
    parts = layers(H=35)  # each reads 70 features, what the one before gives
    inner = fr.Sequential(*parts[1:3])
    model = fr.Sequential(fr.Embedding(9, 70, seed=0), parts[0], inner, parts[3])
    before, expected, rng = model.state_dict(), layers(H=35), np.random.default_rng(0)
    for layer in expected:
        if isinstance(layer, kinds):
            initialise(layer, rng)
    assert initialise(model, np.random.default_rng(0)) is model
    for layer, other in zip(parts, expected, strict=True):
        assert_same(layer, other.params)
    np.testing.assert_array_equal(model.params["0.weight"], before["0.weight"])


WRONG = {
    "Embedding": lambda: fr.Embedding(3, 4),
    "type": lambda: fr.LSTM,
    "dict": dict,
    "NoneType": lambda: None,
    "a Sequential of Embedding": lambda: fr.Sequential(fr.Embedding(3, 4)),
    "a Sequential of Embedding, Embedding": lambda: fr.Sequential(
        fr.Embedding(3, 4), fr.Sequential(fr.Embedding(3, 4))
    ),
}


@each
@pytest.mark.parametrize("got", WRONG)
def test_other_things_are_refused(initialise, kinds, got):
    wanted = ", ".join(kind.__name__ for kind in kinds)
    text = f"expected {wanted} or a Sequential that holds one, got {got}"
    with pytest.raises(TypeError, match=rf"^\w+: {re.escape(text)}$"):
        initialise(WRONG[got](), 0)


@pytest.mark.parametrize(
    ("call", "layer", "text"),
    [
        (init.identity, fr.LSTM(3, 4), "rnn: expected RNN or a Sequential that holds one, got LSTM"),
        (init.identity, fr.GRU(3, 4), "rnn: expected RNN or a Sequential that holds one, got GRU"),
        (init.identity, fr.Linear(3, 4), "rnn: expected RNN or a Sequential that holds one, got Linear"),
        (init.forget_bias, fr.GRU(3, 4), "lstm: expected LSTM or a Sequential that holds one, got GRU"),
        (init.forget_bias, fr.RNN(3, 4), "lstm: expected LSTM or a Sequential that holds one, got RNN"),
        (
            lambda layer: init.chrono(layer, 9),
            fr.Sequential(fr.RNN(3, 4), fr.Linear(4, 5)),
            "layer: expected LSTM, GRU or a Sequential that holds one, got a Sequential of RNN, Linear",
        ),
    ],
)
def test_layers_of_another_kind_are_refused_and_left_alone(call, layer, text):
    before = layer.state_dict()
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        call(layer)
    assert_same(layer, before)


AT_LEAST_0 = "expected a finite number of at least 0"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: init.xavier_uniform(fr.GRU(3, 4), -1.0), ValueError, f"gain: {AT_LEAST_0}, got -1.0"),
        (lambda: init.he_normal(fr.GRU(3, 4), math.nan), ValueError, f"gain: {AT_LEAST_0}, got nan"),
        (lambda: init.orthogonal(fr.GRU(3, 4), math.inf), ValueError, f"gain: {AT_LEAST_0}, got inf"),
        (lambda: init.xavier_normal(fr.GRU(3, 4), "high"), TypeError, "gain: expected a number, got str"),
        (lambda: init.identity(fr.RNN(3, 4), math.nan), ValueError, "scale: expected a finite number, got nan"),
        (lambda: init.identity(fr.RNN(3, 4), None), TypeError, "scale: expected a number, got NoneType"),
        (lambda: init.identity(fr.RNN(3, 4), 1, -1), ValueError, f"input_std: {AT_LEAST_0}, got -1"),
        (lambda: init.forget_bias(fr.LSTM(3, 4), math.inf), ValueError, "value: expected a finite number, got inf"),
        (lambda: init.forget_bias(fr.LSTM(3, 4), [1]), TypeError, "value: expected a number, got list"),
        (lambda: init.chrono(fr.LSTM(3, 4), 1.5), ValueError, "T_max: expected a finite number of at least 2, got 1.5"),
        (lambda: init.chrono(fr.LSTM(3, 4), "long"), TypeError, "T_max: expected a number, got str"),
    ],
)
def test_numbers_out_of_range_are_refused(call, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        call()


@random
@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), ("x", TypeError), (1.5, TypeError)], ids=repr)
def test_seeds_that_are_none_are_refused(initialise, kinds, seed, error):
    layer = fitting(kinds)[0]
    before = layer.state_dict()
    with pytest.raises(error, match="^seed: expected an integer"):
        initialise(layer, seed)
    assert_same(layer, before)


@each
def test_parameters_that_cannot_be_written_are_named(initialise, kinds):
    """And nothing has been written then."""
    layer = fitting(kinds)[-1]
    before, last = layer.state_dict(), "bias_ih_l0" if layer.stateful else "weight"
    layer.params[last].flags.writeable = False
    with pytest.raises(ValueError, match=f"^{last}: expected an array that can be written"):
        initialise(layer, 0)
    assert_same(layer, before)


def test_a_layer_without_biases_in_a_sequential_stops_all():
    model = fr.Sequential(fr.LSTM(3, 4), fr.LSTM(4, 4, bias=False))
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"^lstm: expected layers with bias=True, got LSTM\(input_size=4"):
        init.forget_bias(model)
    assert_same(model, before)


def test_what_stands_in_a_residual_is_written_too():
    """A Sequential and a Residual, in any nesting, are gone through."""
    model = fr.Sequential(fr.Residual(fr.Sequential(fr.Linear(4, 4), fr.GRU(4, 4))), fr.Linear(4, 2))
    assert fr.init.orthogonal(model, seed=0) is model
    for block in np.split(model.params["0.1.weight_hh_l0"], 3):
        np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-6)
