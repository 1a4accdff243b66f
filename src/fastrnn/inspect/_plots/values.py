# SPDX-License-Identifier: BSD-3-Clause
"""Plots of values over tokens: all units over time, one unit over a text, attention."""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import as_size
from .._units.ordering import order_units
from . import style
from .style import Axes


@style.plotting()
def plot_units(
    values: ArrayLike, tokens: Iterable[Any] | None = None, *, order: Literal["sorted", "clustered"] | None = None,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Plot units over time as a heat map: a row for each unit, a column for each step.

    Parameters
    ----------
    values : array_like, shape (T, units)
        For example ``trace(model, x).pick()["h"]``. NaN stays white.
    tokens : str or sequence of T labels, optional
        Written along the time axis, as many as fit.
    order : {None, "sorted", "clustered"}, default None
        The order of the rows from the top: by number; by the step at which each unit is furthest from its mean; or so
        that similar units are neighbours (average linkage of the distance 1 - correlation).

    Notes
    -----
    Colours: blue to red around 0 if there are negative values, else viridis from 0 to 1, or to the largest.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> row = inspect.trace(fr.GRU(3, 8, seed=0), np.ones((5, 3), np.float32)).pick()
    >>> ax = inspect.plot_units(row["h"], "hello", order="clustered")
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['h', 'e', 'l', 'l', 'o']
    """
    values = style.as_matrix("values", values)
    T, U = values.shape
    labels, units = style.as_tokens("tokens", tokens, T), order_units(values, order)
    height = float(np.clip(1.5 + 0.12 * U, 2.5, 8))
    ax = style.heat_map(ax, values.T[units], height, labels, style.scale(values))
    shown = np.unique(np.linspace(0, U - 1, min(U, 12)).round().astype(int))
    ax.set_yticks(shown, [str(units[k]) for k in shown], fontsize=style.POINTS)
    ax.set_ylabel("unit" if order is None else f"unit, {order}")
    return ax


@style.plotting()
def plot_text(values: ArrayLike, text: Iterable[Any], *, width: int = 80, ax: Axes | None = None) -> Axes:
    """Plot one unit over a text: its value as the background of each character or token.

    Parameters
    ----------
    values : array_like, shape (T,)
        The unit at each step, for example ``trace(model, x).pick()["c"][:, 3]``.
    text : str or sequence of T tokens
        Tokens of several characters are separated, like words.
    width : int, default 80
        Characters per line. A line also ends at a newline in the text.

    Notes
    -----
    Colours are as in `plot_units`.

    Examples
    --------
    >>> from fastrnn import inspect
    >>> ax = inspect.plot_text([0.1, -0.2, 0.9, 0.5], ["you", "are", "so", "good"])
    >>> [text.get_text() for text in ax.texts]
    ['you', 'are', 'so', 'good']
    """
    values = style.as_matrix("values", values, "(T,)")
    tokens = style.as_tokens("text", text, len(values)) or []
    places = cells(tokens, as_size("width", width))
    rows, columns = places[-1][0] + 1, max(20, *(end for _, _, end in places))  # 20: a margin around a short text
    grid = np.full((rows, columns), np.nan)
    for value, (row, start, end) in zip(values, places, strict=True):
        grid[row, start:end] = value
    ax = style.new_axes(ax, 1 + 0.1 * columns, 0.4 + 0.2 * max(rows, 3))
    image = ax.imshow(grid, aspect=2, interpolation="nearest", **style.scale(values))
    size = min(10, ax.get_window_extent().width * 72 / ax.figure.dpi / columns / 0.65)
    font: dict[str, Any] = {"ha": "center", "va": "center_baseline", "fontfamily": "monospace", "fontsize": size}
    for token, colour, (row, start, end) in zip(tokens, style.ink(image, values), places, strict=True):
        label = token if token == " " else token.translate(style.VISIBLE)
        ax.text((start + end - 1) / 2, row, label, color=colour, **font)
    ax.set_axis_off()
    style.colour_bar(ax, image)
    return ax


def cells(tokens: list[str], width: int) -> list[tuple[int, int, int]]:
    """(row, first column, end) of each token, in lines of at most `width` columns unless a token is longer."""
    gap = any(len(token) > 1 for token in tokens)
    places, row, column = [], 0, 0
    for token in tokens:
        size = max(1, len(token))
        if column and column + size > width:
            row, column = row + 1, 0
        places.append((row, column, column + size))
        column += size + gap
        if "\n" in token:
            row, column = row + 1, 0
    return places


@style.plotting()
def plot_attention(
    weights: ArrayLike, queries: Iterable[Any] | None = None, memory: Iterable[Any] | None = None, *,
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Plot how much each output step attends to each step of the memory: a row for each output step.

    Parameters
    ----------
    weights : array_like, shape (T_q, T_m)
        One row of the batch, for example of the weights that `fastrnn.Attention` returns.
    queries : str or sequence of T_q labels, optional
        The output at each step; written beside the rows, as many as fit.
    memory : str or sequence of T_m labels, optional
        The input at each step; written along the columns.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import inspect
    >>> ax = inspect.plot_attention(np.eye(4)[[0, 2, 1]], "abc", "wxyz")
    >>> ax.images[0].get_array().shape
    (3, 4)
    """
    weights = style.as_matrix("weights", weights, "(T_q, T_m)")
    T_q, T_m = weights.shape
    outputs, inputs = style.as_tokens("queries", queries, T_q), style.as_tokens("memory", memory, T_m)
    height = float(np.clip(1.2 + 0.16 * T_q, 2.5, 12))
    colours = {"vmin": 0, "vmax": np.nanmax(weights, initial=0) or 1, "cmap": style.SEQUENTIAL}
    ax = style.heat_map(ax, weights, height, inputs, colours)
    style.label_steps(ax, outputs, T_q, axis="y")
    ax.set(xlabel="input", ylabel="output")
    return ax
