# SPDX-License-Identifier: BSD-3-Clause
"""Pictures of influence and of gradients on their way back."""

from collections.abc import Mapping

import numpy as np

from ..._engine.arguments import as_flag
from .._gradients.jacobians import memory_length
from .._gradients.recurrences import within
from .style import (
    COLOURS,
    DIVERGING,
    MARKERS,
    SEQUENTIAL,
    as_matrix,
    as_tokens,
    colour_bar,
    label_steps,
    new_axes,
    width_for,
)

DECADES = 6  # of a logarithmic scale of colour
FLOOR = 1e-16  # of the largest: below it a curve is rounding
GREY = "#666666"
WIDTH, HEIGHT = 7.0, 3.8  # inches, of curves


def plot_influence(influence, tokens=None, outputs=None, *, log=False, ax=None):
    """Which output steps hang on which input steps, as a heat map: input steps along x, output steps down y.

    Parameters
    ----------
    influence : array_like, shape (S, T), or (T,) of one output
        Of one row, as of `influence`, `integrated_gradients` or `occlusion`.
    tokens, outputs : str or sequence of labels, optional
        Of the T input and the S output steps, as many as there is room for.
    log : bool
        Colours by the logarithm, over six decades at most; then there may be no negative values, and 0 is left white.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        An argument is of the wrong type or shape.

    Notes
    -----
    Colours: blue to red around 0 if there are negative values, else viridis from 0 to the largest.
    """
    one = np.ndim(influence) == 1
    values = as_matrix("influence", influence, "(T,)" if one else "(S, T)").reshape(-1, np.shape(influence)[-1])
    S, T = values.shape
    tokens, outputs = as_tokens("tokens", tokens, T), as_tokens("outputs", outputs, S)
    log, signed = as_flag("log", log), (values < 0).any()
    if log and signed:
        raise ValueError("log: expected False, as there are negative values, got True")
    ax = new_axes(ax, width_for(T), 1.6 if one else float(np.clip(1.5 + 0.14 * S, 3, 9)))
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0
    if log:
        from matplotlib.colors import LogNorm

        positive = values[values > 0]
        lowest = max(float(positive.min(initial=largest)), largest * 10.0**-DECADES)
        colours = {"norm": LogNorm(min(lowest, largest / 10), largest, clip=True), "cmap": SEQUENTIAL}
        values = np.where(values > 0, values, np.nan)
    else:
        colours = {"vmin": -largest if signed else 0, "vmax": largest, "cmap": DIVERGING if signed else SEQUENTIAL}
    image = ax.imshow(values, aspect="auto", interpolation="nearest", **colours)
    label_steps(ax, tokens, T)
    ax.set_xlabel("input" if tokens else "input step")
    if one:
        ax.set_yticks([])
    else:
        label_steps(ax, outputs, S, axis="y")
        ax.set_ylabel("output" if outputs else "output step")
    if log:
        ax.figure.colorbar(
            image, ax=ax, pad=0.01, fraction=0.05, aspect=10 * ax.get_window_extent().height / ax.figure.dpi
        )
    else:
        colour_bar(ax, image)
    return ax


def plot_gradient_flow(flow, tokens=None, *, part=None, ax=None):
    """The norm of the gradient that arrives at the state of every step: a curve for each layer and direction.

    Parameters
    ----------
    flow : list of StrandFlow
        As of `gradient_flow`. Of a batch, a curve is the geometric mean of the rows that have the step, and the band
        around it is from the smallest to the largest of them.
    tokens : str or sequence of T labels, optional
        Written along the time axis, as many as there is room for.
    part : {None, "h", "c"}
        Of the state; None is all of it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        An argument is of the wrong type or shape.
    """
    if not isinstance(flow, list | tuple) or not flow or not all(hasattr(strand, "norms") for strand in flow):
        raise TypeError(f"flow: expected what gradient_flow returned, got {type(flow).__name__}")
    longest = max(len(strand.norms(part)) for strand in flow)
    tokens, curves = as_tokens("tokens", tokens, longest), []
    ax = new_axes(ax, WIDTH if tokens is None else width_for(longest), HEIGHT)
    for k, strand in enumerate(flow):
        norms = strand.norms(part).reshape(-1, len(strand.lengths))
        curves.append(np.where(within(len(norms), strand.lengths), norms, np.nan))
        _curve(ax, k, strand.name, curves[-1])
    _finish(ax, curves)
    label_steps(ax, tokens, longest)
    ax.set_ylabel("norm of the gradient" if part is None else f"norm of the gradient of {part}")
    return ax


