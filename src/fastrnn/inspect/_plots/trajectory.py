# SPDX-License-Identifier: BSD-3-Clause
"""The trajectory of a state, by principal component analysis (PCA)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_size
from . import style
from .style import Axes


def principal_components(values: ArrayLike, count: int = 2) -> tuple[Array, Array]:
    """Project a trajectory onto the directions in which it varies most.

    Pearson 1901; by the singular value decomposition of the deviations from the mean. The sign of a direction is the
    one for which its largest coefficient is positive.

    Parameters
    ----------
    values : array_like, shape (T, units)
        Finite.
    count : int, default 2
        How many directions.

    Returns
    -------
    coordinates : ndarray, shape (T, count)
        0 for directions beyond the dimension of the data.
    shares : ndarray, shape (count,)
        The share of the variance in each direction; 0 if there is no variance.

    Raises
    ------
    TypeError, ValueError
        `values` are not finite numbers of that shape, or `count` is no size.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.inspect import principal_components
    >>> coordinates, shares = principal_components(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))
    >>> coordinates[:, 0].round(3), shares.round(3)
    (array([-2.236,  0.   ,  2.236]), array([1., 0.]))
    """
    values, count = style.as_matrix("values", values), as_size("count", count, 0)
    if not np.isfinite(values).all():
        raise ValueError("values: expected finite numbers, got NaN or infinity")
    T, U = values.shape
    left, sizes, directions = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    sizes[sizes <= np.finfo(float).eps * max(T, U) * np.abs(values).max()] = 0  # rounding
    known = min(count, len(sizes))
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)[:, 0]
    coordinates, shares = np.zeros((T, count)), np.zeros(count)
    coordinates[:, :known] = (left * sizes * np.where(largest < 0, -1, 1))[:, :known]
    shares[:known] = np.square(sizes[:known]) / (np.square(sizes).sum() or 1)
    return coordinates, shares


@style.plotting("An argument has the wrong type or shape, or is not finite.")
def plot_trajectory(values: ArrayLike, tokens: Iterable[Any] | None = None, *, ax: Axes | None = None) -> Axes:
    """Plot the path of the state in the plane of its first two principal components, with time as colour.

    Parameters
    ----------
    values : array_like, shape (T, units)
        For example ``trace(model, x).pick()["h"]``; finite.
    tokens : str or sequence of T labels, optional
        Written beside the points, where they fit.

    See Also
    --------
    principal_components

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import inspect
    >>> ax = inspect.plot_trajectory(np.random.default_rng(0).standard_normal((30, 4)).cumsum(axis=0))
    >>> ax.get_xlabel()
    'component 1 (71% of the variance)'
    """
    coordinates, shares = principal_components(values)
    T = len(coordinates)
    labels = style.as_tokens("tokens", tokens, T)
    ax = style.new_axes(ax, 6.4, 5)
    ax.plot(*coordinates.T, color="0.5", alpha=float(np.clip(30 / T, 0.1, 0.6)), linewidth=0.8, zorder=1)
    size = float(np.clip(2000 / T, 8, 60))
    points = ax.scatter(*coordinates.T, c=np.arange(T), cmap=style.SEQUENTIAL, s=size, zorder=2)
    ax.set(xlabel=f"component 1 ({shares[0]:.0%} of the variance)", ylabel=f"component 2 ({shares[1]:.0%})")
    ax.margins(0.08)
    style.colour_bar(ax, points, "step", integer=True)
    if labels is not None:
        label_points(ax, coordinates, labels)
    return ax


def label_points(ax: Axes, coordinates: Array, labels: list[str]) -> None:
    """Write labels beside points, without those that would crowd an earlier one; many points are labelled sparsely."""
    spacing = 1 + len(labels) / 150
    places = ax.transData.transform(coordinates) * 72 / ax.figure.dpi / spacing  # in points of the page, scaled down
    taken = np.zeros((0, 2))
    font: dict[str, Any] = {"textcoords": "offset points", "fontsize": style.POINTS, "fontfamily": "monospace"}
    for place, point, label in zip(places, coordinates, labels, strict=True):
        distance = np.abs(taken - place)
        if ((distance[:, 0] > style.LETTER * max(1, len(label))) | (distance[:, 1] > style.LINE)).all():
            taken = np.vstack([taken, place])
            ax.annotate(label.translate(style.VISIBLE), point, (4, 3), **font)
