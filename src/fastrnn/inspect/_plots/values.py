# SPDX-License-Identifier: BSD-3-Clause
"""Values over tokens as pictures: all units over time, one unit over a text, attention."""

import numpy as np

from ..._engine.arguments import as_size
from .._units.ordering import order_units
from .style import (
    POINTS,
    SEQUENTIAL,
    VISIBLE,
    as_matrix,
    as_tokens,
    colour_bar,
    ink,
    label_steps,
    new_axes,
    scale,
    width_for,
)

__all__ = ["plot_attention", "plot_text", "plot_units"]


def plot_units(values, tokens=None, *, order=None, ax=None):
    """Units over time as a heat map: a row for each unit, a column for each step.

    Parameters
    ----------
    values : array_like, shape (T, units)
        Such as ``trace(model, x).pick()["h"]``. NaN stays white.
    tokens : str or sequence of T labels, optional
        Written along the time axis, as many as there is room for.
    order : {None, "sorted", "clustered"}
        Of the rows from the top: as the units are numbered; by the step at which each unit is furthest from its mean;
        or so that units which do alike are neighbours (average linkage of the distance 1 - correlation).
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
    values = as_matrix("values", values)
    T, U = values.shape
    tokens, units = as_tokens("tokens", tokens, T), order_units(values, order)
    ax = new_axes(ax, width_for(T), float(np.clip(1.5 + 0.12 * U, 2.5, 8)))
    image = ax.imshow(values.T[units], aspect="auto", interpolation="nearest", **scale(values))
    label_steps(ax, tokens, T)
    shown = np.unique(np.linspace(0, U - 1, min(U, 12)).round().astype(int))
    ax.set_yticks(shown, [str(units[k]) for k in shown], fontsize=POINTS)
    ax.set_ylabel("unit" if order is None else f"unit, {order}")
    colour_bar(ax, image)
    return ax


def plot_text(values, text, *, width=80, ax=None):
    """One unit over a text: its value as the background of each character or token.

    Parameters
    ----------
    values : array_like, shape (T,)
        The unit at each step, such as ``trace(model, x).pick()["c"][:, 3]``.
    text : str or sequence of T tokens
        Tokens of several characters stand apart, like words.
    width : int
        Characters in a line. A line also ends with a newline in the text.
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
    Colours as in `plot_units`.

    Examples
    --------
    >>> from fastrnn import inspect
    >>> ax = inspect.plot_text([0.1, -0.2, 0.9, 0.5], ["you", "are", "so", "good"])
    >>> [text.get_text() for text in ax.texts]
    ['you', 'are', 'so', 'good']
    """
    values = as_matrix("values", values, "(T,)")
    tokens = as_tokens("text", text, len(values))
    places = cells(tokens, as_size("width", width))
    rows, columns = places[-1][0] + 1, max(20, *(end for _, _, end in places))  # 20: a little paper around a word
    grid = np.full((rows, columns), np.nan)
    for value, (row, start, end) in zip(values, places, strict=True):
        grid[row, start:end] = value
    ax = new_axes(ax, 1 + 0.1 * columns, 0.4 + 0.2 * max(rows, 3))
    image = ax.imshow(grid, aspect=2, interpolation="nearest", **scale(values))
    size = min(10, ax.get_window_extent().width * 72 / ax.figure.dpi / columns / 0.65)
    for token, colour, (row, start, end) in zip(tokens, ink(image, values), places, strict=True):
        shown = token if token == " " else token.translate(VISIBLE)
        place = {"ha": "center", "va": "center_baseline", "fontfamily": "monospace", "fontsize": size}
        ax.text((start + end - 1) / 2, row, shown, color=colour, **place)
    ax.set_axis_off()
    colour_bar(ax, image)
    return ax


def cells(tokens, width):
    """(row, first column, end) of each token, in lines of at most `width` columns unless a token is longer."""
    apart = any(len(token) > 1 for token in tokens)
    places, row, column = [], 0, 0
    for token in tokens:
        size = max(1, len(token))
        if column and column + size > width:
            row, column = row + 1, 0
        places.append((row, column, column + size))
        column += size + apart
        if "\n" in token:
            row, column = row + 1, 0
    return places


def plot_attention(weights, queries=None, memory=None, *, ax=None):
    """How much each step of the output attends to each step of the memory: a row for each output.

    Parameters
    ----------
    weights : array_like, shape (T_q, T_m)
        Such as the weights of one row of the batch from `fastrnn.Attention`.
    queries : str or sequence of T_q labels, optional
        What was put out at each step; written beside the rows, as many as there is room for.
    memory : str or sequence of T_m labels, optional
        What was read; written along the columns.
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

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import inspect
    >>> ax = inspect.plot_attention(np.eye(4)[[0, 2, 1]], "abc", "wxyz")
    >>> ax.images[0].get_array().shape
    (3, 4)
    """
    weights = as_matrix("weights", weights, "(T_q, T_m)")
    T_q, T_m = weights.shape
    queries, memory = as_tokens("queries", queries, T_q), as_tokens("memory", memory, T_m)
    ax = new_axes(ax, width_for(T_m), float(np.clip(1.2 + 0.16 * T_q, 2.5, 12)))
    style = {"vmin": 0, "vmax": np.nanmax(weights, initial=0) or 1, "cmap": SEQUENTIAL}
    image = ax.imshow(weights, aspect="auto", interpolation="nearest", **style)
    label_steps(ax, memory, T_m)
    label_steps(ax, queries, T_q, axis="y")
    ax.xaxis.set_label_text("read")
    ax.yaxis.set_label_text("put out")
    colour_bar(ax, image)
    return ax
