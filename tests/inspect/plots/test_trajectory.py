# SPDX-License-Identifier: BSD-3-Clause
"""Principal components are those of the covariance, and the plot of a trajectory shows them in order of time."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed, pyplot  # noqa: F401

from fastrnn.inspect import plot_trajectory, principal_components


def test_components_are_eigenvectors_of_the_covariance(rng):
    values = rng.standard_normal((40, 6)) @ rng.standard_normal((6, 6)) + 3
    coordinates, shares = principal_components(values, 3)
    variances, vectors = np.linalg.eigh(np.cov(values.T))
    np.testing.assert_allclose(coordinates.var(axis=0, ddof=1), variances[::-1][:3])
    np.testing.assert_allclose(shares, variances[::-1][:3] / variances.sum())
    expected = (values - values.mean(axis=0)) @ vectors[:, ::-1][:, :3]
    np.testing.assert_allclose(np.abs(coordinates), np.abs(expected), atol=1e-10)


def test_signs_do_not_depend_on_the_signs_of_the_decomposition(rng):
    """The largest coefficient of each direction is positive."""
    values = rng.standard_normal((10, 4))
    axes = np.linalg.lstsq(values - values.mean(axis=0), principal_components(values)[0], rcond=None)[0]
    assert (np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0) > 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 3)])
def test_missing_directions_are_zero(shape):
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    coordinates, shares = principal_components(values)
    assert coordinates.shape == (shape[0], 2) and (coordinates[:, 1] == 0).all()
    assert shares.tolist() == [float(shape[0] > 1), 0]


@pytest.mark.parametrize("T", [1, 10, 80, 500])
def test_trajectory(T, rng):
    """The points in order of time, with time as colour; labels beside their points, without overlap."""
    values = rng.standard_normal((T, 5)).cumsum(axis=0)
    text = ("abc \n" * 100)[:T]
    ax = plot_trajectory(values, text)
    coordinates, shares = principal_components(values)
    (points,), (line,) = ax.collections, ax.lines
    np.testing.assert_allclose(points.get_offsets(), coordinates)
    np.testing.assert_array_equal(points.get_array(), range(T))
    np.testing.assert_allclose(line.get_xydata(), coordinates)
    assert f"{shares[0]:.0%}" in ax.get_xlabel() and f"{shares[1]:.0%}" in ax.get_ylabel()
    shown = {" ": "\u2423", "\n": "\u21b5"}
    for label in ax.texts:
        (t,) = np.flatnonzero((coordinates == label.xy).all(axis=1))
        assert label.get_text() == shown.get(text[t], text[t])
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.texts]
    assert 1 <= len(boxes) <= T
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_existing_axes_are_used(rng):
    _, ax = pyplot.subplots()
    assert plot_trajectory(rng.standard_normal((5, 3)), ax=ax) is ax


def test_bad_arguments():
    with refused(ValueError, "values: expected finite numbers, got NaN or infinity"):
        plot_trajectory([[0.0, np.nan]])
    with refused(ValueError, "tokens: expected 2, one for each step, got 1"):
        plot_trajectory(np.zeros((2, 2)), "a")
    with refused(ValueError, "values: expected (T, units)"):
        principal_components(np.zeros(3))
    with refused(ValueError, "count: expected at least 0, got -1"):
        principal_components(np.zeros((3, 2)), -1)
