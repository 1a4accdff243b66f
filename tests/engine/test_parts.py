# SPDX-License-Identifier: BSD-3-Clause
"""Where resets cut rows into parts, and how states enter and leave them."""

import numpy as np

from fastrnn._engine.parts import cut
from fastrnn._engine.ragged import Rows

RESETS = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 1], [0, 1, 0, 1]], bool)  # (T, N)
LENGTHS = np.array([4, 3, 4, 0])


def test_the_parts_cover_every_row_once_in_order():
    parts, steps = cut(LENGTHS, RESETS)
    assert [*zip(parts.source.tolist(), parts.start.tolist(), steps.tolist(), strict=True)] == [
        (0, 0, 2),
        (0, 2, 2),
        (1, 0, 3),  # its reset at time 3 is beyond its end
        (2, 0, 4),
    ]
    assert (parts.some.tolist(), parts.fresh.tolist()) == ([True, True, True, False], [False, True, False, False])


def test_the_order_is_that_of_the_parts_longest_first():
    order = Rows(LENGTHS, RESETS).order(4)
    assert order.lengths.tolist() == [4, 3, 2, 2]
    assert order.source.tolist() == [2, 1, 0, 0]
    assert order.start.tolist() == [0, 0, 0, 2]
    assert np.diff(order.first).tolist() == [4, 4, 2, 1]


def test_states_enter_and_leave_at_the_ends_of_rows():
    parts, _ = cut(LENGTHS, RESETS)
    h = np.arange(1.0, 9.0).reshape(4, 2)
    entered, nothing = parts.of_rows((h, None), at_start=True)
    assert nothing is None
    np.testing.assert_array_equal(entered, [h[0], [0, 0], [0, 0], h[2]])  # row 1 is fresh
    entered, _ = parts.of_rows((h, None), at_start=False)
    np.testing.assert_array_equal(entered, [[0, 0], h[0], h[1], h[2]])
    out = np.full((4, 2), np.nan)
    parts.to_rows((entered * 10, None), (h, None), (out, None), at_start=False)
    np.testing.assert_array_equal(out, [h[0] * 10, h[1] * 10, h[2] * 10, h[3]])  # row 3 has no steps
    parts.to_rows((entered * 10, None), (None, None), (out, None), at_start=True)
    np.testing.assert_array_equal(out, [[0, 0], [0, 0], h[2] * 10, [0, 0]])


def test_a_slice_of_time_has_its_own_resets():
    inside = Rows(LENGTHS, RESETS).inside(slice(2, 4))
    assert inside.lengths.tolist() == [2, 1, 2, 0]
    np.testing.assert_array_equal(inside.resets, RESETS[2:4])
