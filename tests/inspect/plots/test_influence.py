# SPDX-License-Identifier: BSD-3-Clause
"""The heat map of influence: numbers, labels and scales."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed, overlaps, pyplot, without_matplotlib  # noqa: F401

import fastrnn as fr
from fastrnn.inspect import influence, plot_influence

TEXT = "to be or not to be, that is the question "


@pytest.mark.parametrize("T", [10, 80, 500])
def test_influence_as_a_heat_map(T, rng):
    values = np.tril(rng.random((T, T)))
    tokens = (TEXT * 13)[:T]
    ax = plot_influence(values, tokens, tokens)
    np.testing.assert_array_equal(ax.images[0].get_array(), values)
    assert ax.images[0].get_clim() == (0, values.max())
    for axis, labels in ((ax.xaxis, ax.get_xticklabels()), (ax.yaxis, ax.get_yticklabels())):
        assert 0 < len(labels) <= T
        for tick, label in zip(axis.get_ticklocs(), labels, strict=True):
            letter = label.get_text()[0]
            assert letter == tokens[int(tick)] or tokens[int(tick)] == " "
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("input", "output")
    assert max(ax.figure.get_size_inches()) <= 16
    assert overlaps(ax) == overlaps(ax, "y") == []


def test_influence_of_one_output_and_with_signs(rng):
    values = rng.standard_normal(12)
    ax = plot_influence(values)
    np.testing.assert_array_equal(ax.images[0].get_array(), values[None])
    largest = np.abs(values).max()
    assert ax.images[0].get_clim() == (-largest, largest)
    assert ax.get_xlabel() == "input step" and not ax.get_yticks().size


def test_influence_on_a_logarithmic_scale(rng):
    """At most six decades, without 0."""
    values = np.tril(10.0 ** -np.arange(10.0)[:, None] + np.zeros((10, 10)))
    ax = plot_influence(values, log=True)
    shown = ax.images[0].get_array()
    assert (np.ma.getmaskarray(shown) == (values == 0)).all()
    assert ax.images[0].get_clim() == (1e-6, 1) and type(ax.images[0].norm).__name__ == "LogNorm"
    assert plot_influence(values[:2, :2], log=True).images[0].get_clim() == (0.1, 1)
    with refused(ValueError, "log: expected False, as there are negative values, got True"):
        plot_influence(-values, log=True)


def test_influence_of_a_model_in_existing_axes(rng):
    _, ax = pyplot.subplots()
    result = influence(fr.GRU(2, 3, seed=0), rng.standard_normal((6, 2)).astype(np.float32))
    assert plot_influence(result, ax=ax) is ax
    np.testing.assert_array_equal(ax.images[0].get_array(), result)
