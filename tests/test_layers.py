# SPDX-License-Identifier: BSD-3-Clause
"""Linear, Embedding and Sequential; and the contract that every layer of the package keeps."""

import contextlib
import copy
import json
import math
import pickle
import types

import numpy as np
import pytest
from conftest import assert_close

import fastrnn as fr
from fastrnn.layer import Layer

# Central differences in float64, relative to the largest slope: a step of 1e-5 leaves an error of
# 1e-10 from the third derivative and of 1e-16 / 1e-5 = 1e-11 from rounding, both times the size of
# the loss, some ten times that of a slope. A wrong term shows in the first digits.
STEP, RTOL_DIFFERENCES = 1e-5, 1e-7


def assert_same_bits(actual, expected, what=""):
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype), what
    assert actual.tobytes() == expected.tobytes(), what


def assert_same_arrays(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        assert_same_bits(actual[name], expected[name], name)


def snapshot(arrays):
    return {name: array.copy() for name, array in arrays.items()}


@contextlib.contextmanager
def refused(error, *words):
    """The block raises `error` with a message that holds all `words`."""
    with pytest.raises(error) as caught:
        yield caught
    for word in words:
        assert word in str(caught.value)


# -- Linear ----------------------------------------------------------------------------------------

# I and O around the widths of vectors and tiles, and 1
LINEAR_SIZES = [(1, 1), (3, 7), (16, 17), (33, 64), (65, 129)]


@pytest.mark.parametrize(("inputs", "outputs"), LINEAR_SIZES)
@pytest.mark.parametrize("rows", [1, 5, 97])
def test_linear_is_the_matrix_product(isa, dtype, inputs, outputs, rows, rng):
    """y = x W^T + b, against the product in float64."""
    linear = fr.Linear(inputs, outputs, dtype=dtype, seed=0)
    x = rng.standard_normal((rows, inputs)).astype(dtype)
    weight, bias = (linear.params[name].astype(np.float64) for name in ("weight", "bias"))
    expected = x.astype(np.float64) @ weight.T + bias
    assert_close(linear(x), expected, dtype, terms=inputs + 1, steps=1)
    assert_same_bits(linear.forward(x)[0], linear(x))


@pytest.mark.parametrize(("inputs", "outputs"), LINEAR_SIZES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 5, 300])
def test_gradients_of_linear_are_the_closed_form(isa, dtype, inputs, outputs, bias, rows, rng):
    """dx = dy W, dW = dy^T x, db = the sum of dy; with more rows than one block of the sum."""
    linear = fr.Linear(inputs, outputs, bias=bias, dtype=dtype, seed=0)
    # of one sign: a gradient that is a single number must not be the small rest of large terms
    x, dy = (rng.uniform(0.1, 1, (rows, n)).astype(dtype) for n in (inputs, outputs))
    dx = linear.backward(linear.forward(x)[1], dy)
    x, dy, weight = (a.astype(np.float64) for a in (x, dy, linear.params["weight"]))
    assert dx.dtype == dtype
    assert_close(dx, dy @ weight, dtype, backward=True, terms=outputs, steps=1)
    expected = {"weight": dy.T @ x} | ({"bias": dy.sum(0)} if bias else {})
    assert linear.grads.keys() == expected.keys()
    for name, grad in linear.grads.items():
        assert_close(grad, expected[name], dtype, backward=True, terms=rows, steps=1, what=name)


@pytest.mark.parametrize("shape", [(), (5,), (4, 5), (2, 4, 5), (0,), (3, 0), (0, 4)], ids=str)
def test_linear_acts_on_the_last_axis(shape, rng):
    """Any rank gives the bits of its rows as a matrix, dx has the shape of x; also when empty."""
    linear, flat = fr.Linear(3, 4, seed=0), fr.Linear(3, 4, seed=0)
    x = rng.standard_normal((*shape, 3)).astype(np.float32)
    dy = rng.standard_normal((*shape, 4)).astype(np.float32)
    y, tape = linear.forward(x)
    y_flat, tape_flat = flat.forward(x.reshape(-1, 3))
    assert_same_bits(y, y_flat.reshape(*shape, 4))
    assert_same_bits(linear(x), y)
    dx = linear.backward(tape, dy)
    assert_same_bits(dx, flat.backward(tape_flat, dy.reshape(-1, 4)).reshape(x.shape))
    assert_same_arrays(linear.grads, flat.grads)
    assert linear.grads["weight"].any() == bool(x.size)


def test_a_row_alone_is_the_row_in_a_batch(isa, dtype, rng):
    """Bit for bit, in y and dx, wherever the row stands in a tile and however many threads work."""
    linear = fr.Linear(70, 67, dtype=dtype, seed=0)
    x = rng.standard_normal((101, 70)).astype(dtype)
    dy = rng.standard_normal((101, 67)).astype(dtype)
    for threads in (1, 2):
        with fr.threads(threads):
            y, tape = linear.forward(x)
            dx = linear.backward(tape, dy)
        for row in range(len(x)):
            alone, tape = linear.forward(x[row])
            assert_same_bits(alone, y[row])
            assert_same_bits(linear.backward(tape, dy[row]), dx[row])


def test_gradients_of_linear_do_not_depend_on_the_threads(isa, dtype, rng):
    linears = [fr.Linear(70, 67, dtype=dtype, seed=0) for _ in range(2)]
    x = rng.standard_normal((600, 70)).astype(dtype)
    dy = rng.standard_normal((600, 67)).astype(dtype)
    for threads, linear in enumerate(linears, 1):
        with fr.threads(threads):
            linear.backward(linear.forward(x)[1], dy)
    assert_same_arrays(linears[1].grads, linears[0].grads)


