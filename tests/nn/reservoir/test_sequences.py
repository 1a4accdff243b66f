# SPDX-License-Identifier: BSD-3-Clause
"""Sequences with their targets, and lists of them. What a user sees of them is in test_echo_state.py."""

import numpy as np
from support.layers import refused

from fastrnn.nn._reservoir import sequences


def test_padded_sequences_stand_side_by_side(rng):
    """Their lengths say where each ends; beyond that the arrays are 0."""
    arrays = [rng.standard_normal((T, 3)).astype(np.float32) for T in (4, 1, 0, 6)]
    padded, lengths = sequences.pad(arrays)
    assert padded.shape == (6, 4, 3) and padded.dtype == np.float32
    assert lengths.tolist() == [4, 1, 0, 6]
    for k, array in enumerate(arrays):
        assert (padded[: len(array), k] == array).all() and not padded[len(array) :, k].any()


def test_a_long_list_goes_in_groups(rng):
    """Every sequence is in one of them, in order."""
    x = [np.full((1 + k % 3, 2), k, np.float64) for k in range(2 * sequences.GROUP + 5)]
    y = [np.full((1 + k % 3, 1), -k, np.float64) for k in range(len(x))]
    result = list(sequences.batches(x, y, None, (2, 1), 0, np.dtype(np.float64), False))
    assert [a.shape[1] for a, _, _ in result] == [sequences.GROUP, sequences.GROUP, 5]
    assert [int(k) for a, _, _ in result for k in a[0, :, 0]] == list(range(len(x)))
    assert [int(-k) for _, b, _ in result for k in b[0, :, 0]] == list(range(len(x)))
    assert [int(n) for *_, lengths in result for n in lengths] == [len(a) for a in x]


def test_one_array_keeps_its_layout(rng):
    """Batch first, or without a batch: the result is time-major."""
    x, y = rng.standard_normal((4, 7, 2)), rng.standard_normal((4, 7, 1))
    ((a, b, lengths),) = sequences.batches(x, y, None, (2, 1), 6, np.dtype(np.float64), True)
    assert (a == x.swapaxes(0, 1)).all() and (b == y.swapaxes(0, 1)).all() and lengths.tolist() == [7] * 4
    ((a, b, lengths),) = sequences.batches(x[0], y[0], None, (2, 1), 6, np.dtype(np.float64), True)
    assert (a[:, 0] == x[0]).all() and (b[:, 0] == y[0]).all() and lengths.tolist() == [7]


def test_clear_writes_zeros_beyond_the_lengths_even_over_nan():
    rows = np.full((3, 2, 1), np.nan)
    sequences.clear(rows, np.array([1, 3]))
    assert np.isnan(rows[:1, 0]).all() and np.isnan(rows[:, 1]).all() and not rows[1:, 0].any()
    sequences.clear(rows, None)
    assert np.isnan(rows[:, 1]).all()


def test_what_is_not_finite_is_named():
    assert sequences.finite("x", np.ones(3)).tolist() == [1, 1, 1]
    for wrong in (np.nan, np.inf, -np.inf):
        with refused(ValueError, "x: expected finite numbers"):
            sequences.finite("x", np.array([1, wrong]))
