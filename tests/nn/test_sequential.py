# SPDX-License-Identifier: BSD-3-Clause
"""Sequential. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import (
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


def test_a_sequential_equals_its_layers_called_by_hand(rng):
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


def test_anything_but_a_layer_is_refused():
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


def test_lengths_go_to_the_layers_that_read_them_up_to_pooling(rng):
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
