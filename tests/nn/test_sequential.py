# SPDX-License-Identifier: BSD-3-Clause
"""Sequential and Residual. What they share with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    assert_slopes,
    flat,
    language_model,
    mixed_model,
    mixed_state,
    refused,
    snapshot,
)
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn.nn._recurrent.step_values import step_values as steps


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
    model = fr.Sequential(fr.Linear(3, 4), fr.Sequential(fr.Linear(4, 5), fr.LastStep(bidirectional=True)))
    with refused(ValueError, "x: expected an even number of features", "got 5") as caught:
        model(np.ones((6, 2, 3), np.float32))
    inner, outer = caught.value.__notes__
    assert inner.startswith("in layer 1 of Sequential: LastStep(")
    assert outer.startswith("in layer 1 of Sequential: Sequential(")


class Scale(fr.Linear):
    """A layer of one's own that says nothing of its features."""

    features_in = None

    def features_after(self, features):
        return None


class Double(fr.Dropout):
    """One that says what it gives, of any number."""

    def features_after(self, features):
        return None if features is None else 2 * features


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((fr.GRU(3, 4), fr.Linear(5, 2)), "layers[1]: expected 4 features in, which GRU at 0 gives, got Linear with 5"),
        ((fr.GRU(3, 4, bidirectional=True), fr.LSTM(4, 2)), "layers[1]: expected 8 features in, which GRU at 0 gives"),
        ((fr.Embedding(9, 4), fr.RNN(9, 4)), "layers[1]: expected 4 features in, which Embedding at 0 gives"),
        ((fr.RNN(3, 4), fr.Dropout(), fr.Linear(5, 2)), "layers[2]: expected 4 features in, which Dropout at 1 gives"),
        ((fr.RNN(3, 4), fr.LastStep(), fr.RepeatVector(3), fr.LSTM(5, 4)), "layers[3]: expected 4 features in"),
        ((fr.LayerNorm(3), fr.Linear(4, 2)), "layers[1]: expected 3 features in, which LayerNorm at 0 gives"),
        ((fr.Linear(3, 4), fr.LayerNorm(3)), "layers[1]: expected 4 features in, which Linear at 0 gives"),
        ((fr.EchoState(3, 40, output_size=2), fr.Linear(40, 2)), "layers[1]: expected 2 features in, which EchoState"),
        ((fr.Linear(3, 4), fr.Residual(fr.GRU(5, 5))), "layers[1]: expected 4 features in, which Linear at 0 gives"),
        ((fr.Residual(fr.GRU(5, 5)), fr.Linear(4, 2)), "layers[1]: expected 5 features in, which Residual at 0 gives"),
        ((fr.Linear(3, 4), fr.Sequential(fr.Dropout(), fr.Linear(5, 2))), "got Sequential with 5"),
        ((fr.Sequential(fr.Linear(3, 4), fr.MaxPool()), fr.Linear(5, 2)), "which Sequential at 0 gives, got Linear"),
        ((fr.Linear(3, 4), Double(), fr.Linear(4, 2)), "layers[2]: expected 8 features in, which Double at 1 gives"),
    ],
    ids=str,
)  # fmt: skip
def test_a_layer_that_cannot_read_the_one_before_is_refused_when_built(layers, message):
    with refused(ValueError, message):
        fr.Sequential(*layers)


def test_what_does_not_say_is_not_checked(rng):
    """Behind a layer of one's own nobody knows; dropout in front reads anything; a Residual reads what it holds."""
    x = np.ones((6, 2, 3), np.float32)
    for layers in (
        (fr.Linear(3, 4), Scale(4, 5), fr.Linear(5, 2)),
        (fr.Linear(3, 4), fr.Sequential(Scale(4, 4), fr.GRU(4, 2))),
        (fr.Dropout(), fr.Linear(3, 2)),
        (Double(0.0), fr.Linear(3, 2)),
        (fr.GRU(3, 4, bidirectional=True), fr.LastStep(bidirectional=True), fr.Linear(8, 2)),
    ):
        model = fr.Sequential(*layers)
        assert model(x)[0].shape[-1] == 2 and model.features_after(3) == 2
    assert fr.Sequential(fr.Dropout(), fr.Residual(fr.GRU(3, 3))).features_in == 3
    assert fr.Sequential(fr.Dropout(), fr.MeanPool()).features_in is None
    assert fr.Sequential(Double(), fr.Linear(3, 2)).features_in is None
    assert fr.Sequential(fr.Embedding(9, 4), fr.Linear(4, 2)).features_in is None


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
        ([fr.Linear], "the class Linear", 0),
        ([linear, "tanh"], "str", 1),
        ([[linear]], "list", 0),
    ]:
        with refused(TypeError, "layers: expected layers", f"got {came} at position {position}"):
            fr.Sequential(*layers)


