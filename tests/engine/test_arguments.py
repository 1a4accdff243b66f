# SPDX-License-Identifier: BSD-3-Clause
"""Checks of arguments: each takes what it says and returns it as plain Python has it, and names what it refuses.

Arrays are tested through the layers that take them, in test_arrays.py.
"""

import math
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from fastrnn._engine import arguments

NOT_NUMBERS = ["0.5", b"1", None, True, np.True_, 1j, [0.5, 0.5], object()]
NUMBERS = {  # the check: (what it takes, what is out of its range)
    "as_probability": ([0, 0.5, math.nextafter(1, 0)], [-1e-300, 1, math.nan, math.inf]),
    "as_positive": ([5e-324, 1, 1e308], [0, -1, math.nan, math.inf, 10**400]),
    "as_nonnegative": ([0, 1e308], [-5e-324, math.nan, math.inf, 10**400]),
    "as_fraction": ([5e-324, 1], [0, math.nextafter(1, 2), math.nan, 10**400]),
}


@pytest.mark.parametrize(("check", "value"), [(name, value) for name, (good, _) in NUMBERS.items() for value in good])
def test_a_number_in_range_becomes_a_float(check, value):
    assert type(getattr(arguments, check)("p", value)) is float
    assert getattr(arguments, check)("p", value) == value


@pytest.mark.parametrize(("check", "value"), [(name, value) for name, (_, bad) in NUMBERS.items() for value in bad])
def test_a_number_out_of_range_is_a_value_error(check, value):
    with pytest.raises(ValueError, match=rf"^p: expected a .*, got {re.escape(repr(value))}$"):
        getattr(arguments, check)("p", value)


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda value: repr(value).partition(" at ")[0])
@pytest.mark.parametrize("check", NUMBERS)
def test_anything_but_a_number_is_a_type_error(check, value):
    """Flags and strings are not numbers, though Python would convert some of them."""
    with pytest.raises(TypeError, match=rf"^p: expected a .*, got {re.escape(repr(value))}$"):
        getattr(arguments, check)("p", value)


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.array(0.5), Fraction(1, 2), Decimal("0.5")])
def test_numbers_of_other_libraries_are_taken(value):
    assert arguments.as_fraction("p", value) == 0.5


@pytest.mark.parametrize(
    ("ends", "inside"), [("[]", [0, 0.5, 1]), ("[)", [0, 0.5]), ("(]", [0.5, 1]), ("()", [0.5])], ids=str
)
def test_an_interval_has_the_ends_that_it_says(ends, inside):
    interval = arguments.Interval(0, 1, ends, "a number")
    assert [x for x in (-0.1, 0, 0.5, 1, 1.1, math.nan) if x in interval] == inside


@pytest.mark.parametrize(("value", "low", "size"), [(3, 1, 3), (np.uint8(0), 0, 0), (np.array(7), 7, 7)])
def test_a_size_is_any_integer_that_is_large_enough(value, low, size):
    result = arguments.as_size("n", value, low)
    assert type(result) is int and result == size


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [(0, ValueError, "at least 1, got 0"), (True, TypeError, "an integer, got True"), (2.0, TypeError, "got 2.0")],
)
def test_anything_but_a_size_is_refused(value, error, words):
    with pytest.raises(error, match=f"^n: expected .*{words}$"):
        arguments.as_size("n", value)


@pytest.mark.parametrize("value", [1, 0, "yes", None, np.ones(1, bool)], ids=repr)
def test_only_flags_are_flags(value):
    """An array of one flag is not a flag: it may be a whole mask that somebody forgot to index."""
    with pytest.raises(TypeError, match="^f: expected True or False, got "):
        arguments.as_flag("f", value)
    assert arguments.as_flag("f", np.True_) is True


def test_the_same_seed_gives_the_same_numbers():
    first, second = (arguments.as_rng(5).random(4) for _ in range(2))
    assert (first == second).all() and (first != arguments.as_rng(6).random(4)).any()


def test_rows_that_c_can_walk_are_not_copied():
    """Whole, aligned elements side by side in a row; everything else is a copy that has the same values."""
    array = np.arange(24.0).reshape(4, 6)
    for fine in (array, array[::2], array[:, 1:4], array[::-1]):
        assert arguments.readable(fine) is fine
    for odd in (array[:, ::2], array.T, array[:, ::-1]):
        copy = arguments.readable(odd)
        assert copy.flags.c_contiguous and not np.shares_memory(copy, odd)
        assert (copy == odd).all()
