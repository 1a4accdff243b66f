# SPDX-License-Identifier: BSD-3-Clause
"""forward.h: the forward time loop of every cell, on every engine, against the NumPy reference in float64."""

import numpy as np
import pytest
from support.recurrent import SHAPES, as_tuple, make_layer, random_lengths, random_state, run_reference
from support.tolerance import assert_close


def check(cell, dtype, shape, rng, **options):
    T, N, I, H = shape
    layer = make_layer(cell, I, H, dtype=dtype, seed=1, **options)
    x = rng.standard_normal((T, N, I)).astype(dtype)
    for lengths in (None, random_lengths(T, N, rng)):
        for state in (None, random_state(layer, N, rng)):
            y, final = layer(x, state, lengths)
            expected, expected_final = run_reference(cell, layer, x, state, lengths)
            wide = {"bidirectional": layer.bidirectional, "terms": I + H, "steps": T}
            assert_close(y, expected, dtype, **wide, what="y")
            for part, ours, theirs in zip("hc", as_tuple(final), as_tuple(expected_final), strict=False):
                assert_close(ours, theirs, dtype, **wide, what=part)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_and_states_equal_the_reference(isa, dtype, cell, shape, rng):
    check(cell, dtype, shape, rng)


def test_reverse_direction_starts_at_the_end_of_each_row(isa, dtype, cell, rng):
    check(cell, dtype, (6, 5, 3, 18), rng, bidirectional=True)


def test_without_biases(isa, dtype, cell, rng):
    check(cell, dtype, (4, 3, 5, 19), rng, bias=False)


def test_many_chunks_of_time(isa, dtype, cell, rng):
    """So many steps that the tiles of the input projection are made in several chunks."""
    check(cell, dtype, (600, 2, 3, 40), rng)


def test_training_and_inference_have_the_same_bits(isa, dtype, cell, rng):
    layer = make_layer(cell, 5, 21, 2, bidirectional=True, dtype=dtype, seed=2)
    x = rng.standard_normal((11, 7, 5)).astype(dtype)
    state, lengths = random_state(layer, 7, rng), random_lengths(11, 7, rng)
    y, final = layer(x, state, lengths)
    y_training, final_training, _ = layer.forward(x, state, lengths)
    np.testing.assert_array_equal(y_training, y)
    for ours, theirs in zip(as_tuple(final_training), as_tuple(final), strict=True):
        np.testing.assert_array_equal(ours, theirs)
