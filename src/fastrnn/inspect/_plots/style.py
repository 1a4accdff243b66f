# SPDX-License-Identifier: BSD-3-Clause
"""Shared code of the plots: docstrings, axes of a suitable size, colour-blind safe colours, tokens along an axis."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._engine.arguments import Array, as_array
from .._documented import Function, documented

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:
    Axes = Any  # matplotlib is imported when the first plot is drawn

# Okabe and Ito 2008, "Color universal design", without its yellow, which is too light for lines on white.
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
MARKERS = "o", "^", "s", "D", "v", "P"  # for readers who see no colours
DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"
CURVES = 7.0, 3.8  # width and height of a plot of curves, in inches
POINTS = 8  # font size of a token
LETTER, LINE = 0.62 * POINTS, 1.2 * POINTS  # width of a letter in a monospaced font and height of a line, in points
LONGEST = 12  # letters of a label
VISIBLE = str.maketrans({" ": "\u2423", "\n": "\u21b5", "\t": "\u21e5"})  # open box, arrows
SHARED = """
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
    {errors}"""


def plotting(errors: str = "An argument has the wrong type or shape.") -> Callable[[Function], Function]:
    """Decorate a plotting function: add the parameter `ax` and the sections Returns and Raises to its docstring."""
    return documented(last=SHARED.format(errors=errors))


def as_numbers(name: str, value: Any) -> Array:
    """`value` as an array of numbers."""
    if isinstance(value, Mapping):
        names = ", ".join(map(repr, value))
        raise TypeError(f"{name}: expected one array, got a {type(value).__name__} of several: choose one of {names}")
    array = as_array(name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    return array


def as_matrix(name: str, value: Any, axes: str = "(T, units)") -> Array:
    """`value` as float64 with as many dimensions as `axes` has, none of them empty."""
    array = as_numbers(name, value)
    if array.ndim != axes.count(",") + (not axes.endswith(",)")) or not array.size:
        raise ValueError(f"{name}: expected {axes}, at least one of each, got shape {array.shape}")
    return array.astype(np.float64)


def as_tokens(name: str, tokens: Iterable[Any] | None, count: int) -> list[str] | None:
    """A label for each of `count` steps, or None: the characters of a string, or anything that can be printed."""
    if tokens is None:
        return None
    labels = [str(token) for token in tokens]
    if len(labels) != count:
        raise ValueError(f"{name}: expected {count}, one for each step, got {len(labels)}")
    return labels


def new_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the axes of a new figure with a size in inches."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('plots need matplotlib: pip install "fastrnn[inspect]"') from None

    return pyplot.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def width_for(steps: int) -> float:
    """The width of a figure in inches for a number of steps along x."""
    return float(np.clip(2 + 0.16 * steps, 5, 16))


def finish_curves(ax: Axes) -> None:
    """Give axes of curves a logarithmic scale and a legend."""
    ax.set_yscale("log")
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)


def heat_map(ax: Axes | None, values: Array, height: float, tokens: list[str] | None, colours: dict[str, Any]) -> Axes:
    """Draw values (rows, T) with a colour bar and the tokens of the T steps; a new figure has this height in inches."""
    T = values.shape[1]
    ax = new_axes(ax, width_for(T), height)
    image = ax.imshow(values, aspect="auto", interpolation="nearest", **colours)
    label_steps(ax, tokens, T)
    colour_bar(ax, image)
    return ax


def scale(values: Array, least: float = 1.0) -> dict[str, Any]:
    """Colour limits and a colour map: symmetric around 0 for both signs, else from 0 to the largest, at least `least`.

    Where all values are 0 the limit is 1.
    """
    values = values[np.isfinite(values)]
    largest = float(np.abs(values).max(initial=0)) or 1.0
    if (values < 0).any():
        return {"vmin": -largest, "vmax": largest, "cmap": DIVERGING}
    return {"vmin": 0.0, "vmax": max(least, largest), "cmap": SEQUENTIAL}


def log_scale(values: Array, decades: int) -> dict[str, Any]:
    """A logarithmic colour scale of the positive values, over at most some decades."""
    from matplotlib.colors import LogNorm

    values = values[np.isfinite(values) & (values > 0)]
    largest = float(values.max(initial=0)) or 1.0
    lowest = max(float(values.min(initial=largest)), largest * 10.0**-decades)
    return {"norm": LogNorm(min(lowest, largest / 10), largest, clip=True), "cmap": SEQUENTIAL}


def ink(mappable: Any, values: Array) -> list[str]:
    """Black or white for letters on the colour of each value, whichever has the larger contrast (WCAG 2.1)."""
    rgba = mappable.to_rgba(values)
    shown = 1 - rgba[:, 3:] * (1 - rgba[:, :3])  # on white paper
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where((luminance + 0.05) ** 2 > 1.05 * 0.05, "black", "white").tolist()


def colour_bar(ax: Axes, mappable: Any, label: str = "", *, integer: bool = False) -> None:
    """Draw a bar a tenth of an inch wide beside the axes, on a linear scale with a tick every half inch at most."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator

    inches = ax.get_window_extent().height / ax.figure.dpi
    ticks = None if isinstance(mappable.norm, LogNorm) else MaxNLocator(nbins=max(1, int(2 * inches)), integer=integer)
    ax.figure.colorbar(mappable, ax=ax, label=label, pad=0.01, fraction=0.05, aspect=10 * inches, ticks=ticks)


def label_steps(ax: Axes, tokens: list[str] | None, count: int, axis: str = "x") -> None:
    """Write tokens along an axis of `count` steps, as many as fit; without tokens, number the steps.

    Tokens are written side by side if they fit, else upright. Where upright ones do not fit either, characters are
    joined to words, each written at its first character, and a word that would overlap the one before is left out.
    Long labels are cut.
    """
    if tokens is None:
        getattr(ax, f"set_{axis}label")("step")
        return
    box = ax.get_window_extent()
    points = (box.width if axis == "x" else box.height) * 72 / ax.figure.dpi / count  # per step
    upright = axis == "x" and min(LONGEST, max(map(len, tokens))) * LETTER > points
    needed = LINE if upright or axis == "y" else 0
    shown: dict[int, str] = {}
    for t, token in enumerate(tokens) if points >= needed else words(tokens):
        if not shown or (t - max(shown)) * points >= needed:
            label = token.translate(VISIBLE)
            shown[t] = label if len(label) <= LONGEST else label[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"
    font = {"fontsize": POINTS, "fontfamily": "monospace", "rotation": 90 if upright else 0}
    getattr(ax, f"set_{axis}ticks")([*shown], [*shown.values()], **font)
    ax.tick_params(axis=axis, length=2)  # type: ignore[arg-type]


def words(tokens: list[str]) -> list[tuple[int, str]]:
    """(step, label) of each word if the tokens are characters, else of each token."""
    if any(len(token) != 1 for token in tokens):
        return list(enumerate(tokens))
    breaks = [t for t, token in enumerate(tokens) if token.isspace()]
    ends = zip([-1, *breaks], [*breaks, len(tokens)], strict=True)
    return [(a + 1, "".join(tokens[a + 1 : b])) for a, b in ends if b > a + 1]
