# SPDX-License-Identifier: BSD-3-Clause
"""The path of the state through its space."""

import numpy as np

from .style import LETTER, LINE, POINTS, SEQUENTIAL, VISIBLE, as_matrix, as_tokens, colour_bar, new_axes

__all__ = ["plot_trajectory", "principal_components"]


def principal_components(values, count=2):
    """What of a trajectory is seen in the directions in which it varies most.

    Pearson 1901; by the singular value decomposition of the deviations from the mean. Of the two signs of a direction
    that one is taken in which its largest coefficient is positive.

    Parameters
    ----------
    values : array_like, shape (T, units)
        Finite.
    count : int

    Returns
    -------
    coordinates : ndarray, shape (T, count)
        0 in directions that there are not.
    shares : ndarray, shape (count,)
        Of the variance; 0 if there is none.

    Raises
    ------
    TypeError, ValueError
        `values` are not finite numbers of that shape.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.inspect import principal_components
    >>> coordinates, shares = principal_components(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))
    >>> coordinates[:, 0].round(3), shares.round(3)
    (array([-2.236,  0.   ,  2.236]), array([1., 0.]))
    """
    values = as_matrix("values", values)
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


def plot_trajectory(values, tokens=None, *, ax=None):
    """The path of the state in the plane of its first two principal components, with time as colour.

    Parameters
    ----------
    values : array_like, shape (T, units)
        Such as ``trace(model, x).pick()["h"]``; finite.
    tokens : str or sequence of T labels, optional
        Written beside the points, where there is room.
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
        An argument is of the wrong type or shape, or not finite.

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
    tokens = as_tokens("tokens", tokens, T)
    ax = new_axes(ax, 6.4, 5)
    ax.plot(*coordinates.T, color="0.5", alpha=float(np.clip(30 / T, 0.1, 0.6)), linewidth=0.8, zorder=1)
    size = float(np.clip(2000 / T, 8, 60))
    points = ax.scatter(*coordinates.T, c=np.arange(T), cmap=SEQUENTIAL, s=size, zorder=2)
    ax.set(xlabel=f"component 1 ({shares[0]:.0%} of the variance)", ylabel=f"component 2 ({shares[1]:.0%})")
    ax.margins(0.08)
    colour_bar(ax, points, "step", integer=True)
    if tokens is not None:
        label_points(ax, coordinates, tokens)
    return ax


def label_points(ax, coordinates, tokens):
    """Write tokens beside points, leaving out those that would crowd one that stands; the more, the more air."""
    air = 1 + len(tokens) / 150
    places = ax.transData.transform(coordinates) * 72 / ax.figure.dpi / air  # in points of the page, and closer
    taken = np.zeros((0, 2))
    for place, at, token in zip(places, coordinates, tokens, strict=True):
        away = np.abs(taken - place)
        if ((away[:, 0] > LETTER * max(1, len(token))) | (away[:, 1] > LINE)).all():
            taken = np.vstack([taken, place])
            style = {"textcoords": "offset points", "fontsize": POINTS, "fontfamily": "monospace"}
            ax.annotate(token.translate(VISIBLE), at, (4, 3), **style)
