# SPDX-License-Identifier: BSD-3-Clause
"""The gradient of a state alone: `backward` without dy."""

import numpy as np
import pytest
from support.every_layer import LAYERS, each, inputs
from support.layers import argument_refused, assert_same_arrays, assert_same_bits, flat, snapshot

import fastrnn as fr

STATEFUL = {name: case for name, case in LAYERS.items() if case[0](dtype=np.float32, seed=0).stateful}
STATELESS = {name: case for name, case in LAYERS.items() if name not in STATEFUL}
of_ones = lambda state: tuple(map(of_ones, state)) if isinstance(state, tuple) else np.ones_like(state)  # noqa: E731
of_none = lambda state: tuple(map(of_none, state)) if isinstance(state, tuple) else None  # noqa: E731


@pytest.fixture(params=STATEFUL.values(), ids=STATEFUL)
def stateful(request):
    """A layer, and y, the state and the tape of a forward pass."""
    layer = request.param[0](dtype=np.float32, seed=0)
    y, state, *_, tape = layer.forward(*each(inputs(request.param)))
    return layer, y, state, tape, request.param


def test_none_is_zero_bit_for_bit(stateful):
    layer, y, state, tape, case = stateful
    actual = layer.backward(tape, None, of_ones(state))
    grads = snapshot(layer.grads)
    layer.zero_grad()
    tape = layer.forward(*each(inputs(case)))[-1]
    expected = layer.backward(tape, np.zeros_like(y), of_ones(state))
    assert_same_arrays(layer.grads, grads)
    for a, b in zip(flat(actual), flat(expected), strict=True):
        assert a is b is None or a.tobytes() == b.tobytes()
    assert any(array.any() for array in (*grads.values(), *flat(actual)) if array is not None)


def test_no_gradient_at_all_is_an_error_that_leaves_the_tape(stateful):
    layer, y, state, tape, _ = stateful
    for nothing in (None, of_none(state) if type(layer) is fr.Sequential else None):
        with argument_refused(TypeError, "dy", f"expected an array of shape {y.shape}", "no gradient of anything else"):
            layer.backward(tape, None, nothing)
    layer.backward(tape, y)


@pytest.mark.parametrize("case", STATELESS.values(), ids=STATELESS)
def test_a_layer_without_a_state_needs_dy(case):
    layer = case[0](dtype=np.float32, seed=0)
    if not isinstance(layer, fr.Attention):
        y, *_, tape = layer.forward(*each(inputs(case)))
        with argument_refused(TypeError, "dlogits" if isinstance(layer, fr.Seq2Seq) else "dy", "expected an array"):
            layer.backward(tape, None)
        layer.backward(tape, np.ones_like(y))


def test_a_sequential_without_a_state_needs_dy():
    model = fr.Sequential(fr.Linear(3, 2, seed=0))
    _, state, tape = model.forward(np.ones((4, 3), np.float32))
    with argument_refused(TypeError, "dy", "expected an array of shape (4, 2)"):
        model.backward(tape, None, state)


def test_lengths_and_other_layouts():
    """Unbatched, batch first, and rows that end early."""
    for layer, shape, lengths in (
        (fr.LSTM(3, 4, seed=0), (5, 3), None),
        (fr.GRU(3, 4, 2, batch_first=True, bidirectional=True, seed=0), (2, 5, 3), [5, 0]),
        (fr.RNN(3, 4, recompute=True, seed=0), (300, 2, 3), [300, 7]),
    ):
        x = np.ones(shape, np.float32)
        y, state, tape = layer.forward(x, lengths=lengths)
        actual = layer.backward(tape, None, of_ones(state))
        tape = layer.forward(x, lengths=lengths)[-1]
        for a, b in zip(actual, layer.backward(tape, np.zeros_like(y), of_ones(state)), strict=True):
            assert_same_bits(a, b)


def test_the_gradient_of_attention_weights_alone(rng):
    x = rng.standard_normal((3, 2, 3)).astype(np.float32)
    make = LAYERS["AttentionDecoder"][0]
    decoder = make(dtype=np.float32, seed=0)
    results = []
    for dy in (None, np.zeros((3, 2, 5), np.float32)):
        _, _, weights, tape = decoder.forward(x, x)
        results.append(decoder.backward(tape, dy, None, np.cumsum(np.ones_like(weights), axis=-1)))
    for a, b in zip(*results, strict=True):
        assert_same_bits(a, b)
