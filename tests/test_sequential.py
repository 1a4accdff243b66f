# SPDX-License-Identifier: BSD-3-Clause
"""Sequential. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from layer_cases import (
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

import fastrnn as fr


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
