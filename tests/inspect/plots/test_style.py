# SPDX-License-Identifier: BSD-3-Clause
"""Tokens along an axis are legible for 1 to 500 steps; so are letters on colours."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed, labels, overlaps, pyplot, without_matplotlib  # noqa: F401

import fastrnn as fr
from fastrnn.inspect import plot_units, trace
from fastrnn.inspect._plots import style

TEXT = "It is a truth universally acknowledged,\nthat a single man in possession of a good fortune " * 6


@pytest.mark.parametrize("T", [1, 10, 80, 200, 500])
@pytest.mark.parametrize("kind", ["characters", "words"])
def test_labels_do_not_overlap_and_are_at_their_steps(T, kind):
    tokens = TEXT[:T] if kind == "characters" else (TEXT.split() * 9)[:T]
    ax = plot_units(np.zeros((T, 4)), tokens)
    assert overlaps(ax) == []
    shown = labels(ax)
    assert len(shown) >= min(T, 25)
    text = "".join(token.translate(style.VISIBLE) for token in tokens)
    for t, label in shown:
        there = text[t:] if kind == "characters" else tokens[t]
        assert there.startswith(label.rstrip("\u2026"))


def test_every_character_is_shown_where_there_is_room():
    ax = plot_units(np.zeros((5, 4)), "a b\n\t")
    assert labels(ax) == [(0, "a"), (1, "\u2423"), (2, "b"), (3, "\u21b5"), (4, "\u21e5")]


def test_long_labels_are_cut():
    shown = labels(plot_units(np.zeros((3, 2)), ["a", "hippopotamus", "hippopotamuses"]))
    assert shown == [(0, "a"), (1, "hippopotamus"), (2, "hippopotamu\u2026")]


def test_tokens_may_be_any_objects_with_a_str():
    assert labels(plot_units(np.zeros((3, 2)), np.array([7, 8, 12]))) == [(0, "7"), (1, "8"), (2, "12")]


def test_without_tokens_steps_are_numbered():
    assert plot_units(np.zeros((30, 2))).get_xlabel() == "step"


def test_words():
    assert style.words(list("ab  c\nd ")) == [(0, "ab"), (4, "c"), (6, "d")]
    assert style.words(list(" ")) == []
    assert style.words(["ab", "c", "d"]) == [(0, "ab"), (1, "c"), (2, "d")]


@pytest.mark.parametrize("values, limits", [([-0.5, 0.2], (-0.5, 0.5)), ([0.0, 0.3], (0, 1)), ([0, 3], (0, 3))])
def test_colours_span_the_values(values, limits):
    """Symmetric around 0 for both signs; NaN and infinity are ignored."""
    colours = style.scale(np.array([*values, np.nan, np.inf]))
    assert (colours["vmin"], colours["vmax"]) == limits
    assert colours["cmap"] == (style.DIVERGING if limits[0] else style.SEQUENTIAL)


def test_colours_without_values():
    assert style.scale(np.array([np.nan]))["vmax"] == style.scale(np.zeros(3))["vmax"] == 1


def test_letters_are_legible_on_their_colour():
    """The contrast of the letters with their background is at least 4.5:1 (WCAG 2.1, 1.4.3)."""

    def luminance(colour):
        linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    _, ax = pyplot.subplots()
    for low, colour_map in ((-1, style.DIVERGING), (0, style.SEQUENTIAL)):
        values = np.linspace(low, 1, 101)
        image = ax.imshow(values[None], vmin=low, vmax=1, cmap=colour_map)
        behind = luminance(image.to_rgba(values)[:, :3])
        letters = np.array([1.0 if colour == "white" else 0.0 for colour in style.ink(image, values)])
        light, dark = np.maximum(behind, letters), np.minimum(behind, letters)
        assert ((light + 0.05) / (dark + 0.05)).min() >= 4.5


def test_new_axes_and_existing_ones(monkeypatch):
    _, ax = pyplot.subplots()
    assert style.new_axes(ax, 1, 1) is ax
    assert style.new_axes(None, 3, 2).figure.get_size_inches().tolist() == [3, 2]
    without_matplotlib(monkeypatch)
    with refused(ImportError, 'plots need matplotlib: pip install "fastrnn[inspect]"'):
        style.new_axes(None, 1, 1)


def test_bad_arguments():
    with refused(ValueError, "tokens: expected 3, one for each step, got 2"):
        plot_units(np.zeros((3, 2)), "ab")
    for wrong in np.zeros(3), np.zeros((3, 0)), np.zeros((0, 3)), np.zeros((1, 1, 1)):
        with refused(ValueError, "values: expected (T, units), at least one of each", str(wrong.shape)):
            plot_units(wrong)
    with refused(TypeError, "values: expected numbers, got <U1"):
        plot_units(np.array([["a"]]))
    with refused(TypeError, "values: expected one array, got a Trace of several: choose one of 'h', 'r', 'z', 'n'"):
        plot_units(trace(fr.GRU(3, 4, seed=0), np.ones((5, 3), np.float32)).pick())
