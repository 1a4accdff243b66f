# SPDX-License-Identifier: BSD-3-Clause
"""across.h: gradients of weights that are computed as transposed products have the bits of the others.

A layer with one more unit, whose weights and gradients are 0, has no whole vectors of units: its gradients come from
grads.h.
"""

import numpy as np
import pytest
from support.engines import VECTOR_BYTES
from support.recurrent import as_tuple, make_layer, random_lengths, random_state, sequence

import fastrnn as fr


def widened(array, shape):
    """The array at the beginning of zeros of that shape, in every gate."""
    wide = np.zeros(shape, array.dtype)
    wide[tuple(slice(n) for n in array.shape)] = array
    return wide


def gates_of(layer, name, array):
    """A parameter or its gradient as (G, H, ..), and how it is when H is one more."""
    H = layer.hidden_size
    parts = array.reshape(-1, H, *array.shape[1:])
    more = [n + (axis == 1 or (axis == 2 and "_hh" in name)) for axis, n in enumerate(parts.shape)]
    return parts, tuple(more)


def with_a_unit_more(cell, layer):
    wide = make_layer(cell, layer.input_size, layer.hidden_size + 1, dtype=layer.dtype)
    for name, array in layer.params.items():
        parts, more = gates_of(layer, name, array)
        wide.params[name][:] = widened(parts, more).reshape(wide.params[name].shape)
    return wide


def gradients(layer, x, state, lengths, dy):
    _, _, tape = layer.forward(x, state, lengths)
    layer.zero_grad()
    layer.backward(tape, dy)
    return dict(layer.grads)


def same_both_ways(cell, dtype, sizes, rng, ragged=False):
    T, N, I, H = sizes
    layer = make_layer(cell, I, H, dtype=dtype, seed=1)
    wide = with_a_unit_more(cell, layer)
    x, dy = sequence(rng, T, N, I, dtype=dtype), sequence(rng, T, N, H, dtype=dtype)
    state = random_state(layer, N, rng)
    wide_state = tuple(widened(part, (1, N, H + 1)) for part in as_tuple(state))
    lengths = random_lengths(T, N, rng) if ragged else None
    ours = gradients(layer, x, state, lengths, dy)
    theirs = gradients(
        wide, x, wide_state if len(wide_state) > 1 else wide_state[0], lengths, widened(dy, (T, N, H + 1))
    )
    for name, array in ours.items():
        parts, more = gates_of(layer, name, array)
        rest = theirs[name].reshape(more)[tuple(slice(n) for n in parts.shape)]
        np.testing.assert_array_equal(parts, rest, err_msg=name)


@pytest.mark.parametrize("I", [1, 12, 70])
@pytest.mark.parametrize("vectors", [1, 2, 3])
def test_the_bits_are_those_of_the_other_way(isa, dtype, cell, vectors, I, rng):
    """With more rows of the tape than go together (256), and a last few that are fewer than are worth it."""
    same_both_ways(cell, dtype, (53, 5, I, vectors * VECTOR_BYTES[isa] // np.dtype(dtype).itemsize), rng)


def test_long_rows_of_the_tape(isa, dtype, cell, rng):
    """Few columns of x go this way, and h does not."""
    same_both_ways(cell, dtype, (8, 5, 2, 576), rng)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_lengths_and_threads(isa, cell, threads, rng):
    with fr.threads(threads):
        same_both_ways(cell, np.float32, (20, 40, 3, 64), rng, ragged=True)
