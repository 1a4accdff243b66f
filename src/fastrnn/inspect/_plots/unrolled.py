# SPDX-License-Identifier: BSD-3-Clause
"""A diagram of a small network unrolled in time, with its values."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array
from ...nn import GRU, LSTM, RNN
from .._trace.record import trace
from . import style
from .style import Axes

MOST_STEPS, MOST_UNITS = 8, 6  # that are legible on a page
GAP = 1.4  # between the boxes of two steps or two layers; lengths are in circles, which are INCH wide
INCH = 0.36

Box = dict[str, Array]  # arrays (T, units) by name, from the bottom of the box


@style.plotting("An argument has the wrong type or shape, or the network is too large for a diagram.")
def plot_unrolled(
    layer: RNN | LSTM | GRU, x: ArrayLike, tokens: Iterable[Any] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw a small network unrolled in time: a column for each step, a box for each layer, a circle for each value.

    The top row of a box is h. Below it are c and the gates of an LSTM, or the gates of a GRU. The boxes of a layer are
    the same network with the same weights at each step; the arrows between them are what it remembers.

    Parameters
    ----------
    layer : RNN, LSTM or GRU
        Of one direction, with at most 6 inputs and 6 units.
    x : array_like, shape (T, I)
        At most 8 steps; the initial state is 0.
    tokens : str or sequence of T labels, optional
        Written below the inputs.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> ax = inspect.plot_unrolled(fr.RNN(2, 3, seed=0), np.eye(2), "ab")
    >>> len(ax.collections[0].get_array())  # circles: 2 inputs and 3 units at 2 steps
    10
    """
    boxes = boxes_of(layer, x)
    T = len(boxes[0]["x"])
    labels = style.as_tokens("tokens", tokens, T) or [str(t) for t in range(T)]
    columns = max(values.shape[1] for box in boxes for values in box.values())
    lefts = np.arange(T) * (columns + GAP)
    bottoms = np.cumsum([0, *(len(box) + GAP for box in boxes)])
    left, right, top = -2.4, lefts[-1] + columns + 0.4, bottoms[-1] - GAP + 0.4
    ax = style.new_axes(ax, INCH * (right - left), INCH * (top + 1.2))
    ax.set(xlim=(left, right), ylim=(-1.2, top), aspect="equal")
    ax.set_axis_off()
    for left, label in zip(lefts, labels, strict=True):
        ax.text(left + columns / 2, -0.3, label.translate(style.VISIBLE), ha="center", va="top", fontfamily="monospace")
    for k, (bottom, box) in enumerate(zip(bottoms, boxes, strict=False)):
        draw_boxes(ax, lefts, bottom, columns, len(box), is_layer=k > 0)
        for row, name in enumerate(box):
            ax.text(-1.4, bottom + row + 0.5, name, ha="right", va="center", style="italic")
    draw_values(ax, boxes, lefts, bottoms, columns)
    return ax


def boxes_of(layer: RNN | LSTM | GRU, x: ArrayLike) -> list[Box]:
    """The contents of the boxes, from the inputs upwards."""
    if not isinstance(layer, RNN | LSTM | GRU):
        raise TypeError(f"layer: expected RNN, LSTM or GRU, got {type(layer).__name__}")
    if layer.reads_ahead:
        kind = "bidirectional layer" if layer.bidirectional else "layer with reverse=True"
        raise ValueError(f"layer: expected one that reads forwards, got a {kind}")
    if max(layer.input_size, layer.hidden_size) > MOST_UNITS:
        raise ValueError(
            f"layer: expected at most {MOST_UNITS} inputs and {MOST_UNITS} units for a diagram, "
            f"got {layer.input_size} and {layer.hidden_size}"
        )
    x = style.as_matrix("x", x, "(T, I)").astype(layer.dtype)
    if len(x) > MOST_STEPS:
        raise ValueError(f"x: expected at most {MOST_STEPS} steps for a diagram, got {len(x)}")
    arrays = trace(layer, x)
    names = sorted(arrays, key="ch".find)  # the gates, then c, then h
    return [{"x": x}, *({name: arrays[name][k, 0, :, 0] for name in names} for k in range(layer.num_layers))]


def draw_boxes(ax: Axes, lefts: Array, bottom: float, columns: int, rows: int, is_layer: bool) -> None:
    """Draw the boxes of a layer with arrows from below and from the step before, or the boxes of x without arrows."""
    from matplotlib.patches import FancyBboxPatch

    arrow = {"arrowstyle": "-|>", "color": "0.3", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    for left in lefts:
        marks: dict[str, Any] = {"facecolor": "0.96" if is_layer else "white", "edgecolor": "0.6", "zorder": 0}
        ax.add_patch(FancyBboxPatch((left, bottom), columns, rows, boxstyle="round,pad=0.15", **marks))
        if is_layer:
            middle, side = left + columns / 2, bottom + rows / 2
            ax.annotate("", (middle, bottom - 0.15), (middle, bottom - GAP + 0.15), arrowprops=arrow)
            ax.annotate("", (left - 0.15, side), (left - GAP + 0.15, side), arrowprops=arrow)


def draw_values(ax: Axes, boxes: list[Box], lefts: Array, bottoms: Array, columns: int) -> None:
    """Draw a circle for each value, with its colour and its number; all circles in one collection."""
    from matplotlib.collections import EllipseCollection

    centres, numbers = [], []
    for bottom, box in zip(bottoms, boxes, strict=False):
        for row, array in enumerate(box.values()):
            start = (columns - array.shape[1]) / 2 + 0.5  # a narrow row is centred
            for t, unit in np.ndindex(array.shape):
                centres.append((lefts[t] + start + unit, bottom + row + 0.5))
                numbers.append(array[t, unit])
    values = np.array(numbers, float)
    limit = max(1.0, float(np.abs(values[np.isfinite(values)]).max(initial=0)))
    size = np.full(len(values), 0.92)
    circles = EllipseCollection(
        size, size, np.zeros_like(size), units="xy", offsets=centres, transOffset=ax.transData, array=values,
        cmap=style.DIVERGING, edgecolors="0.5", linewidths=0.6, zorder=2,
    )  # fmt: skip
    circles.set_clim(-limit, limit)
    ax.add_collection(circles, autolim=False)
    font: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontsize": style.POINTS - 1.5, "zorder": 3}
    for (left, bottom), value, colour in zip(centres, values, style.ink(circles, values), strict=True):
        ax.text(left, bottom, f"{value:z.2f}".replace("-", "\N{MINUS SIGN}"), color=colour, **font)
