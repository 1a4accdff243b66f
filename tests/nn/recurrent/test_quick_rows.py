# SPDX-License-Identifier: BSD-3-Clause
"""The shorter way of small training steps with packed rows, and with lengths of rows that are all full."""

import numpy as np
import pytest
from support.layers import assert_same_bits, flat
from support.recurrent import make_layer, random_state

import fastrnn as fr
from fastrnn.nn._packed import opened
from fastrnn.nn._recurrent.quick import QuickTape
from fastrnn.nn._stateful import StatefulLayer

T, N, I, H = 6, 3, 4, 5
SHAPES = [{}, {"num_layers": 3}, {"bidirectional": True, "num_layers": 2}, {"bias": False}, {"reverse": True}]


def upstream(y):
    return np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)


def passed(layer, passes, x, state, dstate, rows):
    """What two passes return, y, the state and all gradients in one list, and the kind of tape."""
    layer.zero_grad()
    y, final, tape = passes.forward(layer, x, state, rows)
    kind, back = type(tape), layer.backward(tape, upstream(y), dstate)
    return flat([y, final, back, [grad.copy() for grad in layer.grads.values()]]), kind


@pytest.mark.parametrize("options", SHAPES, ids=str)
@pytest.mark.parametrize("with_states", [False, True])
def test_packed_rows_have_the_bits_of_the_general_way(cell, dtype, options, with_states, rng):
    """As a container passes them on: an array, with the rows in place of lengths."""
    layer = make_layer(cell, I, H, seed=1, dtype=dtype, **options)
    state, dstate = (random_state(layer, N, rng) if with_states else None for _ in range(2))
    x, rows, _ = opened(fr.pack_sequence([rng.standard_normal((length, I)).astype(dtype) for length in (2, T, 4)]))
    quick, kind = passed(layer, type(layer), x, state, dstate, rows)
    general, other = passed(layer, StatefulLayer, x, state, dstate, rows)
    assert (kind is QuickTape, other is QuickTape) == (True, False)
    assert_same_bits(quick, general)
    assert_same_bits(layer(x, state, rows), StatefulLayer.__call__(layer, x, state, rows))


@pytest.mark.parametrize("options", SHAPES, ids=str)
def test_a_tape_of_packed_rows_can_be_looked_at(cell, options, rng):
    """It then holds what that of the general way does, and serves afterwards."""
    layer = make_layer(cell, I, H, seed=1, **options)
    x, rows, _ = opened(fr.pack_sequence([rng.standard_normal((n, I)).astype(np.float32) for n in (2, T, 4)]))
    y, _, tape = layer.forward(x, None, rows)
    general = StatefulLayer.forward(layer, x, None, rows)[2]
    ((_, trained),), ((_, other),) = tape._content, general._content
    for k in range(layer.num_layers * layer.num_directions):
        for mine, its in zip(trained.kept.saved(k)[1:7], other.kept.saved(k)[1:7], strict=True):
            assert (mine is None) == (its is None)
            assert mine is None or np.array_equal(mine, its)
    assert_same_bits(*(layer.backward(one, upstream(y)) for one in (tape, general)))


def test_an_order_that_does_not_fit_x_is_refused(rng):
    layer = fr.GRU(I, H, seed=0)
    x, rows, _ = opened(fr.pack_sequence([np.ones((length, I), np.float32) for length in (2, T)]))
    for wrong in (x[:-1], np.concatenate([x, x])):
        with pytest.raises(ValueError, match="x: expected"):
            layer.forward(wrong, None, rows)
    rows.packed.rows[...] = 0
    with pytest.raises(ValueError, match="order: expected rows"):
        layer.forward(x, None, rows)


def test_full_rows_take_the_short_way_whether_lengths_say_so_or_not(rng):
    layer = fr.LSTM(I, H, seed=0, batch_first=True)
    x, full = rng.standard_normal((N, T, I)).astype(np.float32), np.full(N, T)
    (quick, kind), (expected, _) = (passed(layer, type(layer), x, None, None, rows) for rows in (full, None))
    assert kind is QuickTape
    assert_same_bits(quick, expected)
    assert passed(layer, type(layer), x, None, None, full - [0, 1, 0])[1] is not QuickTape
    for wrong, error in ((full + 1, ValueError), (full[:-1], ValueError), (full.astype(float), TypeError)):
        with pytest.raises(error, match="lengths: expected"):
            layer.forward(x, lengths=wrong)


@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_of_a_single_sequence_are_not_those_of_its_features(batch_first):
    """Three lengths of five steps do not fit a sequence (5, 3), although three features of five steps are full rows."""
    x, lengths = np.ones((3, 5) if batch_first else (5, 3), np.float32), np.full(3, 5)
    layer = fr.GRU(x.shape[1], H, seed=0, batch_first=batch_first)
    for run in layer, layer.forward:
        with pytest.raises(ValueError, match=r"lengths: expected \(1,\), one for each row of the batch, got \(3,\)"):
            run(x, lengths=lengths)
