# SPDX-License-Identifier: BSD-3-Clause
"""The order of rows, which says where C goes: what it may be, and that it is copied."""

import numpy as np
import pytest
from support import bindings
from support.bindings import H, I, ones, order_arrays

from fastrnn import _core


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("rows", [2, 0, 3]),
        ("rows", [2, 0, -1]),
        ("rows", [2, 0, 0]),
        ("rows", [2, 0, 2**62]),
        ("lengths", [7, 4, 1]),
        ("lengths", [4, 6, 1]),
        ("lengths", [6, 4, -1]),
        ("first", [0, 3, 5, 7, 9, 10, 12]),
        ("first", [1, 4, 6, 8, 10, 11, 12]),
        ("first", [0, 0, 0, 0, 0, 0, 0]),
        ("first", [0, 3, 5, 7, 9, 10, 2**62]),
    ],
)
def test_an_order_that_is_none_is_refused(name, values):
    with pytest.raises(ValueError, match=r"^order: expected rows 0\.\.N-1, longest first"):
        bindings.recurrence(order_arrays() | {name: np.array(values, np.intp)})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("source", [0, 3, 0]),
        ("source", [0, -1, 0]),
        ("source", [2**62, 2, 0]),
        ("start", [1, 2, 5]),
        ("start", [0, 3, 5]),
        ("start", [0, -1, 5]),
        ("start", [0, 2, 2**62]),
    ],
)
def test_parts_that_lie_outside_of_rows_are_refused(name, values):
    order = bindings.part_arrays() | {name: np.array(values, np.intp)}
    bindings.forward(bindings.forward_arrays(), recurrence=lambda: bindings.recurrence(bindings.part_arrays()))
    with pytest.raises(ValueError, match=r"^order: expected parts of rows inside \(6, 3\) steps and rows"):
        bindings.forward(bindings.forward_arrays(), recurrence=lambda: bindings.recurrence(order))


def test_packed_sequences_have_the_places_of_the_tape():
    columns, a = tuple(order_arrays().values()), bindings.forward_arrays()
    packed = _core.Recurrence((*columns, None, None), False, 1, True)
    with pytest.raises(ValueError, match=r"^x: expected \(1, 11, 4\), got \(6, 3, 4\)"):
        bindings.forward(a, recurrence=lambda: packed)
    for steps, error in ((bindings.R, None), (bindings.R - 1, "x"), (bindings.R + 1, "x")):
        given = a | {"x": ones(1, steps, I), "y": ones(1, steps, H)}
        if error is None:
            bindings.forward(given, recurrence=lambda: packed)
            with pytest.raises(ValueError, match=r"^y: expected \(1, 11, 5\)"):
                bindings.forward(given | {"y": ones(1, steps - 1, H)}, recurrence=lambda: packed)
        else:
            with pytest.raises(ValueError, match=r"^x: expected \(1, 11, 4\)"):
                bindings.forward(given, recurrence=lambda: packed)
    for order in (None, tuple(bindings.part_arrays().values())):
        with pytest.raises(ValueError, match="^order: expected one of whole rows"):
            _core.Recurrence(order, False, 1, True)


def test_an_order_is_read_when_it_is_given():
    """What is written into its arrays later does not reach C."""
    order = order_arrays()
    recurrence = bindings.recurrence(order)
    for array in order.values():
        array.fill(2**60)
    bindings.forward(bindings.forward_arrays(), recurrence=lambda: recurrence)
