# SPDX-License-Identifier: BSD-3-Clause
"""What the losses share: checks of their arguments, the mask of the steps within each row, and the mean over a mask."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._engine.arguments import FLOATS, Array, as_array
from .._engine.ragged import as_lengths, length_mask


def as_prediction(name: str, value: ArrayLike) -> Array:
    """`value` as an array of float32 or float64: the argument that a loss is differentiated by."""
    array = as_array(name, value, "float32 or float64")
    if array.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {array.dtype}")
    return array


def as_target(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """`value` as an array of real numbers of exactly `shape`: nothing is broadcast."""
    array = _as_numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name}: expected {shape}, got {array.shape}")
    return array


def as_weights(name: str, value: ArrayLike, dtype: DTypeLike) -> Array:
    """`value` as an array of finite numbers of at least 0."""
    array = _as_numbers(name, value)
    with np.errstate(all="ignore"):
        weights = array.astype(dtype)
        check_entries(name, array, ~(np.isfinite(weights) & (weights >= 0)), "finite numbers >= 0")
    return weights


def _as_numbers(name: str, value: ArrayLike) -> Array:
    """`value` as an array of real numbers of any dtype, bools included."""
    array = as_array(name, value, "numbers")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    return array


def check_entries(name: str, array: Array, invalid: Array, expected: str) -> None:
    """Raise ValueError if an entry of `array` is invalid; the message names the first one and its position."""
    if invalid.any():
        position = tuple(int(i) for i in np.argwhere(invalid)[0])
        raise ValueError(f"{name}: expected {expected}, got {array[position]} at position {position}")


def sequence_mask(name: str, shape: tuple[int, ...], lengths: ArrayLike, features: str, batch_first: bool) -> Array:
    """Mask (T, N), or (N, T) if `batch_first`, of the steps within the length of their row.

    Parameters
    ----------
    name, shape : str, tuple of int
        Of the array to be masked.
    lengths : array_like of integers, shape (N,)
    features : {"V", "..."}
        The axes of that array behind time and batch: "V" is exactly one axis, "..." is any number of them.
    batch_first : bool
    """
    if len(shape) != 3 if features == "V" else len(shape) < 2:
        axes = f"(N, T, {features})" if batch_first else f"(T, N, {features})"
        raise ValueError(f"{name}: expected {axes} with lengths, got {shape}")
    N, T = shape[:2] if batch_first else shape[1::-1]
    mask = length_mask(as_lengths(lengths, T, N, of=name), T)
    return mask.T if batch_first else mask


def masked_mean(
    pointwise: Callable[..., tuple[Any, Array]],
    mask: Array | None,
    prediction: Array,
    *others: Array,
) -> tuple[float, Array]:
    """Mean of an elementwise loss over a mask, and its gradient with respect to `prediction`.

    Parameters
    ----------
    pointwise : callable
        Takes the M elements of `prediction` and of the `others` within the mask, (M,) each; returns the sum of their
        losses in float64 and the derivative of each, a new array (M,).
    mask : ndarray of bool, or None
        Over the first axes; None includes everything. Elements outside of the mask are not read.
    prediction, *others : ndarray
        Of one shape.

    Returns
    -------
    loss : float
        0.0 if the mask is empty.
    dprediction : ndarray, shape and dtype of `prediction`
    """
    selected = [array if mask is None else array[mask] for array in (prediction, *others)]
    M = max(selected[0].size, 1)
    with np.errstate(all="ignore"):  # NaN and inf stay what they are
        total, slope = pointwise(*(array.reshape(-1) for array in selected))
        loss = float(total / M)
        slope /= M
    slope = slope.reshape(selected[0].shape)
    if mask is None:
        return loss, slope
    dprediction = np.zeros(prediction.shape, prediction.dtype)
    dprediction[mask] = slope
    return loss, dprediction
