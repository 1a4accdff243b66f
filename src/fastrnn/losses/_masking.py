# SPDX-License-Identifier: BSD-3-Clause
"""Code shared by the losses: argument checks, masks and weights, and reduction to a mean or sum."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._engine.arguments import FLOATS, Array, as_array, as_choice, as_flag, check_no_results
from .._engine.ragged import as_lengths, length_mask
from ._mean import Mean, Sum

REDUCTIONS = ("mean", "sum")

# -- arguments -------------------------------------------------------------------------------------------------------


def as_prediction(name: str, value: ArrayLike) -> Array:
    """`value` as an array of float32 or float64: the argument that a loss is differentiated by."""
    check_no_results(name, value, "the output y", ndim=2)
    array = as_array(name, value, "float32 or float64")
    if array.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float32 or float64, got {array.dtype}")
    return array


def as_target(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """`value` as an array of real numbers of exactly `shape`: nothing is broadcast."""
    array = as_numbers(name, value)
    if array.shape != shape:
        raise ValueError(f"{name}: expected {shape}, got {array.shape}")
    return array


def as_weights(name: str, value: ArrayLike, dtype: DTypeLike) -> Array:
    """`value` as a new array of finite numbers of at least 0."""
    array = as_numbers(name, value)
    with np.errstate(all="ignore"):
        weights = array.astype(dtype)
        if not are_weights(weights):
            check_entries(name, array, ~(np.isfinite(weights) & (weights >= 0)), "finite numbers >= 0")
    return weights


def are_weights(array: Array) -> bool:
    """Whether floats are all finite and at least 0, in two passes over them; of nan neither comparison is true."""
    return not array.size or (array.min() >= 0 and array.max() < np.inf)


def as_numbers(name: str, value: ArrayLike) -> Array:
    """`value` as an array of real numbers of any dtype, bools included."""
    array = as_array(name, value, "numbers")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    return array


def check_entries(name: str, array: Array, invalid: Array, expected: str) -> None:
    """Raise ValueError if an entry of `array` is invalid; the message names the first one and its position."""
    if np.count_nonzero(invalid):
        position = tuple(int(i) for i in np.argwhere(invalid)[0])
        raise ValueError(f"{name}: expected {expected}, got {array[position]} at position {position}")


# -- what counts -----------------------------------------------------------------------------------------------------


def sequence_mask(name: str, shape: tuple[int, ...], lengths: ArrayLike, features: str, batch_first: bool) -> Array:
    """Mask (T, N), or (N, T) if `batch_first`, of the steps within the length of their row.

    Parameters
    ----------
    name, shape : str, tuple of int
        Of the array to be masked.
    lengths : array_like of integers, shape (N,)
    features : {"V", "...", "..., Q"}
        The axes of that array behind time and batch: "V" is exactly one axis, "..." is any number of them.
    batch_first : bool
    """
    if len(shape) != 3 if features == "V" else len(shape) < 2 + features.endswith("Q"):
        axes = f"(N, T, {features})" if batch_first else f"(T, N, {features})"
        raise ValueError(f"{name}: expected {axes} with lengths, got {shape}")
    N, T = shape[:2] if batch_first else shape[1::-1]
    mask = length_mask(as_lengths(lengths, T, N, of=name), T)
    return mask.T if batch_first else mask


def as_sample_weight(value: ArrayLike, units: tuple[int, ...], row_axis: int = 0, elements: bool = False) -> Array:
    """`value` as weights of each unit; its number of axes says what it has a weight for, and its shape has to fit.

    Parameters
    ----------
    value : array_like of numbers >= 0
        (N,) for rows, `units` without its last axis for positions if `elements`, or `units`.
    units : tuple of int
        The shape of what the loss has one value for: elements, or positions.
    row_axis : int
        The axis of the rows in `units`.
    elements : bool
        Whether the last axis of `units` is one of features.

    Returns
    -------
    weights : ndarray of float64, shape `units`
        To be read only: it may be `value` itself.
    """
    as_they_are = type(value) is np.ndarray and value.dtype == np.float64 and are_weights(value)  # those of `fit`
    weights: Any = value if as_they_are else as_weights("sample_weight", value, np.float64)
    if weights.shape == units:
        return weights
    shapes = {len(units): units}
    if elements and len(units) > 1:
        shapes[len(units) - 1] = units[:-1]
    if units:
        shapes[1] = units[row_axis : row_axis + 1]
    if weights.shape != shapes.get(weights.ndim):
        expected = " or ".join(str(shapes[ndim]) for ndim in sorted(shapes))
        raise ValueError(f"sample_weight: expected {expected}, got {weights.shape}")
    if weights.ndim == 1:
        weights = weights.reshape(-1, *(1,) * (len(units) - 1 - row_axis))
    elif weights.ndim < len(units):
        weights = weights[..., None]
    return np.broadcast_to(weights, units)


class Options(NamedTuple):
    """The arguments that all losses of positions or elements have."""

    lengths: ArrayLike | None = None
    batch_first: bool = False
    sample_weight: ArrayLike | None = None
    reduction: str = "mean"


class Reduction(NamedTuple):
    """The mask, the weights and the reduction of a loss.

    Attributes
    ----------
    mask : ndarray of bool, or None
        Over the first axes of the units, or all of them; None includes everything.
    weights : ndarray of float64, or None
        One for each unit, above 0 within the mask; None is 1 for each.
    how : {"mean", "sum"}
    """

    mask: Array | None
    weights: Array | None
    how: str

    def divisor(self, weight: float) -> float:
        """The divisor of the gradient of the sum of the losses, given the sum of the weights; never 0."""
        return weight if self.how == "mean" and weight else 1

    def of(self, total: float, weight: float) -> Mean:
        """The value of a loss, given the sum of the losses and of the weights."""
        return Mean(total, weight) if self.how == "mean" else Sum(total, weight)


def as_reduction(
    name: str, shape: tuple[int, ...], units: tuple[int, ...], options: Options, features: str = "..."
) -> Reduction:
    """The `Reduction` of a loss by its options.

    Parameters
    ----------
    name, shape : str, tuple of int
        Of the prediction. With lengths, or of three axes or more, it has time: (T, N, ...), with `batch_first`
        (N, T, ...).
    units : tuple of int
        The shape of what the loss has one value for: `shape`, or `shape` without its last axis.
    options : Options
    features : {"V", "...", "..., Q"}
        See `sequence_mask`.
    """
    lengths, batch_first, sample_weight, how = options
    batch_first, how = as_flag("batch_first", batch_first), as_choice("reduction", how, REDUCTIONS)
    mask = None if lengths is None else sequence_mask(name, shape, lengths, features, batch_first)
    if sample_weight is None:
        return Reduction(mask, None, how)
    has_time = lengths is not None or len(shape) >= 3
    weights = as_sample_weight(sample_weight, units, int(has_time and not batch_first), units == shape)
    counted = np.asarray(weights > 0)
    if mask is not None:
        counted &= mask.reshape(*mask.shape, *(1,) * (len(units) - 2))
    return Reduction(counted, weights, how)


# -- the mean over what counts ---------------------------------------------------------------------------------------


Total: TypeAlias = Callable[..., Any]  # the sum, weighted and in float64, of the products of arrays (M,)


def reduce_elements(
    pointwise: Callable[..., tuple[Any, Array]], reduction: Reduction, prediction: Array, *others: Array
) -> tuple[Mean, Array]:
    """Mean or sum of an elementwise loss over what counts, and its gradient with respect to `prediction`.

    Parameters
    ----------
    pointwise : callable
        Takes a `Total` and the M elements of `prediction` and of the `others` that count, (M,) each; returns the sum of
        their losses, which a `Total` gives, and the derivative of each, a new array (M,).
    reduction : Reduction
        Of these elements, or of positions, which `prediction` has further axes behind. What is outside of the mask is
        not read.
    prediction, *others : ndarray
        Of one shape.

    Returns
    -------
    loss : Mean
        Of weight 0 if the mask is empty.
    dprediction : ndarray, shape and dtype of `prediction`
    """
    mask, weights, _ = reduction
    selected = (prediction, *others) if mask is None else [array[mask] for array in (prediction, *others)]
    w: tuple[Array, ...] = ()  # a factor of every product, if there are weights
    if weights is not None:
        if weights.shape != prediction.shape:
            weights = weights.reshape(weights.shape + (1,) * (prediction.ndim - weights.ndim))
            weights = np.broadcast_to(weights, prediction.shape)
        w = (weights[mask].reshape(-1),)
    weight = float(w[0].sum()) if w else selected[0].size
    divisor = reduction.divisor(weight)

    def total(*factors: Array) -> Any:
        factors = w + factors
        if len(factors) == 1:
            return factors[0].sum(dtype=np.float64)
        return np.einsum(",".join("i" * len(factors)) + "->", *factors, dtype=np.float64)

    with np.errstate(all="ignore"):  # NaN and inf stay what they are
        loss, slope = pointwise(total, *[array.reshape(-1) for array in selected])
        if w:
            slope *= (w[0] / divisor).astype(slope.dtype)
        else:
            slope /= divisor
    slope = slope.reshape(selected[0].shape)
    if mask is None:
        return reduction.of(loss, weight), slope
    dprediction = np.zeros(prediction.shape, prediction.dtype)
    dprediction[mask] = slope
    return reduction.of(loss, weight), dprediction
