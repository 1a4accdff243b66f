# SPDX-License-Identifier: BSD-3-Clause
"""How open the gates are, and how often they are almost open or almost closed."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array
from . import style
from .style import Axes

GATES = {"i": "input", "f": "forget", "o": "output", "r": "reset", "z": "update"}  # those between 0 and 1
LEFT, RIGHT = 0.1, 0.9
ERRORS = "An argument has the wrong type or shape, or there is no such gate."


def saturation(values: ArrayLike) -> tuple[Array, Array]:
    """The share of the steps at which each gate is left-saturated, below 0.1, and right-saturated, above 0.9.

    Karpathy, Johnson, Fei-Fei, "Visualizing and understanding recurrent networks", 2015, arXiv 1506.02078.

    Parameters
    ----------
    values : array_like, shape (..., units)
        A gate between 0 and 1, at any steps; NaN is ignored.

    Returns
    -------
    left, right : ndarray, shape (units,)
        NaN where there is no step.

    Raises
    ------
    TypeError, ValueError
        `values` are not numbers between 0 and 1.

    Examples
    --------
    >>> from fastrnn.inspect import saturation
    >>> saturation([[0.05, 0.5], [0.95, 0.5], [0.92, 0.3], [0.97, 0.95]])
    (array([0.25, 0.  ]), array([0.75, 0.25]))
    """
    values = as_gate("values", values)
    values = values.reshape(-1, values.shape[-1])
    steps = (~np.isnan(values)).sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0 of 0 steps
        return (values < LEFT).sum(axis=0) / steps, (values > RIGHT).sum(axis=0) / steps


def as_gate(name: str, value: Any) -> Array:
    """`value` as numbers between 0 and 1, or NaN."""
    array = style.as_numbers(name, value)
    if array.ndim == 0:
        raise ValueError(f"{name}: expected (..., units), got a single number")
    if not array.shape[-1]:
        raise ValueError(f"{name}: expected (..., units), at least one unit, got shape {array.shape}")
    wrong = (array < 0) | (array > 1)
    if wrong.any():
        raise ValueError(f"{name}: expected a gate between 0 and 1, got {array[wrong][0]}")
    return array


def as_gates(arrays: Any) -> dict[str, Array]:
    """The gates between 0 and 1 among named arrays (T, units)."""
    if not hasattr(arrays, "items"):
        raise TypeError(f"gates: expected named arrays, such as trace(...).pick(), got {type(arrays).__name__}")
    gates = {name: as_gate(f"gates[{name!r}]", array) for name, array in arrays.items() if name in GATES}
    if not gates:
        raise ValueError(f"gates: expected some of {', '.join(GATES)}, got {', '.join(arrays) or 'nothing'}")
    for name, array in gates.items():
        if array.ndim != 2 or not array.size:
            raise ValueError(f"gates[{name!r}]: expected (T, units), at least one of each, got shape {array.shape}")
    return gates


@style.plotting(ERRORS)
def plot_openness(
    gates: Mapping[str, ArrayLike], tokens: Iterable[Any] | None = None, *, ax: Axes | None = None
) -> Axes:
    """Plot how open the gates are over time: for each gate the mean of its units, and a band of their middle half.

    Parameters
    ----------
    gates : mapping of str to array_like, shape (T, units)
        For example ``trace(model, x).pick()``; "i", "f", "o" of an LSTM and "r", "z" of a GRU are drawn.
    tokens : str or sequence of T labels, optional
        Written along the time axis, as many as fit.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> row = inspect.trace(fr.LSTM(3, 8, seed=0), np.ones((5, 3), np.float32)).pick()
    >>> ax = inspect.plot_openness(row, "hello")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['input i', 'forget f', 'output o']
    """
    arrays = as_gates(gates)
    T = len(next(iter(arrays.values())))
    labels = style.as_tokens("tokens", tokens, T)
    ax = style.new_axes(ax, style.width_for(T), 3)
    for (name, values), colour in zip(arrays.items(), style.COLOURS, strict=False):
        low, high = np.quantile(values, [0.25, 0.75], axis=1)
        ax.fill_between(range(T), low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(values.mean(axis=1), color=colour, label=f"{GATES[name]} {name}", linewidth=1.5)
    ax.set(xlim=(-0.5, T - 0.5), ylim=(0, 1), ylabel="openness")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(arrays), frameon=False, borderaxespad=0.2)
    style.label_steps(ax, labels, T)
    return ax


@style.plotting(ERRORS)
def plot_saturation(gates: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Plot how often each gate is almost open or almost closed: a point for each unit.

    On the right are gates that are often right-saturated (above 0.9: they let values pass), at the top those that are
    often left-saturated (below 0.1: they block), in the lower left corner those that are rarely either. See
    `saturation`.

    Parameters
    ----------
    gates : mapping of str to array_like, shape (T, units)
        As in `plot_openness`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> row = inspect.trace(fr.GRU(3, 8, seed=0), np.ones((5, 3), np.float32)).pick()
    >>> ax = inspect.plot_saturation(row)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['reset r', 'update z']
    """
    arrays = as_gates(gates)
    ax = style.new_axes(ax, 4.8, 4.5)
    ax.plot([0, 1], [1, 0], color="0.8", linewidth=1, zorder=0)  # the shares add up to at most 1
    sizes = 70, 36, 14  # of hollow markers, so that points at the same place show one another
    for (name, values), colour, marker, size in zip(arrays.items(), style.COLOURS, style.MARKERS, sizes, strict=False):
        left, right = saturation(values)
        marks: dict[str, Any] = {"s": size, "marker": marker, "facecolors": "none", "edgecolors": colour}
        ax.scatter(right, left, label=f"{GATES[name]} {name}", clip_on=False, linewidths=1, **marks)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set(xlabel=f"share of steps right-saturated (> {RIGHT})", ylabel=f"share of steps left-saturated (< {LEFT})")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="upper right")
    return ax
