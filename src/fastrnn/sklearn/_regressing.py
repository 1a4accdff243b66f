# SPDX-License-Identifier: BSD-3-Clause
"""What regressors share: targets of one or several values."""

from typing import Any, Self

from .._engine.arguments import Array
from ._base import SequenceEstimator
from ._bases import RegressorMixin
from ._targets import as_values


class Regressing(RegressorMixin, SequenceEstimator):
    """A regressor of one or several values for each sequence."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to sequences and their targets.

        Parameters
        ----------
        X : array_like, (N, T) or (N, T, C), or list of array_like, (T_n, C)
        y : array_like, shape (N,) or (N, K)
        sample_weight : array_like, shape (N,), optional
            At least 0. A sample of weight 0 is left out.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            An argument, or a parameter of the estimator, is wrong.
        FloatingPointError
            The loss of a network is no longer finite.
        KeyboardInterrupt
            Ctrl-C. A network keeps what it has learned so far.
        """
        self._fit(X, y, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to these samples after those of before: a network for one epoch, an echo state network to all of them.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The first call fixes the means and scales by which all are standardized.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            An argument, or a parameter of the estimator, is wrong.
        FloatingPointError
            The loss of a network is no longer finite.
        KeyboardInterrupt
            Ctrl-C. A network keeps what it has learned so far.
        """
        self._partial_fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """The predictions, laid out as the targets.

        Parameters
        ----------
        X : array_like, (N, T) or (N, T, C), or list of array_like, (T_n, C)

        Returns
        -------
        ndarray, shape (N,) or (N, K)

        Raises
        ------
        NotFittedError
            There was no `fit`.
        TypeError, ValueError
            X is not as in `fit`.
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
            self._target_shape = values.shape[1:]
        elif values.shape[1:] != self._target_shape:
            raise ValueError(f"y: expected targets of shape {self._target_shape}, as before, got {values.shape[1:]}")
        return values.reshape(len(values), -1)

    def _prepared(self, targets: Array, weights: Array | None, again: bool) -> tuple[Array, int]:
        return targets, targets.shape[1]