def test_an_empty_sequential_is_refused():
    with refused(ValueError, "layers: expected at least one layer"):
        fr.Sequential()


# -- lengths ---------------------------------------------------------------------------------------


def test_lengths_go_to_the_layers_that_read_them_until_time_ends(rng):
    """Through layers that have none, and through nested models; never beyond pooling."""
    x, lengths = rng.standard_normal((5, 3, 4)).astype(np.float32), [5, 0, 2]
    gru, linear = fr.GRU(4, 4, seed=0), fr.Linear(4, 4, seed=1)
    by_hand = fr.MeanPool()(linear(gru(x, None, lengths)[0]), lengths)
    encoders = [
        fr.Sequential(gru, linear, fr.MeanPool()),
        fr.Sequential(fr.Sequential(gru, linear), fr.Sequential(fr.MeanPool())),
        fr.Sequential(fr.Sequential(fr.Sequential(gru), linear, fr.MeanPool())),
    ]
    for encoder in encoders:
        assert encoder.takes_lengths and encoder.lengths_after(lengths) is None
        assert_same_bits(encoder(x, None, lengths)[0], by_hand)
        decoder = fr.Sequential(encoder, fr.RepeatVector(2), fr.GRU(4, 3, seed=2))
        expected = decoder.layers[2](fr.RepeatVector(2)(by_hand))[0]
        assert_same_bits(decoder(x, None, lengths)[0], expected)  # lengths up to 5 would be refused there
        assert_same_bits(decoder.forward(x, None, lengths)[0], expected)
    keeps = fr.Sequential(gru, fr.Dropout(), fr.LayerNorm(4), linear)
    assert keeps.lengths_after(lengths) is lengths
    assert not fr.Sequential(linear, fr.RepeatVector(2)).takes_lengths


@pytest.mark.parametrize("lengths", [None, [3, 0, 2]], ids=["full", "ragged"])
@pytest.mark.parametrize("pool", [fr.LastStep, fr.MeanPool, fr.MaxPool])
def test_gradients_through_every_kind_of_layer_match_central_differences(pool, lengths, rng):
    """Residual, dropout (of p = 0), normalization, pooling and repetition between recurrent layers."""
    own = {"dtype": np.float64}
    model = fr.Sequential(
        fr.Residual(fr.Sequential(fr.GRU(3, 2, bidirectional=True, seed=0, **own), fr.Linear(4, 3, seed=1, **own))),
        fr.Dropout(0, **own),
        fr.LayerNorm(3, **own),
        pool(**own),
        fr.RepeatVector(2, **own),
        fr.LSTM(3, 2, seed=2, **own),
    )
    x, dy = rng.standard_normal((3, 3, 3)), rng.standard_normal((2, 3, 2))
    dx, _ = model.backward(model.forward(x, None, lengths)[2], dy)
    loss = lambda: (model(x, None, lengths)[0] * dy).sum()  # noqa: E731
    assert_slopes(dx, loss, x, "x")
    for name, grad in snapshot(model.grads).items():
        assert_slopes(grad, loss, model.params[name], name)


# -- Residual --------------------------------------------------------------------------------------


def inner_layers(**own):
    """Layers that keep the shape (5, 3, 4), in either layout."""
    return {
        "linear": fr.Linear(4, 4, seed=0, **own),
        "dropout": fr.Dropout(0, **own),
        "norm": fr.LayerNorm(4, **own),
        "gru": fr.GRU(4, 2, bidirectional=True, seed=0, **own),
        "lstm": fr.LSTM(4, 4, 2, seed=0, **own),
        "sequential": fr.Sequential(fr.LSTM(4, 2, seed=0, **own), fr.Linear(2, 4, seed=1, **own)),
        "residual": fr.Residual(fr.Sequential(fr.Linear(4, 4, seed=0, **own), fr.RNN(4, 4, seed=1, **own))),
        "no time": fr.Sequential(fr.Linear(4, 4, seed=0, **own), fr.LayerNorm(4, **own)),
        "repeated": fr.Sequential(fr.GRU(4, 4, seed=0, **own), fr.MaxPool(**own), fr.RepeatVector(5, **own)),
    }


@pytest.fixture(params=inner_layers())
def inner(request):
    """Make a layer that keeps the shape (5, 3, 4)."""
    return lambda **own: inner_layers(**own)[request.param]


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def assert_same_results(actual, expected):
    for a, b in zip(flat(actual), flat(expected), strict=True):
        assert_same_bits(a, b)