def test_linear_takes_every_layout(isa, rng):
    """Strided, turned, read-only and Fortran-ordered x and dy have the bits of their copies."""
    linear, other = fr.Linear(3, 4, seed=0), fr.Linear(3, 4, seed=0)
    x = rng.standard_normal((6, 5, 3)).astype(np.float32)
    dy = rng.standard_normal((6, 5, 4)).astype(np.float32)
    frozen = x.copy(), dy.copy()
    for array in frozen:
        array.flags.writeable = False
    for given_x, given_dy in [
        (x[::2], dy[::2]),
        (x[::-1, ::-1], dy[::-1, ::-1]),
        (np.flip(x, -1), np.flip(dy, -1)),
        (x.swapaxes(0, 1), dy.swapaxes(0, 1)),
        (np.asfortranarray(x), np.asfortranarray(dy)),
        (np.broadcast_to(x[:1], x.shape), np.broadcast_to(dy[:, :, :1], dy.shape)),
        frozen,
        (x.tolist(), dy.tolist()),
    ]:
        dx = linear.backward(linear.forward(given_x)[1], given_dy)
        plain = [np.array(array, np.float32, order="C") for array in (given_x, given_dy)]
        assert_same_bits(linear(given_x), other(plain[0]))
        assert_same_bits(dx, other.backward(other.forward(plain[0])[1], plain[1]))
        assert_same_arrays(linear.grads, other.grads)
    assert_same_bits(frozen[0], x)


def test_linear_without_bias(rng):
    """There is no parameter `bias`, and y is the one of a bias of zeros."""
    linear, other = fr.Linear(3, 4, bias=False, seed=0), fr.Linear(3, 4, seed=0)
    assert list(linear.params) == list(linear.grads) == ["weight"]
    other.load_state_dict(linear.state_dict() | {"bias": np.zeros(4)})
    x = rng.standard_normal((5, 3)).astype(np.float32)
    assert_same_bits(linear(x), other(x))


@pytest.mark.parametrize("inputs", [1, 9, 400])
def test_initial_parameters_of_linear_are_uniform(inputs):
    """Within 1/sqrt(I), as in PyTorch, and they fill that range."""
    linear, bound = fr.Linear(inputs, 500, seed=0), 1 / math.sqrt(inputs)
    for array in linear.params.values():
        assert 0.98 * bound < np.abs(array).max() <= bound
        assert abs(array.mean()) < 5 * bound / math.sqrt(3 * array.size)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.float32(1), ValueError, ["x: expected (..., 3)", "got ()"]),
        (np.ones((2, 4), np.float32), ValueError, ["x: expected (..., 3)", "got (2, 4)"]),
        (np.ones((2, 3)), TypeError, ["x: expected float32", "float64", "x.astype(np.float32)"]),
        (np.ones((2, 3), int), TypeError, ["x: expected float32", "got int64"]),
        (None, TypeError, ["x: expected float32", "got None"]),
        ([[1.0, 2.0, 3.0], [1.0]], TypeError, ["x: expected", "got list"]),
    ],
    ids=["scalar", "last axis", "double", "integers", "None", "ragged"],
)
def test_bad_input_of_linear_is_refused(x, error, words):
    linear = fr.Linear(3, 4)
    with refused(error, *words):
        linear(x)
    with refused(error, *words):
        linear.forward(x)


def test_after_a_refused_gradient_the_tape_of_linear_still_works():
    linear, ones = fr.Linear(3, 4, seed=0), np.ones((2, 4), np.float32)
    tape = linear.forward(np.ones((2, 3), np.float32))[1]
    with refused(ValueError, "dy: expected (2, 4)", "got (4, 2)"):
        linear.backward(tape, ones.T)
    with refused(TypeError, "dy: expected float32", "got float64"):
        linear.backward(tape, ones.astype(np.float64))
    assert not linear.grads["weight"].any()
    linear.backward(tape, ones)
    assert (linear.grads["bias"] == 2).all()
    with refused(ValueError, "tape", "serves once"):
        linear.backward(tape, ones)


@pytest.mark.parametrize("name", ["in_features", "out_features"])
def test_bad_sizes_of_linear_are_refused(name):
    for value, error in [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError)]:
        with refused(error, f"{name}: expected", f"got {value!r}"):
            fr.Linear(**({"in_features": 3, "out_features": 4} | {name: value}))


@pytest.mark.parametrize("kind", [fr.Linear, fr.Embedding])
def test_bad_options_are_refused(kind):
    for value in (int, np.float16, "abc", None):
        with refused(TypeError, "dtype: expected np.float32 or np.float64", f"got {value!r}"):
            kind(3, 4, dtype=value)
    with refused(ValueError, "seed: expected an integer", "got -1"):
        kind(3, 4, seed=-1)
    with refused(TypeError, "seed: expected an integer", "got 'a'"):
        kind(3, 4, seed="a")


# -- Embedding -------------------------------------------------------------------------------------


def one_hot(tokens, size):
    return (np.asarray(tokens)[..., None] == np.arange(size)).astype(np.float64)


TOKENS = {
    "matrix": np.array([[3, 1, 3], [0, 9, 3]]),
    "vector": np.array([7, 7, 7, 7]),
    "uint8": np.array([[3, 1], [3, 9]], np.uint8),
    "int64": np.array([5], np.int64),
    "uint64": np.array([5, 0], np.uint64),
    "big-endian": np.array([5, 0], ">i4"),
    "0-d": np.array(4),
    "scalar": np.int16(4),
    "int": 4,
    "list": [[1, 2], [2, 1]],
    "strided": np.arange(10)[::-3],
    "Fortran": np.asfortranarray([[1, 2, 3], [4, 5, 6]]),
    "empty": np.zeros((0, 3), int),
    "no axis of rows": np.zeros((2, 0), np.uint8),
    "empty list": [],
}


