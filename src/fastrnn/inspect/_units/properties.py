# SPDX-License-Identifier: BSD-3-Clause
"""Properties of a text or a signal that a unit might keep track of: an array (T,), what holds once step t is read."""

import unicodedata

import numpy as np

from ..._engine import arguments

__all__ = [
    "PROPERTIES", "bracket_depth", "falling", "inside_brackets", "inside_quotes", "is_digit", "is_punctuation",
    "is_space", "is_upper", "is_vowel", "position_in_line", "position_in_word", "rising",
]  # fmt: skip

BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def inside_quotes(text):
    """Whether a quotation is open: from its opening mark to the character before its closing one.

    Straight double quotes open and close in turn, curly and angle ones say what they do. Apostrophes are no quotes.

    >>> inside_quotes('I "am".').tolist()
    [False, False, True, True, True, False, False]
    """
    found, straight, depth = [], False, 0
    for character in as_text(text):
        straight ^= character == '"'
        depth = max(0, depth + (character in "\u201c\u00ab") - (character in "\u201d\u00bb"))
        found.append(straight or depth > 0)
    return np.array(found, bool)


def bracket_depth(text):
    """How many round, square or curly brackets are open.

    >>> bracket_depth("f(a[0])").tolist()
    [0, 1, 1, 2, 2, 1, 0]
    """
    found, depth = [], 0
    for character in as_text(text):
        depth = max(0, depth + BRACKETS.get(character, 0))
        found.append(depth)
    return np.array(found, int)


def inside_brackets(text):
    """Whether a bracket is open."""
    return bracket_depth(text) > 0


def position_in_line(text):
    """How many characters of its line stand before each: 0 for the first. A newline is the last of its line.

    >>> position_in_line("ab\\ncd").tolist()
    [0, 1, 2, 0, 1]
    """
    found, count = [], 0
    for character in as_text(text):
        found.append(count)
        count = 0 if character == "\n" else count + 1
    return np.array(found, int)


def position_in_word(text):
    """The number of the character in its word, from 1; 0 between words.

    >>> position_in_word("to be").tolist()
    [1, 2, 0, 1, 2]
    """
    found, count = [], 0
    for character in as_text(text):
        count = 0 if character.isspace() else count + 1
        found.append(count)
    return np.array(found, int)


def is_vowel(text):
    """Whether it is one of a, e, i, o, u, with or without an accent, of either case."""
    return each(text, lambda character: unicodedata.normalize("NFD", character)[0].lower() in "aeiou")


def is_upper(text):
    """Whether it is a capital letter."""
    return each(text, str.isupper)


def is_digit(text):
    """Whether it is a digit."""
    return each(text, str.isdigit)


def is_space(text):
    """Whether it is white space."""
    return each(text, str.isspace)


def is_punctuation(text):
    """Whether it is neither letter, digit nor white space."""
    return each(text, lambda character: not (character.isalnum() or character.isspace()))


def each(text, holds):
    return np.array([holds(character) for character in as_text(text)], bool)


def as_text(text):
    """`text`, which is one string."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected a string, got {type(text).__name__}")
    return text


def rising(signal):
    """Whether a signal (T,) is larger than one step before; False at the first step.

    >>> rising([0.0, 1.0, 1.0, 0.5]).tolist()
    [False, True, False, False]
    """
    signal = as_signal(signal)
    return np.concatenate([np.zeros(min(1, len(signal)), bool), np.diff(signal) > 0])


def falling(signal):
    """Whether a signal (T,) is smaller than one step before; False at the first step."""
    return rising(-as_signal(signal))


def as_signal(signal):
    array = arguments.as_array("signal", signal)
    if array.dtype.kind not in "fiub" or array.ndim != 1:
        raise ValueError(f"signal: expected numbers (T,), got {array.dtype} of shape {array.shape}")
    return array.astype(np.float64)


PROPERTIES = {
    function.__name__: function
    for function in (
        inside_quotes, inside_brackets, bracket_depth, position_in_line, position_in_word, is_vowel, is_upper, is_digit,
        is_space, is_punctuation,
    )
}  # fmt: skip
