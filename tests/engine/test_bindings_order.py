# SPDX-License-Identifier: BSD-3-Clause
"""Orders of rows by their lengths are what NumPy computes."""

import numpy as np
import pytest

from fastrnn import _core

KINDS = {"none": [], "one": [3], "equal": [4, 4, 4], "empty rows": [0, 2, 0, 1], "mixed": [3, 7, 1, 7, 2, 3]}


def numbers(block):
    return np.frombuffer(block, np.intp)


def expected_order(lengths, T):
    rows = np.argsort(-lengths, kind="stable")
    running = [np.count_nonzero(lengths > step) for step in range(T)]
    return np.concatenate([rows, lengths[rows], np.cumsum([0, *running]), np.argsort(rows)])


@pytest.mark.parametrize("longer", [0, 2])
@pytest.mark.parametrize("lengths", KINDS.values(), ids=KINDS)
def test_rows_are_sorted_stably_by_length(lengths, longer):
    lengths = np.array(lengths, np.intp)
    T = max(lengths, default=0) + longer
    np.testing.assert_array_equal(numbers(_core.sorted_by_length(lengths, T)), expected_order(lengths, T))


def test_the_places_of_steps_pack_rows_that_lie_one_after_another():
    lengths = np.array(KINDS["mixed"], np.intp)
    values = np.concatenate([10 * n + np.arange(length) for n, length in enumerate(lengths)])
    shortest, longest, block = _core.packing(lengths, lengths.sum())
    order = numbers(block)
    known = expected_order(lengths, 7)
    rows, packed = known[: len(lengths)], values[order[len(known) :]]
    steps = [10 * n + step for step in range(7) for n in rows if lengths[n] > step]
    np.testing.assert_array_equal(order[: len(known)], known)
    np.testing.assert_array_equal(packed, steps)
    assert (shortest, longest) == (1, 7)
    assert len(numbers(_core.packing(lengths, lengths.sum() - 1)[2])) == len(known)


@pytest.mark.parametrize(("lengths", "T", "got"), [([2, -1], 3, -1), ([2, 4], 3, 4), ([2**62, 2**62, 2**62], 3, 2**62)])
def test_lengths_out_of_range_are_refused(lengths, T, got):
    with pytest.raises(ValueError, match=rf"^lengths: expected 0\.\.{T}, got {got} for row"):
        _core.sorted_by_length(np.array(lengths, np.intp), T)


@pytest.mark.parametrize("T", [-1, np.iinfo(np.intp).max // 2])
def test_sizes_that_no_memory_holds_are_refused(T):
    """Also if their sum is beyond the largest number."""
    expected = "^order: expected sizes for which there is memory, got "
    with pytest.raises(ValueError, match=f"{expected}0 rows and {T} steps"):
        _core.sorted_by_length(np.zeros(0, np.intp), T)
    with pytest.raises(ValueError, match=f"{expected}3 rows and {T} steps"):
        _core.packing(np.array([T, T, T], np.intp), 100)
    if T > 0:
        with pytest.raises(ValueError, match=f"{expected}{T} rows and 1 steps"):
            _core.order_of_packed(np.array([T], np.intp))


@pytest.mark.parametrize("lengths", [[], [3], [4, 4, 4], [3, 7, 1, 7, 2, 3]], ids=str)
def test_the_order_of_packed_rows_is_that_by_which_they_were_packed(lengths):
    lengths = np.array(lengths, np.intp)
    known = expected_order(lengths, max(lengths, default=0))
    N = len(lengths)
    rows, sizes = known[:N], np.diff(known[2 * N : len(known) - N])
    np.testing.assert_array_equal(numbers(_core.order_of_packed(sizes, rows)), known)
    sorted_rows = expected_order(lengths[rows], len(sizes))
    np.testing.assert_array_equal(numbers(_core.order_of_packed(sizes)), sorted_rows)


@pytest.mark.parametrize(
    ("sizes", "indices"),
    [
        ([3, 0], None),
        ([2, 3], None),
        ([-1], None),
        ([2, 1], [0]),
        ([2, 1], [0, 2]),
        ([2, 1], [1, 1]),
        ([2, 1], [0, -1]),
    ],
)
def test_sizes_and_indices_that_are_no_order_have_none(sizes, indices):
    indices = None if indices is None else np.array(indices, np.intp)
    assert _core.order_of_packed(np.array(sizes, np.intp), indices) is None