@pytest.mark.parametrize("tokens", TOKENS.values(), ids=TOKENS)
def test_embedding_is_the_product_with_one_hot_vectors(dtype, tokens, rng):
    """y gathers rows, bit for bit; the gradient of the table is the product; other rows get 0."""
    embedding = fr.Embedding(10, 4, dtype=dtype, seed=0)
    shape = np.shape(tokens)
    y, tape = embedding.forward(tokens)
    hot = one_hot(np.array(tokens, int), 10)
    assert_same_bits(y, (hot @ embedding.params["weight"].astype(np.float64)).astype(dtype))
    assert_same_bits(embedding(tokens), y)
    assert y.flags.c_contiguous
    assert not np.shares_memory(y, embedding.params["weight"])
    dy = rng.standard_normal((*shape, 4)).astype(dtype)
    assert embedding.backward(tape, dy) is None
    grad = embedding.grads["weight"]
    expected = hot.reshape(-1, 10).T @ dy.reshape(-1, 4).astype(np.float64)
    assert_close(grad, expected, dtype, backward=True, terms=max(2, dy.size), steps=1)
    assert not grad[~hot.reshape(-1, 10).any(0)].any()


def test_a_token_that_repeats_gets_the_sum(rng):
    """Of thousands of occurrences in any order, within the error of a sum of that many terms."""
    embedding, tokens = fr.Embedding(10, 4, seed=0), rng.integers(2, 5, (50, 100))
    dy = rng.standard_normal((50, 100, 4)).astype(np.float32)
    embedding.backward(embedding.forward(tokens)[1], dy)
    grad, hot = embedding.grads["weight"], one_hot(tokens, 10).reshape(-1, 10)
    expected = hot.T @ dy.reshape(-1, 4).astype(np.float64)
    assert_close(grad, expected, np.float32, backward=True, terms=5000, steps=1)


def test_tokens_may_change_before_backward(rng):
    """The tape has its own copy."""
    embedding, tokens = fr.Embedding(10, 4, seed=0), np.array([1, 2])
    tape = embedding.forward(tokens)[1]
    tokens[:] = 7, 999
    embedding.backward(tape, np.ones((2, 4), np.float32))
    assert np.flatnonzero(embedding.grads["weight"].any(1)).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        ([[1, 2], [3, 10]], ValueError, ["expected integers in 0..9", "got 10 at position (1, 1)"]),
        ([-1, 12], ValueError, ["expected integers in 0..9", "got -1 at position (0,)"]),
        (10, ValueError, ["expected integers in 0..9", "got 10 at position ()"]),
        (np.array([1, 255], np.uint8), ValueError, ["got 255 at position (1,)"]),
        (np.array([1, 2**63], np.uint64), ValueError, [f"got {2**63} at position (1,)"]),
        ([1.0, 2.0], TypeError, ["expected integers", "got float64"]),
        (np.zeros((0, 2)), TypeError, ["expected integers", "got float64"]),
        ([True, False], TypeError, ["expected integers", "got bool"]),
        ("abc", TypeError, ["expected integers", "got <U3"]),
        (None, TypeError, ["expected integers", "got None"]),
        ([[1], [1, 2]], TypeError, ["expected", "got list"]),
    ],
    ids=lambda value: repr(value)[:25] if not isinstance(value, type) else value.__name__,
)
def test_bad_tokens_are_refused(tokens, error, words):
    embedding = fr.Embedding(10, 4)
    for method in (embedding, embedding.forward):
        with refused(error, "tokens: ", *words):
            method(tokens)


def test_after_a_refused_gradient_the_tape_of_an_embedding_still_works():
    embedding = fr.Embedding(10, 4, seed=0)
    tape = embedding.forward([1, 2])[1]
    with refused(ValueError, "dy: expected (2, 4)", "got (4, 2)"):
        embedding.backward(tape, np.ones((4, 2), np.float32))
    with refused(TypeError, "dy: expected float32", "got float64"):
        embedding.backward(tape, np.ones((2, 4)))
    assert not embedding.grads["weight"].any()
    embedding.backward(tape, np.ones((2, 4), np.float32))
    assert embedding.grads["weight"].sum() == 8
    with refused(ValueError, "tape", "serves once"):
        embedding.backward(tape, np.ones((2, 4), np.float32))


@pytest.mark.parametrize("name", ["num_embeddings", "embedding_dim"])
def test_bad_sizes_of_an_embedding_are_refused(name):
    for value, error in [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError)]:
        with refused(error, f"{name}: expected", f"got {value!r}"):
            fr.Embedding(**({"num_embeddings": 3, "embedding_dim": 4} | {name: value}))


def test_initial_table_is_standard_normal():
    table = fr.Embedding(1000, 100, seed=0).params["weight"]
    assert abs(table.mean()) < 5 / math.sqrt(table.size)
    assert abs(table.std() - 1) < 5 / math.sqrt(2 * table.size)


# -- Sequential ------------------------------------------------------------------------------------


def language_model(dtype=np.float32, seed=0):
    """Tokens (T, N) to logits (T, N, 10)."""
    return fr.Sequential(
        fr.Embedding(10, 3, dtype=dtype, seed=seed),
        fr.LSTM(3, 4, dtype=dtype, seed=seed + 1),
        fr.Linear(4, 10, dtype=dtype, seed=seed + 2),
    )