def test_a_residual_adds_x(inner, dtype, rng):
    """y, dx, states and gradients are those of the layer, plus x and dy."""
    layer, other = inner(dtype=dtype), inner(dtype=dtype)
    residual = fr.Residual(layer)
    x, dy = rng.standard_normal((2, 5, 3, 4)).astype(dtype)
    y, *state, tape = residual.forward(x)
    expected, *expected_state, expected_tape = other.forward(x)
    assert_same_bits(y, x + expected)
    assert_same_results(tuple(state), tuple(expected_state))
    assert_same_results(residual(x), (y, *state) if state else y)
    dx, *dstate = as_tuple(residual.backward(tape, dy))
    expected, *expected_dstate = as_tuple(other.backward(expected_tape, dy))
    assert_same_bits(dx, expected + dy)
    assert_same_results(tuple(dstate), tuple(expected_dstate))
    assert_same_arrays(residual.grads, other.grads)
    assert list(residual.params) == list(layer.params) and residual.stateful == layer.stateful
    assert all(residual.params[name] is layer.params[name] for name in layer.params)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", ["gru", "sequential", "residual"])
def test_a_residual_of_a_layer_with_lengths_is_0_beyond_them(kind, batch_first, rng):
    """Whatever x and dy hold there; a row has the bits of the row alone, and the gradients of the sum of the rows."""
    make = lambda: fr.Residual(  # noqa: E731
        {
            "gru": lambda: fr.GRU(4, 4, batch_first=batch_first, seed=0),
            "sequential": lambda: fr.Sequential(
                fr.Dropout(0), fr.GRU(4, 4, batch_first=batch_first, seed=0), fr.Linear(4, 4, seed=1)
            ),
            "residual": lambda: fr.Residual(fr.GRU(4, 4, batch_first=batch_first, seed=0)),
        }[kind]()
    )
    residual, lengths = make(), [2, 0, 5]
    x, dy = rng.standard_normal((2, 5, 3, 4)).astype(np.float32)
    for n, end in enumerate(lengths):
        x[end:, n], dy[end:, n] = np.nan, 1e9
    turn = (lambda array: array.swapaxes(0, 1)) if batch_first else (lambda array: array)
    y, _, tape = residual.forward(turn(x), lengths=lengths)
    assert_same_bits(residual(turn(x), None, lengths)[0], y)
    dx, _ = residual.backward(tape, turn(dy))
    y, dx = turn(y), turn(dx)
    alone = make()
    for n, end in enumerate(lengths):
        assert not y[end:, n].any() and not dx[end:, n].any()
        y_n, _, tape = alone.forward(x[:end, n])
        assert_same_bits(y_n, y[:end, n])
        assert_same_bits(alone.backward(tape, dy[:end, n])[0], dx[:end, n])
    for name, grad in residual.grads.items():
        assert_close(grad, alone.grads[name], np.float32, backward=True, terms=15, steps=5, what=name)


@pytest.mark.parametrize("lengths", [None, [5, 0, 2]], ids=["full", "ragged"])
def test_gradients_of_a_residual_match_central_differences(inner, lengths, rng):
    """Of x, the initial state and the parameters, from y and the final state."""
    residual = fr.Residual(inner(dtype=np.float64))
    given = {"lengths": lengths} if residual.stateful else {}
    x, dy = rng.standard_normal((2, 5, 3, 4))
    y, *final, tape = residual.forward(x, **given)
    state, dstate = ([rng.standard_normal(array.shape) for array in flat(tuple(final))] for _ in range(2))

    def like(arrays, example):
        """The arrays, in order, in the form of a state."""
        arrays = iter(arrays)
        put = lambda part: next(arrays) if isinstance(part, np.ndarray) else tuple(map(put, part))  # noqa: E731
        return put(example)

    initial = [like(state, final[0])] if final else []

    def loss():
        y, *final = as_tuple(residual(x, *initial, **given))
        return sum((a * b).sum() for a, b in zip([y, *flat(tuple(final))], [dy, *dstate], strict=True))

    tape = residual.forward(x, *initial, **given)[-1]
    dx, *dinitial = as_tuple(residual.backward(tape, dy, *([like(dstate, final[0])] if final else [])))
    assert_slopes(dx, loss, x, "x")
    for actual, array in zip(flat(tuple(dinitial)), state, strict=True):
        assert_slopes(actual, loss, array, "state")
    for name, grad in snapshot(residual.grads).items():
        assert_slopes(grad, loss, residual.params[name], name)


