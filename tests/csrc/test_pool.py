# SPDX-License-Identifier: BSD-3-Clause
"""The largest value over time, and the first step that has it: the same as NumPy's, on every engine."""

import numpy as np
import pytest

from fastrnn import _core
from fastrnn._engine.pooling import largest, largest_packed
from fastrnn._engine.ragged import Order, sorted_by_length


def by_numpy(x, lengths):
    """Row by row. NumPy's argmax takes the first NaN, too."""
    _, N, F = x.shape
    values, steps = np.zeros((N, F), x.dtype), np.zeros((N, F), np.intp)
    for n in np.flatnonzero(lengths):
        steps[n] = x[: lengths[n], n].argmax(axis=0)
        values[n] = x[steps[n], n, np.arange(F)]
    return values, steps


def numbers(T, N, F, dtype, rng):
    """Few different ones, so that many are equal; some are NaN, infinite, or too small to be normal."""
    odd = np.array([0.0, -0.0, 1.0, -1.0, -np.inf, np.finfo(dtype).smallest_subnormal, 2.0], dtype)
    x = rng.choice(odd, (T, N, F))
    x[rng.random(x.shape) < 0.02] = np.nan
    return x


@pytest.mark.parametrize(("T", "N", "F"), [(1, 1, 1), (7, 3, 5), (12, 4, 16), (9, 2, 17), (30, 5, 40)])
def test_full_rows_of_any_layout_are_those_of_numpy(T, N, F, isa, dtype, rng):
    x, lengths = numbers(T, N, F, dtype, rng), rng.integers(0, T + 1, N)
    expected = by_numpy(x, lengths)
    by_row = np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2)
    for each in (x, by_row, x[::-1].copy()[::-1], np.repeat(x, 2, axis=2)[:, :, ::2]):
        for found, wanted in zip(largest(each, lengths), expected, strict=True):
            assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(("T", "N", "F"), [(1, 1, 1), (7, 3, 5), (30, 5, 40)])
def test_packed_rows_are_those_of_numpy(T, N, F, isa, dtype, rng):
    """Places are of the packed array."""
    x, lengths = numbers(T, N, F, dtype, rng), rng.integers(1, T + 1, N)
    lengths[0] = T
    order = Order(*sorted_by_length(lengths, T))
    packed = np.concatenate([x[t, order.rows[: int((lengths > t).sum())]] for t in range(T)])
    y, places = largest_packed(packed, order)
    assert y.tobytes() == by_numpy(x, lengths)[0][order.rows].tobytes()
    assert packed[places, np.arange(F)].tobytes() == y.tobytes()
    assert y.tobytes() == largest(x, lengths)[0][order.rows].tobytes()


@pytest.mark.parametrize(
    ("first", "lengths", "words"),
    [
        ([0, 2, 5, 5], [2, 2], "first: expected no more rows at step 1 than before, got 3"),
        ([0, 2, 1, 5], [2, 2], "first: expected rising numbers from 0 on, got 2 and 1"),
        ([1, 2, 3, 5], [2, 2], "first: expected rising numbers from 0 on, got 1 and 2"),
        ([0, 2, 4, 5], [2, 3], "lengths: expected the longest first, got 3 for row 1, which does not run so long"),
        ([0, 2, 4, 5], [4, 2], "lengths: expected 0..3, got 4"),
        ([0, 2, 4, 4], [2, 2], r"x: expected a C-ordered \(4, 6\) of float32, got \(5, 6\)"),
    ],
)
def test_no_row_outside_a_packed_array_is_read(first, lengths, words):
    y, steps = np.ones((2, 6), np.float32), np.zeros((2, 6), np.intp)
    with pytest.raises(ValueError, match=words):
        _core.max_pool(np.ones((5, 6), np.float32), np.array(first), np.array(lengths), y, steps)
