# SPDX-License-Identifier: BSD-3-Clause
"""Shared code of classifiers: labels, and predictions from scores."""

from abc import abstractmethod
from typing import Any, Self

import numpy as np

from .._engine.arguments import Array
from ..nn._declared import Attribute, later
from ._base import SequenceEstimator
from ._bases import ClassifierMixin
from ._options import learns, predicts
from ._targets import as_classes, as_codes, as_labels, check_classes


class Classifying(ClassifierMixin, SequenceEstimator):
    """A classifier with a score for each class."""

    classes_: Attribute[Array] = later("ndarray", "The labels, sorted.")

    @abstractmethod
    def decision_function(self, X: Any) -> Array:
        """Scores of the classes: (N, V), or with two classes (N,), above 0 for the second."""

    @learns
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Continue fitting: a network trains for one epoch on these samples; an echo state network fits all samples so
        far.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`. The first call determines the means and scales for standardization.
        classes : array_like, optional
            All labels; the first call needs them.
        """
        if classes is None and not self.__sklearn_is_fitted__():
            raise ValueError("classes: expected all labels in the first call of partial_fit, got None")
        self._partial_fit(X, y, sample_weight, classes)
        return self

    @predicts
    def predict(self, X: Any) -> Array:
        """The predicted label of each sample.

        Returns
        -------
        ndarray, shape (N,)
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)]

    def _read_targets(self, y: Any, again: bool, classes: Any) -> Array:
        labels = as_labels(self, y)
        listed = np.unique(labels) if classes is None else as_classes(classes)
        if not again:
            self.classes_ = listed
        elif classes is not None and not np.array_equal(listed, self.classes_):
            raise ValueError(f"classes: expected {self.classes_.tolist()}, as before, got {listed.tolist()}")
        return as_codes(labels, self.classes_)

    def _check_targets(self, targets: Array, partial: bool) -> None:
        check_classes(self.classes_, None if partial else targets)

    def _prepared(self, targets: Array, weights: Array | None, again: bool) -> tuple[Array, int]:
        return targets, len(self.classes_)
