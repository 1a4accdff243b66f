# SPDX-License-Identifier: BSD-3-Clause
"""Shared code of regressors: targets of one or several values."""

from typing import Any, Self

from .._engine.arguments import Array
from ._base import SequenceEstimator
from ._bases import RegressorMixin
from ._options import learns, predicts
from ._targets import as_values


class Regressing(RegressorMixin, SequenceEstimator):
    """A regressor of one or several values for each sequence."""

    @learns
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Continue fitting: a network trains for one epoch on these samples; an echo state network fits all samples so
        far.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The first call determines the means and scales for standardization.
        """
        self._partial_fit(X, y, sample_weight)
        return self

    @predicts
    def predict(self, X: Any) -> Array:
        """Predictions, with the same shape as the targets.

        They have the dtype of X in `fit`, or of `RNNRegressor` float64 where float32 could not tell its targets apart.

        Returns
        -------
        ndarray, shape (N,) or (N, K)
        """
        y = self._values(self._outputs(X))
        return y.reshape(len(y), *self._target_shape)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _values(self, outputs: Array) -> Array:
        """Targets (N, K) from outputs of the model."""
        return outputs

    def _read_targets(self, y: Any, again: bool, classes: Any) -> Array:
        values = as_values(self, y)
        if not again:
            self._target_shape: tuple[int, ...] = values.shape[1:]
        elif values.shape[1:] != self._target_shape:
            raise ValueError(f"y: expected targets of shape {self._target_shape}, as before, got {values.shape[1:]}")
        return values.reshape(len(values), -1)

    def _prepared(self, targets: Array, weights: Array | None, again: bool) -> tuple[Array, int]:
        return targets, targets.shape[1]
