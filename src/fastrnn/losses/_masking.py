# SPDX-License-Identifier: BSD-3-Clause
"""What the losses share: the checks of their arguments, which positions are counted, and the mean over them."""

import operator

import numpy as np

from .._engine.arguments import FLOATS, as_array, as_integers


def as_prediction(name, value):
    """`value` as an array of float32 or float64: what a loss is taken of, and differentiated by."""
    array = as_array(name, value, "float32 or float64")
    if array.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {array.dtype}")
    return array


def as_numbers(name, value):
    """`value` as an array of real numbers of any dtype, bools too."""
    array = as_array(name, value, "numbers")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    return array


def as_target(name, value, shape):
    """`value` as an array of real numbers of exactly `shape`: nothing is broadcast."""
    array = as_numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name}: expected {shape}, got {array.shape}")
    return array


def as_weights(name, value, dtype):
    """`value` as an array of finite numbers of at least 0."""
    array = as_numbers(name, value)
    with np.errstate(all="ignore"):
        weights = array.astype(dtype)
        refuse(name, array, ~(np.isfinite(weights) & (weights >= 0)), "finite numbers >= 0")
    return weights


def as_index(name, value):
    """`value` as an int."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None


def as_row_lengths(name, value, N, last):
    """`value` as N integers in 0..last."""
    lengths = as_integers(name, value)
    if lengths.shape != (N,):
        raise ValueError(f"{name}: expected ({N},), got {lengths.shape}")
    refuse(name, lengths, (lengths < 0) | (lengths > last), f"integers in 0..{last}")
    return lengths.astype(np.intp)


def refuse(name, array, wrong, expected):
    """Raise if an entry of `array` is `wrong`; the first one is named."""
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{name}: expected {expected}, got {array[at]} at position {at}")


def within(lengths, name, shape, rest, batch_first):
    """Mask (T, N), or (N, T) if `batch_first`: True before the end of each row of the array `name` of `shape`.

    `rest` names the axes behind these two: "V" is one axis, "..." is any number of them.
    """
    if len(shape) != 3 if rest == "V" else len(shape) < 2:
        axes = f"(N, T, {rest})" if batch_first else f"(T, N, {rest})"
        raise ValueError(f"{name}: expected {axes} with lengths, got {shape}")
    N, T = shape[:2] if batch_first else shape[1::-1]
    lengths, time = as_row_lengths("lengths", lengths, N, T), np.arange(T)
    return time < lengths[:, None] if batch_first else time[:, None] < lengths


def mean(pointwise, counted, prediction, *others):
    """Mean of a loss that looks at each element alone, and its gradient with respect to `prediction`.

    Parameters
    ----------
    pointwise : callable
        Takes the M counted elements of `prediction` and of the `others`, (M,) each; returns the sum of their losses in
        float64 and the slope of each, a new array (M,).
    counted : ndarray of bool or None
        Mask over the first axes, None for everything. What the other elements hold is not looked at.

    Returns
    -------
    loss : float
        0.0 if nothing is counted.
    dprediction : ndarray, shape and dtype of `prediction`
    """
    kept = [array if counted is None else array[counted] for array in (prediction, *others)]
    M = max(kept[0].size, 1)
    with np.errstate(all="ignore"):  # NaN and inf stay what they are
        total, slope = pointwise(*(array.reshape(-1) for array in kept))
        loss = float(total / M)
        slope /= M
    slope = slope.reshape(kept[0].shape)
    if counted is None:
        return loss, slope
    dprediction = np.zeros(prediction.shape, prediction.dtype)
    dprediction[counted] = slope
    return loss, dprediction
