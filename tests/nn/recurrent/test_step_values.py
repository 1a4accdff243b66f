# SPDX-License-Identifier: BSD-3-Clause
"""States and gates that are read from a tape. Their values are tested in tests/inspect/trace/test_trace.py."""

import numpy as np
from support.layers import refused
from support.recurrent import make_layer
from support.resets import random_resets

import fastrnn as fr
from fastrnn.nn._recurrent.step_values import step_values as steps


def test_reading_leaves_the_tape_as_it_is(cell, rng):
    """The gradients are the same with and without it, and the values stay when the tape is used up."""
    layer, x = make_layer(cell, 3, 4, 2, bidirectional=True, seed=0), rng.standard_normal((6, 3, 3)).astype(np.float32)
    dy = rng.standard_normal((6, 3, 8)).astype(np.float32)
    *_, tape = layer.forward(x, lengths=[6, 0, 2])
    result = steps(layer, tape)
    saved = {name: array.copy() for name, array in result.items()}
    dx, _ = layer.backward(tape, dy)
    *_, other = layer.forward(x, lengths=[6, 0, 2])
    np.testing.assert_array_equal(dx, layer.backward(other, dy)[0])
    for name, array in result.items():
        np.testing.assert_array_equal(array, saved[name])
    with refused(ValueError, "tape: it has been used"):
        steps(layer, tape)


def test_a_tape_of_another_layer_is_refused():
    layer, other = fr.GRU(3, 4, seed=0), fr.GRU(3, 4, seed=0)
    *_, tape = layer.forward(np.zeros((5, 1, 3), np.float32))
    with refused(ValueError, "tape: expected one that this GRU made"):
        steps(other, tape)


def test_a_tape_without_gates_is_refused():
    """recompute=True saves states only, unless the sequence is shorter than a block."""
    layer = fr.LSTM(3, 4, recompute=True, seed=0)
    *_, short = layer.forward(np.zeros((5, 1, 3), np.float32))
    assert steps(layer, short)["f"].shape == (1, 1, 5, 1, 4)
    *_, tape = layer.forward(np.zeros((5000, 1, 3), np.float32))
    with refused(ValueError, "tape: expected one that holds gates, got one of a layer with recompute=True"):
        steps(layer, tape)


def test_values_at_steps_of_sequences_with_resets(rng):
    """They are where x is, however a row is cut; h is the output."""
    lstm = fr.LSTM(3, 4, bidirectional=True, seed=0)
    x, resets = rng.standard_normal((9, 3, 3)).astype(np.float32), random_resets(9, 3, rng)
    y, _, tape = lstm.forward(x, lengths=[9, 5, 7], resets=resets)
    h = np.nan_to_num(steps(lstm, tape)["h"][0])
    np.testing.assert_array_equal(h[0], y[..., :4])
    np.testing.assert_array_equal(h[1], y[..., 4:])
    _, _, tape = lstm.forward(fr.pack_sequence([x[:, 0], x[:4, 1]]))
    with refused(TypeError, "packed sequence"):
        steps(lstm, tape)
