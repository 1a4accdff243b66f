# SPDX-License-Identifier: BSD-3-Clause
"""Plots of influence, and of gradients propagated back through time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_flag
from ..._engine.ragged import length_mask
from .._gradients.flow import RecurrenceFlow
from .._gradients.jacobians import memory_length
from . import style
from .style import Axes

FLOOR = 1e-16  # relative to the largest value: below it a curve shows rounding errors only
GREY = "#666666"
DECADES = 6  # of a logarithmic colour scale


@style.plotting()
def plot_influence(
    influence: ArrayLike, tokens: Iterable[Any] | None = None, outputs: Iterable[Any] | None = None, *,
    log: bool = False, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Plot how much output steps depend on input steps as a heat map: input steps along x, output steps down y.

    Parameters
    ----------
    influence : array_like, shape (S, T), or (T,) for one output
        One row of the batch, from `influence`, `integrated_gradients` or `occlusion`.
    tokens, outputs : str or sequence of labels, optional
        The T input steps and the S output steps; as many are written as fit.
    log : bool, default False
        A logarithmic colour scale over at most six decades. Negative values are then not allowed, and 0 stays white.

    Notes
    -----
    Colours: blue to red around 0 if there are negative values, else viridis from 0 to the largest.
    """
    single = np.ndim(influence) == 1
    values = np.atleast_2d(style.as_matrix("influence", influence, "(T,)" if single else "(S, T)"))
    S, T = values.shape
    tokens, outputs = style.as_tokens("tokens", tokens, T), style.as_tokens("outputs", outputs, S)
    if as_flag("log", log) and (values < 0).any():
        raise ValueError("log: expected False, as there are negative values, got True")
    colours = style.log_scale(values, DECADES) if log else style.scale(values, least=0)
    height = 1.6 if single else float(np.clip(1.5 + 0.14 * S, 3, 9))
    ax = style.heat_map(ax, np.where(values > 0, values, np.nan) if log else values, height, tokens, colours)
    ax.set_xlabel("input" if tokens else "input step")
    if single:
        ax.set_yticks([])
    else:
        style.label_steps(ax, outputs, S, axis="y")
        ax.set_ylabel("output" if outputs else "output step")
    return ax


