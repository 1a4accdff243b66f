# SPDX-License-Identifier: BSD-3-Clause
"""What all plots share: axes of a fitting size, colours that everybody can tell apart, tokens along an axis."""

from collections.abc import Mapping

import numpy as np

from ..._engine import arguments

# Okabe and Ito 2008, "Color universal design", without its yellow, which is too light for lines on white.
COLOURS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
MARKERS = "o", "^", "s", "D", "v", "P"  # for who sees no colours at all
DIVERGING, SEQUENTIAL = "RdBu_r", "viridis"
POINTS = 8  # the size of a token's letters
LETTER, LINE = 0.62 * POINTS, 1.2 * POINTS  # points that a letter is wide, in a monospaced face, and a line high
LONGEST = 12  # letters of a label
VISIBLE = str.maketrans({" ": "\u2423", "\n": "\u21b5", "\t": "\u21e5"})  # open box, arrows


def new_axes(ax, width, height):
    """`ax`, or the axes of a new figure of a size in inches."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError('plots need matplotlib: pip install "fastrnn[inspect]"') from None

    if ax is None:
        _, ax = pyplot.subplots(figsize=(width, height), layout="constrained")
    return ax


def width_for(steps):
    """Inches of a figure for a number of steps along x."""
    return float(np.clip(2 + 0.16 * steps, 5, 16))


def as_numbers(name, value):
    """`value` as an array of numbers."""
    if isinstance(value, Mapping):
        few = ", ".join(map(repr, value))
        raise TypeError(f"{name}: expected one array, got a {type(value).__name__} of several: choose one of {few}")
    array = arguments.as_array(name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    return array


def as_matrix(name, value, axes="(T, units)"):
    """`value` as float64 in as many dimensions as `axes` has, none of them empty."""
    array = as_numbers(name, value)
    if array.ndim != axes.count(",") + (not axes.endswith(",)")) or not array.size:
        raise ValueError(f"{name}: expected {axes}, at least one of each, got shape {array.shape}")
    return array.astype(np.float64)


def as_tokens(name, tokens, count):
    """A label for each of `count` steps, or None: the characters of a string, or anything that can be printed."""
    if tokens is None:
        return None
    tokens = [str(token) for token in tokens]
    if len(tokens) != count:
        raise ValueError(f"{name}: expected {count}, one for each step, got {len(tokens)}")
    return tokens


def scale(values):
    """Limits of colour and a colour map: around 0 where there are two signs, else from 0 to 1, or to the largest."""
    values = values[np.isfinite(values)]
    largest = float(np.abs(values).max(initial=0)) or 1.0
    if (values < 0).any():
        return {"vmin": -largest, "vmax": largest, "cmap": DIVERGING}
    return {"vmin": 0.0, "vmax": max(1.0, largest), "cmap": SEQUENTIAL}


def ink(mappable, values):
    """Black or white for letters on the colour of each value, whichever has the larger contrast (WCAG 2.1)."""
    rgba = mappable.to_rgba(values)
    shown = 1 - rgba[:, 3:] * (1 - rgba[:, :3])  # white paper behind
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return np.where((luminance + 0.05) ** 2 > 1.05 * 0.05, "black", "white").tolist()


def colour_bar(ax, mappable, label="", integer=False):
    """A bar of a tenth of an inch beside the axes, with a tick every half inch at most."""
    from matplotlib.ticker import MaxNLocator

    inches = ax.get_window_extent().height / ax.figure.dpi
    ticks = MaxNLocator(nbins=max(1, int(2 * inches)), integer=integer)
    ax.figure.colorbar(mappable, ax=ax, label=label, pad=0.01, fraction=0.05, aspect=10 * inches, ticks=ticks)


def label_steps(ax, tokens, count, axis="x"):
    """Write tokens along an axis of `count` steps, as many as there is room for; without tokens, steps are counted.

    Side by side if they fit, else upright. Where there is no room for that either, characters make words, each written
    at its first character, and what would overlap its predecessor is left out. What is long is cut.
    """
    if tokens is None:
        getattr(ax, f"set_{axis}label")("step")
        return
    box = ax.get_window_extent()
    points = (box.width if axis == "x" else box.height) * 72 / ax.figure.dpi / count  # of a step
    upright = axis == "x" and min(LONGEST, max(map(len, tokens))) * LETTER > points
    room = LINE if upright or axis == "y" else 0
    labels, kept = list(enumerate(tokens)) if points >= room else words(tokens), []
    for t, label in labels:
        if not kept or (t - kept[-1][0]) * points >= room:
            shown = label.translate(VISIBLE)
            kept.append((t, shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"))
    style = {"fontsize": POINTS, "fontfamily": "monospace", "rotation": 90 if upright else 0}
    getattr(ax, f"set_{axis}ticks")([t for t, _ in kept], [label for _, label in kept], **style)
    ax.tick_params(axis=axis, length=2)


def words(tokens):
    """(step, label) of each word if the tokens are characters, else of each token."""
    if any(len(token) != 1 for token in tokens):
        return list(enumerate(tokens))
    breaks = [t for t, token in enumerate(tokens) if token.isspace()]
    ends = zip([-1, *breaks], [*breaks, len(tokens)], strict=True)
    return [(a + 1, "".join(tokens[a + 1 : b])) for a, b in ends if b > a + 1]
