# SPDX-License-Identifier: BSD-3-Clause
"""Plots of values over tokens show the values of their arguments, each at its token."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed, image_of, labels, overlaps, pyplot  # noqa: F401

from fastrnn.inspect import plot_attention, plot_text, plot_units


def test_units_over_time(rng):
    """A row for each unit, a column for each step."""
    values = rng.standard_normal((7, 5)).astype(np.float32)
    ax = plot_units(values, "letters")
    np.testing.assert_array_equal(image_of(ax), values.T)
    assert [text for _, text in labels(ax)] == list("letters")
    assert labels(ax, "y") == [(k, str(k)) for k in range(5)]
    assert ax.images[0].get_clim() == (-np.abs(values).max(), np.abs(values).max())


def test_units_in_order():
    """Rows move together with their labels."""
    values = np.eye(4)[[2, 0, 3, 1]]
    ax = plot_units(values, order="sorted")
    np.testing.assert_array_equal(image_of(ax), np.eye(4))
    assert [text for _, text in labels(ax, "y")] == ["2", "0", "3", "1"]
    assert ax.get_ylabel() == "unit, sorted"


def test_many_units(rng):
    ax = plot_units(rng.random((10, 512)))
    assert overlaps(ax, "y") == [] and labels(ax, "y")[-1] == (511, "511")
    assert ax.images[0].get_clim() == (0, 1)


def test_existing_axes_are_used():
    figure, (ax, _) = pyplot.subplots(1, 2)
    assert plot_units(np.zeros((3, 2)), ax=ax) is ax
    assert plot_attention(np.zeros((3, 2)), ax=ax) is ax
    assert plot_text(np.zeros(3), "abc", ax=ax) is ax
    assert len(pyplot.get_fignums()) == 1


@pytest.mark.parametrize("T", [10, 80, 500])
def test_text_has_the_value_behind_each_character(T, rng):
    """Each character is in its line and column, on the colour of its own value."""
    text = ("A line.\nAnother one, which is quite long: it has to be broken.\n\n\tEnd " * 9)[:T]
    values = rng.standard_normal(T)
    ax = plot_text(values, text, width=30)
    grid, row, column = image_of(ax), 0, 0
    assert grid.shape[1] <= 30 and np.isfinite(grid).sum() == T and len(ax.texts) == T
    for character, value, drawn in zip(text, values, ax.texts, strict=True):
        if column == 30:
            row, column = row + 1, 0
        assert grid[row, column] == value
        assert drawn.get_position() == (column, row)
        assert drawn.get_text() == {"\n": "\u21b5", "\t": "\u21e5"}.get(character, character)
        row, column = (row + 1, 0) if character == "\n" else (row, column + 1)


def test_letters_fit_their_cells():
    """No letter is wider or higher than its cell."""
    ax = plot_text(np.zeros(160), "W" * 160, width=80)
    ax.figure.canvas.draw()
    cell = np.ptp(ax.transData.transform([(0, 0), (1, 1)]), axis=0)
    boxes = [text.get_window_extent() for text in ax.texts]
    assert max(box.width for box in boxes) <= cell[0] and max(box.height for box in boxes) <= cell[1]


def test_words_are_separated_and_not_broken():
    ax = plot_text([0.1, 0.2, 0.3, 0.4], ["are", "you", "good", "extraordinarily"], width=10)
    expected = np.full((3, 20), np.nan)  # at least 20 columns of paper
    expected[0, :3], expected[0, 4:7], expected[1, :4], expected[2, :15] = 0.1, 0.2, 0.3, 0.4
    np.testing.assert_array_equal(image_of(ax), expected)
    assert [text.get_position() for text in ax.texts] == [(1, 0), (5, 0), (1.5, 1), (7, 2)]


def test_attention(rng):
    weights = rng.random((3, 6))
    ax = plot_attention(weights, "abc", list("source"))
    np.testing.assert_array_equal(image_of(ax), weights)
    assert [text for _, text in labels(ax)] == list("source")
    assert [text for _, text in labels(ax, "y")] == list("abc")
    assert ax.images[0].get_clim() == (0, weights.max())
    assert plot_attention(np.zeros((2, 2))).images[0].get_clim() == (0, 1)


def test_attention_of_long_texts(rng):
    ax = plot_attention(rng.random((500, 500)), "ab cd " * 83 + "ab", "ab cd " * 83 + "ab")
    assert overlaps(ax) == overlaps(ax, "y") == []


def test_bad_arguments():
    with refused(ValueError, "values: expected (T,), at least one of each, got shape (3, 1)"):
        plot_text(np.zeros((3, 1)), "abc")
    with refused(ValueError, "values: expected (T,), at least one of each, got shape (0,)"):
        plot_text([], "")
    with refused(ValueError, "text: expected 3, one for each step, got 4"):
        plot_text(np.zeros(3), "abcd")
    with refused(ValueError, "width: expected at least 1, got 0"):
        plot_text(np.zeros(3), "abc", width=0)
    with refused(ValueError, "queries: expected 3, one for each step, got 2"):
        plot_attention(np.zeros((3, 2)), "ab")
    with refused(ValueError, "memory: expected 2, one for each step, got 3"):
        plot_attention(np.zeros((3, 2)), "abc", "abc")
    with refused(ValueError, "weights: expected (T_q, T_m)"):
        plot_attention(np.zeros((3, 2, 1)))