def test_a_residual_in_a_sequential(rng):
    """It has its state and its lengths there, and its parameters under its position."""
    residual = fr.Residual(fr.LSTM(4, 4, seed=0))
    model = fr.Sequential(fr.Residual(fr.Linear(4, 4, seed=1)), residual, fr.LastStep())
    x, lengths = rng.standard_normal((5, 3, 4)).astype(np.float32), [5, 0, 2]
    assert list(model.params)[:3] == ["0.weight", "0.bias", "1.weight_ih_l0"]
    y, (state,) = model(x, None, lengths)
    sequence, expected = residual(model.layers[0](x), None, lengths)
    assert_same_results(state, expected)
    assert_same_bits(y, fr.LastStep()(sequence, lengths))
    _, _, tape = model.forward(x, (state,), lengths)
    wrong = (np.ones((1, 3, 9), np.float32),) * 2
    with refused(ValueError, "dstate[h]: expected (1, 3, 4)", "got (1, 3, 9)"):
        model.backward(tape, y, (wrong,))
    assert not any(grad.any() for grad in model.grads.values())
    dx, ((dh, dc),) = model.backward(tape, y, (state,))
    assert dx.shape == x.shape and dh.shape == dc.shape == (1, 3, 4)


@pytest.mark.parametrize(
    ("layer", "x", "words"),
    [
        (fr.Linear(4, 3, seed=0), np.ones((5, 2, 4), np.float32), ["x, (5, 2, 4)", "got (5, 2, 3) from Linear("]),
        (fr.GRU(4, 4, bidirectional=True), np.ones((5, 2, 4), np.float32), ["x, (5, 2, 4)", "got (5, 2, 8) from GRU("]),
        (fr.LastStep(), np.ones((5, 2, 4), np.float32), ["x, (5, 2, 4)", "got (2, 4) from LastStep("]),
        (fr.RepeatVector(2), np.ones((2, 4), np.float32), ["x, (2, 4)", "got (2, 2, 4) from RepeatVector("]),
        (fr.Linear(4, 1, seed=0), np.ones((1, 4), np.float32), ["x, (1, 4)", "got (1, 1) from Linear("]),
    ],
    ids=["linear", "gru", "last step", "repeat", "one that would be spread"],
)
def test_a_residual_of_another_shape_is_refused(layer, x, words):
    residual = fr.Residual(layer)
    for method in (residual, residual.forward):
        with refused(ValueError, "layer: expected y to have the shape of", *words):
            method(x)


def test_what_a_residual_cannot_take_is_refused():
    for value, came in [
        (None, "NoneType"),
        (fr.Linear, "the class Linear"),
        ("tanh", "str"),
        ([fr.Linear(2, 2)], "list"),
    ]:
        with refused(TypeError, "layer: expected Layer", f"got {came}"):
            fr.Residual(value)
    tokens = np.array([[1, 2], [3, 4]])
    with refused(TypeError, "x: expected float32", "got int64"):
        fr.Residual(fr.Embedding(5, 2))(tokens)
    x = np.ones((5, 3, 4), np.float32)
    with refused(ValueError, "lengths: expected (3,), one for each row of the batch, got (2,)"):
        fr.Residual(fr.GRU(4, 4))(x, lengths=[1, 2])
    with refused(TypeError, "lengths"):
        fr.Residual(fr.Linear(4, 4))(x, lengths=[1, 2, 3])  # it has none


def test_after_a_refused_gradient_the_tape_of_a_residual_still_works(rng):
    residual, other = (fr.Residual(fr.GRU(4, 4, seed=0)) for _ in range(2))
    x = rng.standard_normal((5, 3, 4)).astype(np.float32)
    y, _, tape = residual.forward(x)
    with refused(ValueError, "dy: expected (5, 3, 4)", "got (3, 4)"):
        residual.backward(tape, y[0])
    with refused(TypeError, "dy: expected float32", "got float64"):
        residual.backward(tape, y.astype(np.float64))
    with refused(ValueError, "dstate: expected (1, 3, 4)", "got (3, 4)"):
        residual.backward(tape, y, y[0])
    assert not any(grad.any() for grad in residual.grads.values())
    dx, _ = residual.backward(tape, y)
    assert_same_bits(dx, other.backward(other.forward(x)[2], y)[0])
    assert_same_arrays(residual.grads, other.grads)


def test_inside_names_the_tapes_of_the_layers():
    """The names are the prefixes in params; a Residual adds none. Each tape is its layer's own."""
    model = fr.Sequential(fr.Residual(fr.GRU(3, 3, seed=0)), fr.Linear(3, 2, seed=1))
    x = np.ones((5, 2, 3), np.float32)
    *_, tape = model.forward(x)
    (name, residual, its_tape), (other, linear, _) = model.child_tapes(tape)
    assert (name, residual, other, linear) == ("0", model.layers[0], "1", model.layers[1])
    ((inner, gru, gru_tape),) = residual.child_tapes(its_tape)
    assert inner == "" and gru is residual.layer
    assert_same_bits(steps(gru, gru_tape)["h"][0, 0], gru(x)[0])
    assert gru.child_tapes(gru_tape) == []
    model.backward(tape, np.ones((5, 2, 2), np.float32))
    with refused(ValueError, "tape: it has been used"):
        model.child_tapes(tape)
