# SPDX-License-Identifier: BSD-3-Clause
"""A plot of how much outputs depend on inputs."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import as_flag
from . import style
from .style import Axes

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
        The T input steps and the S output steps; as many are written as there is room for.
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
    log, signed = as_flag("log", log), (values < 0).any()
    if log and signed:
        raise ValueError("log: expected False, as there are negative values, got True")
    ax = style.new_axes(ax, style.width_for(T), 1.6 if single else float(np.clip(1.5 + 0.14 * S, 3, 9)))
    if log:
        colours = style.log_scale(values, DECADES)
        values = np.where(values > 0, values, np.nan)
    else:
        largest = float(np.abs(values[np.isfinite(values)]).max(initial=0)) or 1.0
        low, colour_map = (-largest, style.DIVERGING) if signed else (0, style.SEQUENTIAL)
        colours = {"vmin": low, "vmax": largest, "cmap": colour_map}
    image = ax.imshow(values, aspect="auto", interpolation="nearest", **colours)
    style.label_steps(ax, tokens, T)
    ax.set_xlabel("input" if tokens else "input step")
    if single:
        ax.set_yticks([])
    else:
        style.label_steps(ax, outputs, S, axis="y")
        ax.set_ylabel("output" if outputs else "output step")
    style.colour_bar(ax, image, log=log)
    return ax