def plot_memory(norms, *, ax=None):
    """What is left of a gradient after every number of steps back, with the effective memory of each curve.

    Parameters
    ----------
    norms : dict of str to array_like, each (D + 1,) or (D + 1, N)
        By name, as of `jacobian_norms`. Of a batch, a curve is the geometric mean of its rows, and the band around it
        is from the smallest to the largest of them.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        An argument is of the wrong type or shape.

    Notes
    -----
    The dashed line is 1/e; where a curve meets it, in a ring, is its `memory_length`, which the legend tells.
    """
    if not isinstance(norms, Mapping) or not norms:
        raise TypeError(f"norms: expected a dict of names to norms by distance, got {type(norms).__name__}")
    curves = {}
    for name, values in norms.items():
        values = as_matrix(f"norms[{name!r}]", values, "(D + 1,)" if np.ndim(values) == 1 else "(D + 1, N)")
        curves[name] = values.reshape(len(values), -1)
    ax = new_axes(ax, WIDTH, HEIGHT)
    ax.axhline(np.exp(-1), color=GREY, linewidth=1, linestyle="--")
    ax.text(1.01, np.exp(-1), "1/e", transform=ax.get_yaxis_transform(), va="center", color=GREY)
    for k, (name, values) in enumerate(curves.items()):
        mean = _geometric_mean(values)
        steps = float(memory_length(mean))
        label = f"{name}: {steps:.3g} steps" if np.isfinite(steps) else f"{name}: > {len(mean) - 1} steps"
        _curve(ax, k, label, values)
        if np.isfinite(steps):
            ax.plot([steps], [np.exp(-1)], "o", markersize=8, markerfacecolor="white", color=COLOURS[k % len(COLOURS)])
    ax.set_xlabel("steps back")
    ax.set_ylabel("left of a gradient")
    _finish(ax, list(curves.values()))
    return ax


def plot_singular_values(values, *, ax=None):
    """The singular values of the products of Jacobians over every number of steps back.

    Parameters
    ----------
    values : array_like, shape (D + 1, n)
        Of one row and strand, as of `singular_values`, the largest first.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    TypeError, ValueError
        An argument is of the wrong type or shape.
    """
    values = as_matrix("values", values, "(D + 1, n)")
    n = values.shape[1]
    ax = new_axes(ax, WIDTH, HEIGHT)
    shown = np.where(values > FLOOR * np.nanmax(values, axis=1, keepdims=True), values, np.nan)
    ax.plot(shown, color=COLOURS[0], linewidth=0.8, alpha=0.4, zorder=2)
    for index, name, colour, style in ((0, "largest", COLOURS[1], "-"), (n // 2, "median", "black", "--")):
        ax.plot(shown[:, index], color=colour, linestyle=style, linewidth=1.8, label=name, zorder=3)
    ax.set_xlabel("steps back")
    ax.set_ylabel("singular value")
    _finish(ax, [shown])
    return ax


def _geometric_mean(values):
    """Over the rows (.., N) that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.where(known, values, 1)).sum(axis=-1) / known.sum(axis=-1)
    return np.exp(logs)


def _curve(ax, k, label, values):
    """The geometric mean of values (D, N), and a band from the smallest to the largest of them."""
    colour, mean = COLOURS[k % len(COLOURS)], _geometric_mean(values)
    steps = np.arange(len(mean))
    every = max(1, len(mean) // 8)
    ax.plot(
        steps, np.where(mean > 0, mean, np.nan), color=colour, label=label, linewidth=1.6,
        marker=MARKERS[k % len(MARKERS)], markersize=4, markevery=(k * every // 4 % every, every),
    )  # fmt: skip
    if values.shape[1] > 1:
        some = values[~np.isnan(values).all(axis=1)]
        low, high = np.nanmin(some, axis=1), np.nanmax(some, axis=1)
        ax.fill_between(steps[: len(some)], np.where(low > 0, low, np.nan), high, color=colour, alpha=0.15, linewidth=0)


def _finish(ax, curves):
    """A logarithmic axis that ends where curves (D, N) are rounding, and a legend."""
    log_axes(ax)
    ax.set_xlim(-0.5, max(map(len, curves)) - 0.5)
    means = np.concatenate([_geometric_mean(values) for values in curves])
    means = means[np.isfinite(means) & (means > 0)]
    if means.size:
        low, high = max(means.min(), means.max() * FLOOR), means.max()
        ax.set_ylim(low / 2, high * 2)
    ax.legend(frameon=False, fontsize=9)


def log_axes(ax):
    """Axes of curves over a logarithmic scale."""
    ax.set_yscale("log")
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