def mixed_model(dtype=np.float32, seed=0):
    """x (T, N, 3) to y (T, N, 2), through every kind of state and another Sequential."""
    return fr.Sequential(
        fr.Linear(3, 2, dtype=dtype, seed=seed),
        fr.LSTM(2, 2, 2, bidirectional=True, dtype=dtype, seed=seed + 1),
        fr.Sequential(
            fr.GRU(4, 3, dtype=dtype, seed=seed + 2),
            fr.Linear(3, 2, bias=False, dtype=dtype, seed=seed + 3),
        ),
        fr.RNN(2, 2, dtype=dtype, seed=seed + 4),
        fr.Linear(2, 2, dtype=dtype, seed=seed + 5),
    )


def mixed_state(rng, N, dtype=np.float32):
    """A state of mixed_model: LSTM, Sequential of a GRU, RNN."""
    draw = lambda *shape: rng.standard_normal(shape).astype(dtype)  # noqa: E731
    return (draw(4, N, 2), draw(4, N, 2)), (draw(1, N, 3),), draw(1, N, 2)


def flat(state):
    """All arrays of a nested state."""
    return [state] if isinstance(state, np.ndarray) else [a for part in state for a in flat(part)]


def test_names_of_parameters_are_pytorchs():
    """The position, a dot, the name; nested ones again so, as in torch.nn.Sequential."""
    recurrent = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    model = language_model()
    expected = ["0.weight", *(f"1.{name}" for name in recurrent), "2.weight", "2.bias"]
    assert list(model.params) == list(model.grads) == list(model.state_dict()) == expected
    assert len(model.params) == len(expected)
    assert model.params["1.weight_hh_l0"] is model.layers[1].params["weight_hh_l0"]
    assert model.grads["2.bias"] is model.layers[2].grads["bias"]
    names = list(mixed_model().params)
    assert [name for name in names if name.startswith("2.")] == [
        *(f"2.0.{name}" for name in recurrent),
        "2.1.weight",
    ]


UNKNOWN = ["9.weight", "weight", "0.bias", "0.", "", "00.weight", "-1.weight", 3]


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("mapping", ["params", "grads"])
def test_an_unknown_name_in_a_sequential_is_refused_with_those_that_there_are(mapping, name):
    arrays = getattr(language_model(), mapping)
    with pytest.raises(KeyError) as caught:
        arrays[name]
    assert repr(name) in str(caught.value) and "0.weight, 1.weight_ih_l0" in str(caught.value)
    with pytest.raises(KeyError):
        arrays[name] = np.ones(3, np.float32)
    assert name not in arrays
    assert arrays.get(name) is None


@pytest.mark.parametrize("mapping", ["params", "grads"])
def test_arrays_of_a_sequential_are_written_in_place_and_only_in_their_shape(mapping):
    model = language_model()
    arrays = getattr(model, mapping)
    own = arrays["2.bias"]
    arrays["2.bias"] = np.arange(10.0)
    assert arrays["2.bias"] is own and (own == np.arange(10)).all()
    with refused(ValueError, "2.bias: expected shape (10,), got (3,)"):
        arrays["2.bias"] = np.ones(3, np.float32)
    with refused(TypeError, "2.bias", "cannot be deleted"):
        del arrays["2.bias"]


