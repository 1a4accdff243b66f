# SPDX-License-Identifier: BSD-3-Clause
"""Training samples with a weight above 0 (sequences, targets, weights), and the scaling of sequences."""

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.preprocessing import StandardScaler

from .._engine.arguments import Array
from ._sequences import Sequences


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
    by_step = None if weights is None else np.repeat(weights, sequences.lengths)
    return StandardScaler().fit(sequences.steps, sample_weight=by_step)


def scaled(sequences: Sequences, scaler: StandardScaler | None, dtype: Any = None) -> Sequences:
    """The sequences, standardized, in the dtype of a model if it is given; computed in the wider one of both."""
    dtype = sequences.dtype if dtype is None else dtype
    if scaler is None and sequences.dtype == dtype:
        return sequences
    steps: Any = sequences.steps.astype(np.result_type(sequences.dtype, dtype), copy=False)
    steps = steps if scaler is None else scaler.transform(steps)
    return sequences._replace(steps=steps.astype(dtype, copy=False))
