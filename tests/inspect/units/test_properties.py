# SPDX-License-Identifier: BSD-3-Clause
"""Properties of texts and signals, each against a marked text."""

import numpy as np
import pytest
from support.layers import refused

from fastrnn import inspect
from fastrnn.inspect import PROPERTIES, bracket_depth, falling, rising
from fastrnn.inspect._units import properties


def marked(name, text):
    """The text with x where the property holds."""
    return "".join("-x"[int(value)] for value in PROPERTIES[name](text))


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("inside_quotes", 'a "b c" d"e', "--xxxx---xx"),
        ("inside_quotes", "it's \u201cso \u201cdeep\u201d!\u201d", "-----xxxxxxxxxxx-"),
        ("inside_quotes", "no \u00abx\u00bb \u201d\u201cy", "---xx---xx"),
        ("inside_brackets", "f(a[i], {b})) (", "-xxxxxxxxxx---x"),
        ("is_vowel", "A \u00e9t\u00fcde, YES.", "x-x-x-x---x--"),
        ("is_upper", "A \u00c9t\u00e9 1", "x-x----"),
        ("is_digit", "a1 20%", "-x-xx-"),
        ("is_space", "a b\n\tc", "-x-xx-"),
        ("is_punctuation", "a, b! 1_", "-x--x--x"),
    ],
)  # fmt: skip
def test_where_a_property_holds(name, text, expected):
    assert marked(name, text) == expected
    assert PROPERTIES[name](text).dtype == bool


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("bracket_depth", "(a[b]))(", [1, 1, 2, 2, 1, 0, 0, 1]),
        ("position_in_line", "\nab\n\nc", [0, 0, 1, 2, 0, 0]),
        ("position_in_word", " to be\n", [0, 1, 2, 0, 1, 2, 0]),
    ],
)
def test_numbers(name, text, expected):
    assert PROPERTIES[name](text).tolist() == expected


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_has_a_value_for_each_character(name):
    """Also for an empty text; the value at t does not depend on later characters."""
    assert PROPERTIES[name]("").shape == (0,)
    text = 'One (1) "Two" \u201cthree\u201d,\n{four} \u00e9!'
    whole = PROPERTIES[name](text)
    assert whole.shape == (len(text),)
    for t in range(len(text)):
        np.testing.assert_array_equal(PROPERTIES[name](text[:t]), whole[:t])
    with refused(TypeError, "text: expected a string, got list"):
        PROPERTIES[name](list(text))


def test_every_property_of_a_text_is_in_the_table():
    signals = {"rising", "falling"}
    public = {
        name for name in inspect.__all__ if getattr(getattr(inspect, name), "__module__", "") == properties.__name__
    }
    assert set(PROPERTIES) == public - signals and bracket_depth in PROPERTIES.values()


def test_rising_and_falling():
    signal = np.array([2, 3, 3, 1, 4], np.uint8)
    assert rising(signal).tolist() == [False, True, False, False, True]
    assert falling(signal).tolist() == [False, False, False, True, False]
    assert rising([]).shape == falling([1.0]).shape[:0] + (0,)
    for wrong in np.zeros((3, 1)), ["a"]:
        with refused(ValueError, "signal: expected numbers (T,), got"):
            rising(wrong)