def test_a_sequential_is_its_layers_one_after_another(rng):
    """Outputs and states are those of calling the layers by hand, bit for bit."""
    model, by_hand = mixed_model(), mixed_model().layers
    x, state = rng.standard_normal((5, 3, 3)).astype(np.float32), mixed_state(rng, 3)
    lengths = [5, 0, 2]
    y, final = model(x, state, lengths)
    expected = by_hand[0](x)
    expected, lstm = by_hand[1](expected, state[0], lengths)
    expected, (gru,) = by_hand[2](expected, state[1], lengths)
    expected, rnn = by_hand[3](expected, state[2], lengths)
    assert_same_bits(y, by_hand[4](expected))
    for a, b in zip(flat(final), [*lstm, gru, rnn], strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
def test_forward_of_a_sequential_is_its_call(with_state, lengths, rng):
    model, x = mixed_model(), rng.standard_normal((5, 3, 3)).astype(np.float32)
    state = mixed_state(rng, 3) if with_state else None
    y, final = model(x, state, lengths)
    y_again, final_again, _ = model.forward(x, state, lengths)
    assert_same_bits(y_again, y)
    for a, b in zip(flat(final_again), flat(final), strict=True):
        assert_same_bits(a, b)


def test_the_state_of_a_sequential_continues_it(rng):
    """A tuple with one state for each recurrent layer; zeros are the same as None."""
    model = fr.Sequential(fr.Linear(3, 4, seed=0), fr.LSTM(4, 2, seed=1), fr.GRU(2, 5, seed=2))
    x = rng.standard_normal((6, 2, 3)).astype(np.float32)
    y, (lstm, gru) = model(x)
    assert [part.shape for part in lstm] == [(1, 2, 2), (1, 2, 2)] and gru.shape == (1, 2, 5)
    first, state = model(x[:4])
    rest, final = model(x[4:], state)
    assert_same_bits(np.concatenate([first, rest]), y)
    for a, b in zip(flat(final), [*lstm, gru], strict=True):
        assert_same_bits(a, b)
    zeros = (tuple(map(np.zeros_like, lstm)), np.zeros_like(gru))
    assert_same_bits(model(x, zeros)[0], y)
    assert_same_bits(model(x, (None, None))[0], y)


def test_without_recurrent_layers_the_state_is_empty(rng):
    model = fr.Sequential(fr.Linear(3, 4, seed=0), fr.Linear(4, 2, seed=1))
    x = np.ones((5, 3), np.float32)
    y, state, tape = model.forward(x)
    assert state == () and y.shape == (5, 2)
    dx, dstate = model.backward(tape, np.ones_like(y), ())
    assert dstate == () and dx.shape == (5, 3)


def central_differences(loss, array):
    """The slope of loss() along every element of an array that it reads."""
    slopes = np.zeros_like(array)
    for at in np.ndindex(array.shape):
        before = array[at]
        array[at] = before + STEP
        up = loss()
        array[at] = before - STEP
        slopes[at] = (up - loss()) / (2 * STEP)
        array[at] = before
    return slopes


def assert_slopes(actual, loss, array, what):
    slopes = central_differences(loss, array)
    error, scale = np.abs(actual - slopes).max(), max(1, np.abs(slopes).max())
    assert error <= RTOL_DIFFERENCES * scale, f"{what}: error {error:.3g}, scale {scale:.3g}"


@pytest.mark.parametrize("lengths", [None, [3, 0, 2]], ids=["full", "ragged"])
def test_gradients_of_a_sequential_match_central_differences(lengths, rng):
    """Of x, of every part of the initial state and of every parameter, from y and final states."""
    model = mixed_model(np.float64)
    x, dy = rng.standard_normal((3, 3, 3)), rng.standard_normal((3, 3, 2))
    state, dstate = mixed_state(rng, 3, np.float64), mixed_state(rng, 3, np.float64)

    def loss():
        y, final = model(x, state, lengths)
        pairs = zip([y, *flat(final)], [dy, *flat(dstate)], strict=True)
        return sum((value * upstream).sum() for value, upstream in pairs)

    dx, dinitial = model.backward(model.forward(x, state, lengths)[2], dy, dstate)
    assert_slopes(dx, loss, x, "x")
    for actual, array in zip(flat(dinitial), flat(state), strict=True):
        assert_slopes(actual, loss, array, "state")
    for name, grad in snapshot(model.grads).items():
        assert_slopes(grad, loss, model.params[name], name)


def test_gradients_through_tokens_match_central_differences(rng):
    """Of the table and of all that follows it; tokens themselves have none."""
    model, tokens = language_model(np.float64), rng.integers(0, 5, (4, 2))
    dy = rng.standard_normal((4, 2, 10))
    y, state, tape = model.forward(tokens)
    dx, ((dh, dc),) = model.backward(tape, dy)
    assert dx is None and dh.shape == dc.shape == (1, 2, 4)
    for name, grad in snapshot(model.grads).items():
        assert_slopes(grad, lambda: (model(tokens)[0] * dy).sum(), model.params[name], name)
    assert not model.grads["0.weight"][5:].any()


@pytest.mark.parametrize(
    ("run", "error", "words", "position"),
    [
        (lambda m, x: m(x.astype(np.float64)), TypeError, ["x: expected float32"], "layer 0"),
        (lambda m, x: m(x[..., :2]), ValueError, ["x: expected (..., 3)"], "layer 0"),
        (lambda m, x: m.forward(x, None, [1, 9, 1]), ValueError, ["lengths: expected"], "layer 1"),
        (lambda m, x: m(x, (None, (1, 2), None)), TypeError, ["state"], "layer 2"),
        (lambda m, x: m(x, (None, None, np.ones(3))), TypeError, ["state"], "layer 3"),
        (lambda m, x: m.backward(m.forward(x)[2], x), ValueError, ["dy: expected"], "layer 4"),
    ],
)
def test_an_error_says_in_which_layer_it_happened(run, error, words, position):
    """A note with the position and the layer, one for each nesting."""
    model = mixed_model()
    with refused(error, *words) as caught:
        run(model, np.ones((5, 3, 3), np.float32))
    notes = caught.value.__notes__
    assert f"in {position} of Sequential: {model.layers[int(position[-1])]!r}" in notes


def test_an_error_in_a_nested_sequential_has_a_note_for_each_level():
    model = fr.Sequential(fr.Linear(3, 4), fr.Sequential(fr.Linear(4, 5), fr.GRU(4, 2)))
    with refused(ValueError, "x: expected", "got (6, 2, 5)") as caught:
        model(np.ones((6, 2, 3), np.float32))
    inner, outer = caught.value.__notes__
    assert inner.startswith("in layer 1 of Sequential: GRU(")
    assert outer.startswith("in layer 1 of Sequential: Sequential(")


STATE_1 = np.zeros((1, 2, 4), np.float32)


@pytest.mark.parametrize(
    ("state", "came"),
    [
        (STATE_1, "ndarray"),
        ((STATE_1, STATE_1), "2"),  # the pair of the LSTM itself, not in a tuple of states
        ((), "0"),
        ({}, "dict"),
        ("a", "str"),
    ],
    ids=["array", "pair", "empty", "dict", "str"],
)
def test_a_wrong_state_tuple_is_refused(state, came):
    model, tokens = language_model(), np.array([[3, 1], [4, 1]])
    expected = "expected a tuple with a state for each of the 1 recurrent layers"
    for method in (model, model.forward):
        with refused(TypeError, f"state: {expected}", f"got {came}"):
            method(tokens, state)
    y, _, tape = model.forward(tokens)
    with refused(TypeError, f"dstate: {expected}", f"got {came}"):
        model.backward(tape, np.ones_like(y), state)
    model.backward(tape, np.ones_like(y))


BAD_UPSTREAM = {
    "dy": lambda y: (y[1:], None),
    "dstate, last layer": lambda y: (y, (None, None, np.ones((1, 3, 9), np.float32))),
    "dstate, nested": lambda y: (y, (None, (np.ones((1, 3, 9), np.float32),), None)),
    "dstate, first layer": lambda y: (y, ((y, y), None, None)),
}


@pytest.mark.parametrize("upstream", BAD_UPSTREAM.values(), ids=BAD_UPSTREAM)
def test_after_a_refused_gradient_the_tape_of_a_sequential_still_works(upstream, rng):
    """Whichever layer refuses it: nothing was added anywhere, and the next backward is whole."""
    model, other = mixed_model(), mixed_model()
    x = rng.standard_normal((5, 3, 3)).astype(np.float32)
    y, _, tape = model.forward(x)
    with pytest.raises((TypeError, ValueError), match="dy|dstate"):
        model.backward(tape, *upstream(np.ones_like(y)))
    assert not any(grad.any() for grad in model.grads.values())
    dx, _ = model.backward(tape, np.ones_like(y))
    assert_same_bits(dx, other.backward(other.forward(x)[2], np.ones_like(y))[0])
    assert_same_arrays(model.grads, other.grads)


def test_what_is_no_layer_is_refused():
    linear = fr.Linear(3, 4)
    for layers, came, position in [
        ([linear, None], "NoneType", 1),
        ([fr.Linear], "type", 0),
        ([linear, "tanh"], "str", 1),
        ([[linear]], "list", 0),
    ]:
        with refused(TypeError, "layers: expected layers", f"got {came} at position {position}"):
            fr.Sequential(*layers)


def test_an_empty_sequential_is_refused():
    with refused(ValueError, "layers: expected at least one layer"):
        fr.Sequential()


# -- the contract of every layer -------------------------------------------------------------------

X = np.linspace(-1, 1, 5 * 3 * 3).reshape(5, 3, 3)
TOKENS_2D = np.array([[1, 2, 3], [3, 3, 0], [9, 1, 1], [0, 1, 2], [3, 4, 5]])

# name -> (make(dtype, seed), input)
LAYERS = {
    "RNN": (lambda **kw: fr.RNN(3, 4, nonlinearity="selu", **kw), X),
    "LSTM": (lambda **kw: fr.LSTM(3, 4, 2, bidirectional=True, **kw), X),
    "LSTM, batch first": (lambda **kw: fr.LSTM(3, 4, bias=False, batch_first=True, **kw), X),
    "GRU": (lambda **kw: fr.GRU(3, 4, 2, **kw), X),
    "GRU, reset before": (lambda **kw: fr.GRU(3, 4, reset_after=False, **kw), X),
    "Linear": (lambda **kw: fr.Linear(3, 4, **kw), X),
    "Linear, no bias": (lambda **kw: fr.Linear(3, 4, bias=False, **kw), X),
    "Embedding": (lambda **kw: fr.Embedding(10, 4, **kw), TOKENS_2D),
    "Sequential": (mixed_model, X),
    "Sequential, tokens": (language_model, TOKENS_2D),
}


@pytest.fixture(params=LAYERS.values(), ids=LAYERS)
def case(request):
    """make(dtype=, seed=) of a layer, and an input for it."""
    return request.param


@pytest.fixture
def make(case):
    """Make a layer, float32 and of seed 0 unless said otherwise."""
    return lambda dtype=np.float32, seed=0: case[0](dtype=dtype, seed=seed)


def inputs(case, dtype=np.float32):
    return case[1].astype(dtype) if case[1].dtype == np.float64 else case[1]


def call(layer, x):
    """y of a call; layers with a state give it too."""
    return layer(x)[0] if layer.stateful else layer(x)


def step(layer, x):
    """One step of training with an upstream gradient of ones: y and dx."""
    y, *_, tape = layer.forward(x)
    back = layer.backward(tape, np.ones_like(y))
    return y, back[0] if layer.stateful else back


def memory(layer):
    return [*layer.params.values(), *layer.grads.values()]


def test_every_public_layer_is_tested_here():
    classes = {item for item in vars(fr).values() if isinstance(item, type)}
    tested = {type(make(dtype=np.float32, seed=0)) for make, _ in LAYERS.values()}
    assert tested == {item for item in classes if issubclass(item, Layer)}


def test_params_and_grads_have_the_same_names_and_shapes(make, dtype):
    """All of the layer's dtype; gradients are zero at first; no two arrays share memory."""
    layer = make(dtype)
    assert list(layer.params) == list(layer.grads) and len(layer.params) > 0
    for name, array in layer.params.items():
        assert array.shape == layer.grads[name].shape
        assert array.dtype == layer.grads[name].dtype == layer.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable and array.any()
        assert not layer.grads[name].any()
    arrays = memory(layer)
    assert not any(np.shares_memory(a, b) for k, a in enumerate(arrays) for b in arrays[:k])


def test_forward_gives_the_y_of_a_call(case, make, dtype):
    layer, x = make(dtype), inputs(case, dtype)
    y = call(layer, x)
    assert type(y) is np.ndarray and y.dtype == dtype
    assert_same_bits(step(layer, x)[0], y)


def test_backward_adds(case, make, dtype):
    """The same step twice gives twice the gradients, exactly."""
    layer, x = make(dtype), inputs(case, dtype)
    _, dx = step(layer, x)
    once = snapshot(layer.grads)
    assert all(grad.any() for grad in once.values())
    _, dx_again = step(layer, x)
    assert_same_arrays(layer.grads, {name: 2 * grad for name, grad in once.items()})
    assert dx is dx_again is None or (dx == dx_again).all()


def test_zero_grad_sets_every_gradient_to_zero_in_place(case, make):
    layer, x = make(), inputs(case)
    step(layer, x)
    once, arrays = snapshot(layer.grads), list(layer.grads.values())
    layer.zero_grad()
    assert all(a is b for a, b in zip(layer.grads.values(), arrays, strict=True))
    assert not any(array.any() for array in arrays)
    step(layer, x)
    assert_same_arrays(layer.grads, once)


def test_the_input_is_not_written_to(case, make):
    x = inputs(case).copy()
    x.flags.writeable = False
    step(make(), x)
    call(make(), x)
    assert (x == inputs(case)).all()


def test_a_tape_serves_once_and_only_its_layer(case, make):
    layer, other = make(), make()
    y, *_, tape = layer.forward(inputs(case))
    with refused(ValueError, "tape", "another"):
        other.backward(tape, np.ones_like(y))
    with refused(TypeError, "tape", f"{type(layer).__name__}.forward"):
        layer.backward(None, np.ones_like(y))
    layer.backward(tape, np.ones_like(y))
    grads = snapshot(layer.grads)
    with refused(ValueError, "tape", "serves once"):
        layer.backward(tape, np.ones_like(y))
    assert_same_arrays(layer.grads, grads)
    assert not any(grad.any() for grad in other.grads.values())


def test_what_makes_a_layer_cannot_be_exchanged(make):
    """Its mappings and sizes are read-only: packed weights would not follow, and C trusts them."""
    layer = make()
    sizes = [name for name, value in layer.config().items() if type(value) is int]
    for name in ("params", "grads", *sizes):
        before = getattr(layer, name)
        with pytest.raises(AttributeError, match=name):
            setattr(layer, name, before)
        assert getattr(layer, name) is before


# -- state_dict ------------------------------------------------------------------------------------


def test_state_dict_is_a_copy(case, make):
    """Later changes of the layer do not reach it, changes of it do not reach the layer."""
    layer = make()
    state_dict, before = layer.state_dict(), snapshot(layer.params)
    assert type(state_dict) is dict
    assert_same_arrays(state_dict, before)
    y = call(layer, inputs(case))
    for array in state_dict.values():
        array.fill(np.nan)
    assert_same_bits(call(layer, inputs(case)), y)
    state_dict = layer.state_dict()
    for array in layer.params.values():
        array.fill(np.nan)
    assert_same_arrays(state_dict, before)


def test_load_state_dict_brings_another_layer_to_the_same_bits(case, make):
    """Into the arrays that there are; the dictionary is neither kept nor changed."""
    layer, other = make(), make(seed=7)
    state_dict, arrays = layer.state_dict(), list(other.params.values())
    other.load_state_dict(state_dict)
    assert_same_arrays(other.params, layer.params)
    assert_same_bits(call(other, inputs(case)), call(layer, inputs(case)))
    assert all(a is b for a, b in zip(other.params.values(), arrays, strict=True))
    assert not any(np.shares_memory(a, b) for a in arrays for b in state_dict.values())


def test_load_state_dict_takes_any_mapping(make):
    """Another layer's params, a read-only view, names in another order, nested lists."""
    layer = make()
    for given in (
        layer.params,
        types.MappingProxyType(layer.state_dict()),
        dict(reversed(layer.state_dict().items())),
        {name: array.tolist() for name, array in layer.params.items()},
    ):
        other = make(seed=7)
        other.load_state_dict(given)
        assert_same_arrays(other.params, layer.params)


@pytest.mark.parametrize(("own", "other"), [("float32", "float64"), ("float64", "float32")])
def test_load_state_dict_converts_between_the_floats(case, make, own, other):
    layer, source = make(np.dtype(own)), make(np.dtype(other), seed=7)
    layer.load_state_dict(source.state_dict())
    assert_same_arrays(layer.params, {name: a.astype(own) for name, a in source.params.items()})
    assert call(layer, inputs(case, own)).dtype == own


def with_last(value):
    """A state_dict with the last entry, which is checked last, made from it by `value`."""

    def spoil(state):
        name = list(state)[-1]
        return state | {name: value(state[name])}

    return spoil


# name -> (state_dict of another layer -> wrong one, error, words)
BAD_STATE_DICTS = {
    "missing": (lambda state: dict(list(state.items())[:-1]), ValueError, ["missing"]),
    "unknown": (lambda state: state | {"w": np.ones(1)}, ValueError, ["unknown w"]),
    "unknown number": (lambda state: state | {3: np.ones(1)}, ValueError, ["unknown 3"]),
    "short": (with_last(lambda array: array[:-1]), ValueError, ["expected shape", "got ("]),
    "rank": (with_last(lambda array: array[..., None]), ValueError, ["expected shape", ", 1)"]),
    "scalar": (with_last(lambda array: 1.0), ValueError, ["expected shape", "got ()"]),
    "integers": (with_last(lambda array: np.ones(array.shape, int)), TypeError, ["got int64"]),
    "half": (with_last(lambda array: array.astype(np.float16)), TypeError, ["got float16"]),
    "complex": (with_last(lambda array: array + 0j), TypeError, ["got complex"]),
    "strings": (with_last(lambda array: array.astype(str)), TypeError, ["got <U"]),
    "None": (with_last(lambda array: None), TypeError, ["got None"]),
    "ragged": (with_last(lambda array: [[1.0], [1.0, 2.0]]), TypeError, ["got list"]),
    "no mapping": (lambda state: list(state.items()), TypeError, ["a mapping", "got list"]),
    "nothing": (lambda state: None, TypeError, ["a mapping", "got NoneType"]),
}


@pytest.mark.parametrize("bad", BAD_STATE_DICTS.values(), ids=BAD_STATE_DICTS)
def test_load_state_dict_checks_everything_before_it_writes(case, make, bad):
    """The message names the entry, and not one parameter has changed."""
    spoil, error, words = bad
    layer, state_dict = make(), make(seed=7).state_dict()
    before, last, y = snapshot(layer.params), list(state_dict)[-1], call(layer, inputs(case))
    with pytest.raises(error) as caught:
        layer.load_state_dict(spoil(state_dict))
    message = str(caught.value)
    assert message.startswith(("state_dict:", f"{last}:"))
    for word in words:
        assert word in message
    assert_same_arrays(layer.params, before)
    assert_same_bits(call(layer, inputs(case)), y)


def test_missing_and_unknown_names_are_all_listed():
    linear = fr.Linear(3, 4)
    with refused(ValueError, "Linear.params", "missing weight, bias", "unknown a, b"):
        linear.load_state_dict({"a": np.ones(1), "b": np.ones(1)})


# -- copies, text and seeds ------------------------------------------------------------------------

COPIES = {
    "copy.deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda layer, n=n: pickle.loads(pickle.dumps(layer, n)) for n in (2, 5)},
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_is_equal_and_independent(case, make, duplicate):
    """Same class, config, parameters and results; no memory in common; both train alike."""
    layer, x = make(), inputs(case)
    step(layer, x)
    clone = duplicate(layer)
    assert type(clone) is type(layer)
    assert clone.config() == layer.config()
    assert_same_arrays(clone.params, layer.params)
    assert not any(np.shares_memory(a, b) for a in memory(clone) for b in memory(layer))
    layer.zero_grad()
    clone.zero_grad()
    for a, b in zip(step(clone, x), step(layer, x), strict=True):
        assert a is b is None or (a == b).all()
    assert_same_arrays(clone.grads, layer.grads)
    y = call(layer, x)
    for array in memory(clone):
        array.fill(np.nan)
    assert_same_bits(call(layer, x), y)


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_draws_the_next_dropout_masks(duplicate):
    """It continues where the original stands, and neither takes numbers from the other."""
    make = lambda: fr.GRU(3, 4, 3, dropout=0.5, seed=0)  # noqa: E731
    layer, other, x = make(), make(), inputs((None, X))
    expected = [other.forward(x)[0] for _ in range(3)]
    assert (expected[0] != expected[1]).any()
    assert_same_bits(layer.forward(x)[0], expected[0])
    clone = duplicate(layer)
    for k in (1, 2):
        assert_same_bits(clone.forward(x)[0], expected[k])
    for k in (1, 2):
        assert_same_bits(layer.forward(x)[0], expected[k])


def test_repr_evaluates_to_an_equal_layer(make, dtype):
    layer = make(dtype)
    again = eval(repr(layer), vars(fr))
    assert type(again) is type(layer)
    assert again.config() == layer.config()
    assert repr(again) == repr(layer)
    assert again.dtype == dtype
    assert list(again.params) == list(layer.params)
    for name, array in layer.params.items():
        assert again.params[name].shape == array.shape


def test_config_is_plain_data(make):
    """JSON gives it back as it was."""
    config = make().config()
    assert json.loads(json.dumps(config)) == config


def test_the_same_seed_gives_the_same_parameters_and_another_seed_others(case, make):
    layer, same, other = make(), make(), make(seed=100)
    assert_same_arrays(same.params, layer.params)
    for name in layer.params:
        assert (layer.params[name] != other.params[name]).any()
    assert_same_bits(call(same, inputs(case)), call(layer, inputs(case)))


@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU, fr.Linear, fr.Embedding])
def test_without_a_seed_every_layer_is_another(kind):
    layer, other = kind(3, 4), kind(3, 4)
    for name in layer.params:
        assert (layer.params[name] != other.params[name]).any()


