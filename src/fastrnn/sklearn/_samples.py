# SPDX-License-Identifier: BSD-3-Clause
"""Training samples with a weight above 0 (sequences, targets, weights), and the scaling of sequences."""

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._engine.arguments import Array
from ._sequences import Sequences

SMALL, LARGE = 1e-15, 1e15  # values between these have squares and sums in float32, too


class Samples(NamedTuple):
    """Training samples.

    Attributes
    ----------
    x : ndarray, shape (N, T, C), or list of ndarray, (T_n, C)
    targets : ndarray, shape (N,) or (N, K)
        Codes of classes, or values.
    weights : ndarray, shape (N,), or None
    """

    x: Any
    targets: Array
    weights: Array | None

    @property
    def count(self) -> int:
        return len(self.targets)

    @property
    def codes(self) -> Array | None:
        """The targets, if they are classes."""
        return self.targets if self.targets.ndim == 1 else None

    def only(self, which: Array) -> Self:
        """These samples, in this order."""
        x = self.x[which] if isinstance(self.x, np.ndarray) else [self.x[n] for n in which]
        return type(self)(x, self.targets[which], None if self.weights is None else self.weights[which])


def weighted_only(sequences: Sequences, targets: Array, weights: Array | None) -> tuple[Sequences, Array, Array | None]:
    """The samples with a weight above 0; samples of weight 0 are ignored."""
    if weights is None or weights.all():
        return sequences, targets, weights
    kept = weights > 0
    steps = sequences.steps[np.repeat(kept, sequences.lengths)]
    return Sequences(steps, sequences.lengths[kept]), targets[kept], weights[kept]


def scaler_of(sequences: Sequences, weights: Array | None) -> StandardScaler:
    """Mean and scale of each channel, over the steps of all sequences."""
    return fitted_scaler(sequences.steps, None if weights is None else np.repeat(weights, sequences.lengths))


def fitted_scaler(values: Array, weights: Array | None) -> StandardScaler:
    """Mean and scale of each column of values (n, K), whose squares may be too large or too small for their dtype."""
    largest = np.maximum(values.max(axis=0), -values.min(axis=0)).astype(np.float64)
    unit = np.where((largest > 0) & ~((SMALL < largest) & (largest < LARGE)), largest, 1)
    unit = np.ldexp(1.0, np.frexp(unit)[1] - 1)  # powers of two, by which a quotient is exact
    parts = values if (unit == 1).all() else values / unit
    scaler: Any = StandardScaler().fit(parts, sample_weight=None if weights is None else relative(weights))
    scaler.set_output(transform="default")  # whatever scikit-learn is set to
    constant = (scaler.scale_ == 1) & (scaler.var_ != 1)
    scaler.mean_, scaler.scale_ = scaler.mean_ * unit, np.where(constant, 1, scaler.scale_ * unit)
    with np.errstate(over="ignore", under="ignore"):  # what is standardized does not depend on it
        scaler.var_ = scaler.var_ * unit * unit
    return scaler


def relative(weights: Array) -> Array:
    """Weights below 1 with the same quotients, whose sums are finite."""
    return np.ldexp(weights, -np.frexp(weights.max())[1])


def scaled(sequences: Sequences, scaler: Any, dtype: Any = None) -> Sequences:
    """The sequences, standardized, in the dtype of a model if it is given; computed in the wider one of both.

    Raises
    ------
    ValueError
        They are too large for that dtype.
    """
    dtype = sequences.dtype if dtype is None else dtype
    if scaler is None and sequences.dtype == dtype:
        return sequences
    wide = np.result_type(sequences.dtype, dtype)
    if scaler is not None and not (SMALL < scaler.scale_.min() and (scaler.scale_ + abs(scaler.mean_)).max() < LARGE):
        wide = np.dtype(np.float64)
    steps: Any = sequences.steps.astype(wide, copy=False)
    with np.errstate(over="ignore"):
        steps = steps if scaler is None else scaler.transform(steps)
    return sequences._replace(steps=in_dtype("X", steps, dtype))


def in_dtype(name: str, values: Array, dtype: Any) -> Array:
    """Values in the dtype of a model; ValueError if it does not hold them."""
    with np.errstate(over="ignore"):
        converted = values.astype(dtype, copy=False)
    if not np.isfinite(converted).all():
        largest = np.abs(values).max()
        raise ValueError(f"{name}: expected values that {np.dtype(dtype)}, the dtype of X in fit, holds, got {largest}")
    return converted
