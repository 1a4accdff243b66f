# SPDX-License-Identifier: BSD-3-Clause
"""Plots of influence and of gradients: numbers, labels and scales."""

import numpy as np
import pytest
from support.layers import refused
from support.plots import closed, overlaps, pyplot, without_matplotlib  # noqa: F401

import fastrnn as fr
from fastrnn.inspect import (
    gradient_flow,
    influence,
    jacobian_norms,
    memory_length,
    plot_gradient_flow,
    plot_influence,
    plot_memory,
    plot_singular_values,
    singular_values,
)

TEXT = "to be or not to be, that is the question "


def curve(line):
    return np.asarray(line.get_ydata(), np.float64)


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


def test_a_curve_of_gradients_for_every_layer(rng):
    """The geometric mean of the rows that have the step, and a band around it."""
    model, x = fr.LSTM(2, 3, 2, seed=0), rng.standard_normal((9, 3, 2)).astype(np.float32)
    flow = gradient_flow(model, x, [9, 4, 0])
    ax = plot_gradient_flow(flow, "to be or ")
    assert [line.get_label() for line in ax.lines] == ["l0", "l1"] and ax.get_yscale() == "log"
    for line, recurrence in zip(ax.lines, flow, strict=True):
        norms = recurrence.norms()
        np.testing.assert_allclose(curve(line)[:4], np.sqrt(norms[:4, 0] * norms[:4, 1]), rtol=1e-12)
        np.testing.assert_allclose(curve(line)[4:], norms[4:, 0], rtol=1e-12)
    assert len(ax.collections) == 2
    assert [label.get_text() for label in ax.get_legend().get_texts()] == ["l0", "l1"]
    (line,) = plot_gradient_flow(gradient_flow(fr.LSTM(2, 3, seed=0), x[:, 0]), part="h").lines
    expected = gradient_flow(fr.LSTM(2, 3, seed=0), x[:, 0])[0].norms("h")
    np.testing.assert_allclose(curve(line), expected, rtol=1e-12)


def test_curves_of_memory_and_their_legend():
    norms = {"a": np.exp(-np.arange(51) / 10), "b": np.exp(-np.arange(51)[:, None] / [100, 200])}
    ax = plot_memory(norms)
    dashed, a, ring, b = ax.lines
    np.testing.assert_allclose(dashed.get_ydata(), np.exp(-1))
    np.testing.assert_allclose(curve(a), norms["a"], rtol=1e-12)
    assert ring.get_xdata() == [pytest.approx(10)] and memory_length(norms["a"]) == pytest.approx(10)
    np.testing.assert_allclose(curve(b), np.exp(-np.arange(51) * (1 / 100 + 1 / 200) / 2), rtol=1e-12)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["a: 10 steps", "b: > 50 steps"]


def test_the_memory_of_a_model(rng):
    model, x = fr.GRU(2, 8, seed=0), rng.standard_normal((300, 2)).astype(np.float32)
    norms = jacobian_norms(model, x)
    ax = plot_memory(norms)
    np.testing.assert_allclose(curve(ax.lines[1]), norms["l0"], rtol=1e-6)
    assert ax.get_ylim()[0] >= 1e-17  # below are no numbers worth a picture


def test_every_singular_value_is_a_curve(rng):
    values = singular_values(fr.GRU(2, 4, dtype=np.float64, seed=0), rng.standard_normal((20, 2)))["l0"]
    ax = plot_singular_values(values)
    assert len(ax.lines) == 4 + 2 and ax.get_yscale() == "log"
    for k in range(4):
        shown = curve(ax.lines[k])
        finite = np.isfinite(shown)
        np.testing.assert_array_equal(shown[finite], values[finite, k])
        assert (values[~finite, k] <= 1e-16 * values[~finite, 0]).all()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["largest", "median"]


def test_zero_and_infinite_gradients_can_be_drawn():
    """The curves end at such values."""
    ax = plot_memory({"none": np.array([1.0, 0.0, 0.0]), "all": np.array([1.0, np.inf, np.inf])})
    assert np.isfinite(ax.get_ylim()).all()
    ax.figure.canvas.draw()
    assert np.isnan(curve(ax.lines[1])[1:]).all()
    plot_influence(np.zeros((3, 3)), log=True).figure.canvas.draw()


def test_bad_input_is_refused(rng):
    values, flow = np.ones((3, 4)), gradient_flow(fr.GRU(2, 3), np.zeros((5, 2), np.float32))
    cases = [
        (ValueError, plot_influence, (np.ones((2, 3, 4)),), {}, "influence: expected (S, T)"),
        (ValueError, plot_influence, (np.ones((0, 3)),), {}, "influence: expected (S, T), at least one of each"),
        (ValueError, plot_influence, (values, "abc"), {}, "tokens: expected 4, one for each step, got 3"),
        (ValueError, plot_influence, (values, None, "abcd"), {}, "outputs: expected 3, one for each step, got 4"),
        (TypeError, plot_influence, (values,), {"log": 1}, "log: expected True or False, got 1"),
        (TypeError, plot_influence, (["a"],), {}, "influence: expected numbers"),
        (TypeError, plot_gradient_flow, (values,), {}, "flow: expected what gradient_flow returned, got ndarray"),
        (TypeError, plot_gradient_flow, ([],), {}, "flow: expected what gradient_flow returned, got list"),
        (ValueError, plot_gradient_flow, (flow, "abc"), {}, "tokens: expected 5, one for each step, got 3"),
        (ValueError, plot_gradient_flow, (flow,), {"part": "c"}, "part: expected one of 'h', got 'c'"),
        (TypeError, plot_memory, (values,), {}, "norms: expected a dict of names to norms by distance, got ndarray"),
        (ValueError, plot_memory, ({"a": np.ones((2, 2, 2))},), {}, "norms['a']: expected (D + 1, N)"),
        (ValueError, plot_singular_values, (np.ones(3),), {}, "values: expected (D + 1, n)"),
    ]  # fmt: skip
    for error, plot, arguments, options, words in cases:
        with refused(error, words):
            plot(*arguments, **options)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    without_matplotlib(monkeypatch)
    with refused(ImportError, 'pip install "fastrnn[inspect]"'):
        plot_influence(np.ones((3, 4)))
