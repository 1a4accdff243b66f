# SPDX-License-Identifier: BSD-3-Clause
"""Unit scores: the area under the ROC curve for properties that are true or false, correlation for numbers."""

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array


def auc(values: ArrayLike, target: ArrayLike) -> Array:
    """The area under the ROC curve: how often a unit is higher where the target is true than where it is false.

    Of all pairs of a true and a false step, the share in which the unit has the larger value at the true step; equal
    values count half (Mann and Whitney 1947; Hanley and McNeil 1982). 0.5 is chance; 1 and 0 separate perfectly.

    Parameters
    ----------
    values : array_like, shape (steps, units)
    target : array_like of bool, shape (steps,)

    Returns
    -------
    ndarray, shape (units,)
        NaN for a unit with a value that is NaN.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or shape, or `target` is the same everywhere.

    Examples
    --------
    >>> from fastrnn.inspect import auc
    >>> auc([[0.1, 5.0], [0.9, 5.0], [0.8, 5.0], [0.7, 5.0]], [False, True, True, False])
    array([1. , 0.5])
    """
    values, target = as_pair(values, target)
    if target.dtype.kind != "b":
        raise TypeError(f"target: expected True and False, got {target.dtype}; see correlation for numbers")
    return auc_of_ranks(ranks(values), target)


def auc_of_ranks(ranked: Array, target: Array) -> Array:
    """`auc`, from the `ranks` of the values."""
    true = int(target.sum())
    false = len(target) - true
    if not true or not false:
        raise ValueError(f"target: expected both True and False, got {true} and {false} of them")
    return (ranked @ target.astype(float) - true * (true - 1) / 2) / (true * false)


def ranks(values: Array) -> Array:
    """The rank of each value (steps, units) among those of its unit, from 0: (units, steps). Equal values share a mean.

    NaN for a unit with a value that is NaN.
    """
    rows = np.ascontiguousarray(values.T)
    order = np.argsort(rows, axis=1)
    ordered = np.take_along_axis(rows, order, axis=1)
    places = np.arange(rows.shape[1])
    begins, ends = np.ones(rows.shape, bool), np.ones(rows.shape, bool)
    begins[:, 1:] = ends[:, :-1] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, len(places))[:, ::-1], axis=1)[:, ::-1]
    result = np.empty(rows.shape)
    np.put_along_axis(result, order, (first + last) / 2, axis=1)
    result[np.isnan(rows).any(axis=1)] = np.nan
    return result


def correlation(values: ArrayLike, target: ArrayLike) -> Array:
    """Pearson's correlation of each unit with a target.

    Parameters
    ----------
    values : array_like, shape (steps, units)
    target : array_like, shape (steps,)
        Numbers.

    Returns
    -------
    ndarray, shape (units,)
        0 for a unit that never changes, NaN for a unit with a value that is NaN.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or shape, or `target` is the same everywhere.

    Examples
    --------
    >>> from fastrnn.inspect import correlation
    >>> correlation([[0.1, 5.0, 3.0], [0.2, 5.0, 2.0], [0.3, 5.0, 1.0]], [1, 2, 3])
    array([ 1.,  0., -1.])
    """
    values, target = as_pair(values, target)
    if not len(target) or np.ptp(target) == 0:
        raise ValueError("target: expected several values, got the same everywhere")
    constant = np.ptp(values, axis=0) == 0
    target_deviations: Array = target - target.mean(dtype=float)
    deviations: Array = values - values.mean(axis=0, dtype=float)
    sizes = np.sqrt(np.square(deviations).sum(axis=0)) * np.sqrt(np.square(target_deviations).sum())
    return np.where(constant, 0, target_deviations @ deviations / np.where(constant, 1, sizes))


def as_numbers(name: str, value: ArrayLike) -> Array:
    """`value` as an array of numbers or booleans."""
    array = as_array(name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, or True and False, got {array.dtype}")
    return array


def as_pair(values: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    """Both as arrays of matching shapes."""
    values, target = as_numbers("values", values), as_numbers("target", target)
    if values.ndim != 2 or target.shape != values.shape[:1]:
        raise ValueError(
            f"values, target: expected (steps, units) and (steps,), got shapes {values.shape} and {target.shape}"
        )
    return values, target