@style.plotting()
def plot_gradient_flow(
    flow: Sequence[RecurrenceFlow], tokens: Iterable[Any] | None = None, *, part: str | None = None,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Plot the norm of the gradient at the state of every step: a curve for each layer and direction.

    Parameters
    ----------
    flow : list of RecurrenceFlow
        From `gradient_flow`. For a batch, a curve is the geometric mean of the rows that have the step, and the band
        around it goes from the smallest to the largest of them.
    tokens : str or sequence of T labels, optional
        Written along the time axis, as many as fit.
    part : {None, "h", "c"}, default None
        A part of the state, or None for all of it.
    """
    if not isinstance(flow, list | tuple) or not flow or not all(isinstance(item, RecurrenceFlow) for item in flow):
        raise TypeError(f"flow: expected what gradient_flow returned, got {type(flow).__name__}")
    longest = max(len(item.norms(part)) for item in flow)
    labels, curves = style.as_tokens("tokens", tokens, longest), []
    ax = style.new_axes(ax, style.CURVES[0] if labels is None else style.width_for(longest), style.CURVES[1])
    for k, item in enumerate(flow):
        norms = item.norms(part).reshape(-1, len(item.lengths))
        curves.append(np.where(length_mask(item.lengths, len(norms)), norms, np.nan))
        _curve(ax, k, item.name, curves[-1])
    _finish(ax, curves)
    style.label_steps(ax, labels, longest)
    ax.set_ylabel("norm of the gradient" if part is None else f"norm of the gradient of {part}")
    return ax


@style.plotting()
def plot_memory(norms: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Plot how much of a gradient remains after every number of steps back, with the effective memory of each curve.

    Parameters
    ----------
    norms : dict of str to array_like, each (D + 1,) or (D + 1, N)
        By name, as from `jacobian_norms`. For a batch, a curve is the geometric mean of its rows, and the band around
        it goes from the smallest to the largest of them.

    Notes
    -----
    The dashed line is 1/e. A ring marks where a curve crosses it, at its `memory_length`, which the legend states.
    """
    if not isinstance(norms, Mapping) or not norms:
        raise TypeError(f"norms: expected a dict of names to norms by distance, got {type(norms).__name__}")
    curves: dict[str, Array] = {}
    for name, array in norms.items():
        values = style.as_matrix(f"norms[{name!r}]", array, "(D + 1,)" if np.ndim(array) == 1 else "(D + 1, N)")
        curves[name] = values.reshape(len(values), -1)
    ax = style.new_axes(ax, *style.CURVES)
    ax.axhline(np.exp(-1), color=GREY, linewidth=1, linestyle="--")
    ax.text(1.01, np.exp(-1), "1/e", transform=ax.get_yaxis_transform(), va="center", color=GREY)
    for k, (name, values) in enumerate(curves.items()):
        mean = _geometric_mean(values)
        steps = float(memory_length(mean))
        label = f"{name}: {steps:.3g} steps" if np.isfinite(steps) else f"{name}: > {len(mean) - 1} steps"
        _curve(ax, k, label, values)
        if np.isfinite(steps):
            ax.plot(
                [steps],
                [np.exp(-1)],
                "o",
                markersize=8,
                markerfacecolor="white",
                color=style.COLOURS[k % len(style.COLOURS)],
            )
    ax.set(xlabel="steps back", ylabel="remaining gradient")
    _finish(ax, list(curves.values()))
    return ax


@style.plotting()
def plot_singular_values(values: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """Plot the singular values of the products of Jacobians over every number of steps back.

    Parameters
    ----------
    values : array_like, shape (D + 1, n)
        One row of the batch in one layer and direction, from `singular_values`, the largest first.
    """
    values = style.as_matrix("values", values, "(D + 1, n)")
    n = values.shape[1]
    ax = style.new_axes(ax, *style.CURVES)
    shown = np.where(values > FLOOR * np.nanmax(values, axis=1, keepdims=True), values, np.nan)
    ax.plot(shown, color=style.COLOURS[0], linewidth=0.8, alpha=0.4, zorder=2)
    for index, name, colour, line in ((0, "largest", style.COLOURS[1], "-"), (n // 2, "median", "black", "--")):
        ax.plot(shown[:, index], color=colour, linestyle=line, linewidth=1.8, label=name, zorder=3)
    ax.set(xlabel="steps back", ylabel="singular value")
    _finish(ax, [shown])
    return ax


def _geometric_mean(values: Array) -> Array:
    """Over the last axis, without NaN; NaN where there is nothing else."""
    known = ~np.isnan(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(known, values, 1)).sum(axis=-1) / known.sum(axis=-1)
    return np.exp(logs)


def _curve(ax: Axes, k: int, label: str, values: Array) -> None:
    """Draw curve number k: the geometric mean of values (D, N), and a band from the smallest to the largest."""
    colour, mean = style.COLOURS[k % len(style.COLOURS)], _geometric_mean(values)
    steps = np.arange(len(mean))
    every = max(1, len(mean) // 8)
    ax.plot(
        steps, np.where(mean > 0, mean, np.nan), color=colour, label=label, linewidth=1.6,
        marker=style.MARKERS[k % len(style.MARKERS)], markersize=4, markevery=(k * every // 4 % every, every),
    )  # fmt: skip
    if values.shape[1] > 1:
        some = values[~np.isnan(values).all(axis=1)]
        low, high = np.nanmin(some, axis=1), np.nanmax(some, axis=1)
        ax.fill_between(steps[: len(some)], np.where(low > 0, low, np.nan), high, color=colour, alpha=0.15, linewidth=0)


def _finish(ax: Axes, curves: list[Array]) -> None:
    """Give curves (D, N) a logarithmic axis that ends where they are rounding, and a legend."""
    ax.set_xlim(-0.5, max(map(len, curves)) - 0.5)
    means = np.concatenate([_geometric_mean(values) for values in curves])
    means = means[np.isfinite(means) & (means > 0)]
    if means.size:
        ax.set_ylim(max(means.min(), means.max() * FLOOR) / 2, means.max() * 2)
    style.finish_curves(ax)
