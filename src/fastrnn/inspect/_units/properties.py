# SPDX-License-Identifier: BSD-3-Clause
"""Properties of a text or a signal that a unit might track: an array (T,), what holds after step t has been read."""

import unicodedata
from collections.abc import Callable
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array

BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
QUOTES = {"\u201c": 1, "\u00ab": 1, "\u201d": -1, "\u00bb": -1}  # curly and angle ones


def inside_quotes(text: str) -> Array:
    """Whether a quotation is open: from its opening mark to the character before its closing mark.

    Straight double quotes open and close in turn, curly and angle quotes by their shape. Apostrophes are not quotes.

    >>> inside_quotes('I "am".').tolist()
    [False, False, True, True, True, False, False]
    """
    straight = np.cumsum(each(text, lambda character: character == '"')) % 2 == 1
    return straight | (running(text, lambda depth, character: max(0, depth + QUOTES.get(character, 0))) > 0)


def bracket_depth(text: str) -> Array:
    """How many round, square or curly brackets are open.

    >>> bracket_depth("f(a[0])").tolist()
    [0, 1, 1, 2, 2, 1, 0]
    """
    return running(text, lambda depth, character: max(0, depth + BRACKETS.get(character, 0)))


def inside_brackets(text: str) -> Array:
    """Whether a bracket is open."""
    return bracket_depth(text) > 0


def position_in_line(text: str) -> Array:
    """How many characters of its line precede each character. A newline is the last character of its line.

    >>> position_in_line("ab\\ncd").tolist()
    [0, 1, 2, 0, 1]
    """
    after = running(text, lambda count, character: 0 if character == "\n" else count + 1)
    return np.insert(after, 0, 0)[: len(text)]


def position_in_word(text: str) -> Array:
    """The number of the character in its word, from 1; 0 between words.

    >>> position_in_word("to be").tolist()
    [1, 2, 0, 1, 2]
    """
    return running(text, lambda count, character: 0 if character.isspace() else count + 1)


def is_vowel(text: str) -> Array:
    """Whether the character is one of a, e, i, o, u, with or without an accent, of either case."""
    return each(text, lambda character: unicodedata.normalize("NFD", character)[0].lower() in "aeiou")


def is_upper(text: str) -> Array:
    """Whether the character is a capital letter."""
    return each(text, str.isupper)


def is_digit(text: str) -> Array:
    """Whether the character is a digit."""
    return each(text, str.isdigit)


def is_space(text: str) -> Array:
    """Whether the character is white space."""
    return each(text, str.isspace)


def is_punctuation(text: str) -> Array:
    """Whether the character is neither letter, digit nor white space."""
    return each(text, lambda character: not (character.isalnum() or character.isspace()))


def each(text: str, holds: Callable[[str], bool]) -> Array:
    """Whether a predicate holds for each character."""
    return np.array([holds(character) for character in as_text(text)], bool)


def running(text: str, update: Callable[[int, str], int]) -> Array:
    """A number after each character, ``update(number before it, character)``; 0 before the first."""
    return np.array([*accumulate(as_text(text), update, initial=0)][1:], int)


def as_text(text: str) -> str:
    """`text`, which is one string."""
    if not isinstance(text, str):
        raise TypeError(f"text: expected a string, got {type(text).__name__}")
    return text


def rising(signal: ArrayLike) -> Array:
    """Whether a signal (T,) is larger than one step before; False at the first step.

    >>> rising([0.0, 1.0, 1.0, 0.5]).tolist()
    [False, True, False, False]
    """
    signal = as_signal(signal)
    return np.concatenate([np.zeros(min(1, len(signal)), bool), np.diff(signal) > 0])


def falling(signal: ArrayLike) -> Array:
    """Whether a signal (T,) is smaller than one step before; False at the first step."""
    return rising(-as_signal(signal))


def as_signal(signal: ArrayLike) -> Array:
    """`signal` as float64 (T,)."""
    array = as_array("signal", signal)
    if array.dtype.kind not in "fiub" or array.ndim != 1:
        raise ValueError(f"signal: expected numbers (T,), got {array.dtype} of shape {array.shape}")
    return array.astype(np.float64)


PROPERTIES: dict[str, Callable[[str], Array]] = {
    function.__name__: function
    for function in (
        inside_quotes, inside_brackets, bracket_depth, position_in_line, position_in_word, is_vowel, is_upper, is_digit,
        is_space, is_punctuation,
    )
}  # fmt: skip
