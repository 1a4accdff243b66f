# SPDX-License-Identifier: BSD-3-Clause
"""The diagram of a small network shows the values of its trace, each in its box."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed, pyplot  # noqa: F401
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.inspect import plot_unrolled, trace

ORDER = {"lstm": "ifgoch", "gru": "rznh", "gru_reset_before": "rznh"}  # in a box, from the bottom


@pytest.mark.parametrize("L", [1, 2])
def test_every_value_is_in_its_place(cell, L, rng):
    """Steps from left to right, layers from the bottom, units side by side; number and colour show the value."""
    T, I, H = 4, 2, 3
    layer, x = make_layer(cell, I, H, L, seed=0), rng.standard_normal((T, I)).astype(np.float32)
    ax = plot_unrolled(layer, x, "abcd")
    (circles,) = ax.collections
    result, rows = trace(layer, x), ORDER.get(cell, "h")
    expected = [*x, *(result[name][k, 0, t, 0] for k in range(L) for name in rows for t in range(T))]
    values, centres = circles.get_array(), circles.get_offsets()
    np.testing.assert_array_equal(values, np.concatenate(expected).astype(float))
    written = {text.get_position(): text.get_text() for text in ax.texts}
    for centre, value in zip(centres, values, strict=True):
        assert abs(float(written[tuple(centre)].replace("\N{MINUS SIGN}", "-")) - value) <= 0.00501
    columns = centres[T * I :, 0].reshape(L, len(rows), T, H)
    assert (np.ptp(columns, axis=(0, 1)) == 0).all() and (np.diff(columns[0, 0].ravel()) > 0).all()
    heights = np.unique(centres[:, 1])
    assert len(heights) == 1 + L * len(rows)
    names = [ax_text.get_text() for ax_text in ax.texts if ax_text.get_style() == "italic"]
    assert names == ["x", *rows * L]
    assert [text.get_text() for text in ax.texts[:T]] == list("abcd")


def test_numbers_fit_into_their_circles(rng):
    """Even the widest number fits into its circle."""
    ax = plot_unrolled(fr.RNN(2, 3, seed=0), -9.87 * np.ones((5, 2)))
    ax.figure.canvas.draw()
    circle = np.ptp(ax.transData.transform([(0, 0), (0.92, 0.92)]), axis=0)
    numbers = [text for text in ax.texts if "." in text.get_text()]
    assert len(numbers) == 5 * 5
    assert max(text.get_window_extent().width for text in numbers) < circle[0]


def test_existing_axes_are_used():
    _, ax = pyplot.subplots()
    assert plot_unrolled(fr.GRU(1, 1), [[0.5], [0.25]], ax=ax) is ax


def test_bad_arguments():
    x = np.zeros((3, 2))
    with refused(TypeError, "layer: expected RNN, LSTM or GRU, got Sequential"):
        plot_unrolled(fr.Sequential(fr.RNN(2, 2)), x)
    with refused(ValueError, "layer: expected one that reads forwards, got a bidirectional layer"):
        plot_unrolled(fr.RNN(2, 2, bidirectional=True), x)
    with refused(ValueError, "layer: expected one that reads forwards, got a layer with reverse=True"):
        plot_unrolled(fr.RNN(2, 2, reverse=True), x)
    with refused(ValueError, "layer: expected at most 6 inputs and 6 units for a diagram, got 2 and 7"):
        plot_unrolled(fr.RNN(2, 7), x)
    with refused(ValueError, "x: expected at most 8 steps for a diagram, got 9"):
        plot_unrolled(fr.RNN(2, 2), np.zeros((9, 2)))
    with refused(ValueError, "x: expected (T, N, 2) or (T, 2), got (3, 3)"):
        plot_unrolled(fr.RNN(2, 2), np.zeros((3, 3)))
    with refused(ValueError, "x: expected (T, I), at least one of each"):
        plot_unrolled(fr.RNN(2, 2), np.zeros((3, 1, 2)))
    with refused(ValueError, "tokens: expected 3, one for each step, got 2"):
        plot_unrolled(fr.RNN(2, 2), x, "ab")
