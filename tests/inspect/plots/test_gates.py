# SPDX-License-Identifier: BSD-3-Clause
"""Openness and saturation: shares that can be counted by hand, and the plots of them."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed, labels, overlaps, pyplot  # noqa: F401

import fastrnn as fr
from fastrnn.inspect import plot_openness, plot_saturation, saturation, trace


@pytest.fixture
def picked(rng):
    return trace(fr.LSTM(3, 6, seed=0), 5 * rng.standard_normal((20, 3)).astype(np.float32)).pick()


def test_saturation_counts_steps():
    values = np.array([[0.0, 0.1, 0.95], [0.05, 0.9, 0.95], [1.0, 0.5, 0.95], [0.99, 0.5, np.nan]])
    left, right = saturation(values)
    assert left.tolist() == [0.5, 0, 0] and right.tolist() == [0.5, 0, 1]  # 0.1 and 0.9 are not saturated
    for a, b in zip(saturation(values.reshape(2, 2, 3)), (left, right), strict=True):
        np.testing.assert_array_equal(a, b)


def test_saturation_of_a_batch_ignores_padding(rng):
    """The arrays of a trace without change: the weight of a row is its number of steps."""
    x = 5 * rng.standard_normal((9, 3, 3)).astype(np.float32)
    result = trace(fr.GRU(3, 4, seed=0), x, [9, 0, 4])
    steps = np.concatenate([result.pick(n=n)["z"] for n in range(3)])
    np.testing.assert_array_equal(saturation(result["z"])[0], (steps < 0.1).mean(axis=0))
    np.testing.assert_array_equal(saturation(result["z"])[1], (steps > 0.9).mean(axis=0))
    assert np.isnan(saturation(result["z"][:, :, :, 1])).all()


def test_openness_has_mean_and_middle_half_of_each_gate(picked):
    ax = plot_openness(picked, "a text of 20 letters")
    handles, names = ax.get_legend_handles_labels()
    assert names == ["input i", "forget f", "output o"]
    for line, band, gate in zip(handles, ax.collections, "ifo", strict=True):
        np.testing.assert_allclose(line.get_ydata(), picked[gate].mean(axis=1))
        heights = band.get_paths()[0].vertices
        for t in range(20):
            ends = np.quantile(picked[gate][t], [0.25, 0.75])
            at = heights[heights[:, 0] == t, 1]
            np.testing.assert_allclose([at.min(), at.max()], ends)
    assert len({line.get_color() for line in handles}) == 3
    assert [text for _, text in labels(ax)][:6] == ["a", "\u2423", "t", "e", "x", "t"]
    assert overlaps(ax) == []


def test_saturation_plot_has_a_point_for_each_unit(picked):
    ax = plot_saturation(picked)
    for points, gate in zip(ax.collections, "ifo", strict=True):
        left, right = saturation(picked[gate])
        np.testing.assert_allclose(points.get_offsets(), np.stack([right, left], axis=1))
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (0, 1))


def test_gates_of_a_gru(rng):
    picked = trace(fr.GRU(3, 4, seed=0), rng.standard_normal((5, 3)).astype(np.float32)).pick()
    _, names = plot_openness(picked).get_legend_handles_labels()
    assert names == ["reset r", "update z"]
    _, ax = pyplot.subplots()
    assert plot_saturation(picked, ax=ax) is ax and plot_openness(picked, ax=ax) is ax


def test_bad_arguments(rng):
    x = rng.standard_normal((5, 3)).astype(np.float32)
    for draw in plot_openness, plot_saturation:
        with refused(ValueError, "gates: expected some of i, f, o, r, z, got h"):
            draw(trace(fr.RNN(3, 4), x).pick())
        with refused(TypeError, "gates: expected named arrays, such as trace(...).pick(), got ndarray"):
            draw(np.zeros((3, 2)))
        with refused(ValueError, "gates['i']: expected (T, units)", "got shape (1, 1, 5, 1, 4)"):
            draw(trace(fr.LSTM(3, 4), x))
    with refused(ValueError, "gates: expected some of i, f, o, r, z, got nothing"):
        plot_openness({})
    with refused(ValueError, "tokens: expected 5"):
        plot_openness(trace(fr.LSTM(3, 4), x).pick(), "abc")
    with refused(ValueError, "values: expected a gate between 0 and 1, got -0.5"):
        saturation([[0.5, -0.5]])
    with refused(TypeError, "values: expected numbers"):
        saturation([["a"]])
    with refused(TypeError, "values: expected one array, got a Trace of several"):
        saturation(trace(fr.LSTM(3, 4), x))
    with refused(ValueError, "values: expected (..., units), got a single number"):
        saturation(0.5)
    with refused(ValueError, "values: expected (..., units), at least one unit", "got shape (2, 0)"):
        saturation(np.zeros((2, 0)))