@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU])
def test_the_same_seed_gives_the_same_dropout_masks_and_another_seed_others(kind):
    """Whatever the parameters are; inference draws nothing and drops nothing."""
    layers = [kind(3, 64, 2, dropout=0.5, seed=seed) for seed in (0, 0, 1)]
    plain = kind(3, 64, 2, seed=0)
    for layer in layers:
        layer.load_state_dict(plain.state_dict())
    x = inputs((None, X))
    for layer in layers:
        assert_same_bits(layer(x)[0], plain(x)[0])
    first = [layer.forward(x)[0] for layer in layers]
    second = [layer.forward(x)[0] for layer in layers]
    for a, b, c in (first, second):
        assert_same_bits(a, b)
        assert (a != c).any() and (a != plain(x)[0]).any()
    assert (first[0] != second[0]).any()


@pytest.mark.parametrize("option", ["bias", "batch_first", "bidirectional"])
@pytest.mark.parametrize("value", ["no", 2, None, 1.0], ids=repr)
def test_options_are_true_or_false(option, value):
    with refused(TypeError, f"{option}: expected True or False, got {value!r}"):
        fr.LSTM(3, 4, **{option: value})


def test_masked_values_are_refused():
    """NumPy would read what lies under the mask."""
    x = np.ma.masked_array(np.ones((2, 1, 3), np.float32), mask=False)
    fr.RNN(3, 4)(x)
    x[0, 0, 0] = np.ma.masked
    with refused(TypeError, "x: expected float32, got one with masked values"):
        fr.RNN(3, 4)(x)


@pytest.mark.parametrize("make", [lambda: fr.GRU(3, 4, 2, seed=0), lambda: fr.Linear(3, 4, seed=0)])
def test_read_only_arrays_are_refused_before_anything_is_written(make):
    layer, x = make(), np.ones((2, 1, 3), np.float32)
    name = list(layer.params)[-1]
    result = layer.forward(x)
    layer.grads[name].flags.writeable = False
    with refused(ValueError, f"grads['{name}']", "read-only"):
        layer.backward(result[-1], np.ones_like(result[0]))
    assert not any(grad.any() for grad in layer.grads.values())
    layer.grads[name].flags.writeable = True
    layer.backward(result[-1], np.ones_like(result[0]))  # the tape has not been used
    before = layer.state_dict()
    layer.params[name].flags.writeable = False
    with refused(ValueError, name, "read-only"):
        layer.load_state_dict({key: value + 1 for key, value in before.items()})
    assert_same_arrays(layer.params, before)
