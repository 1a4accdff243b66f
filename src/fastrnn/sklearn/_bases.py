# SPDX-License-Identifier: BSD-3-Clause
"""The base classes of scikit-learn, which has no annotations, with those that users of an estimator need."""

from typing import TYPE_CHECKING, Any, Self

if not TYPE_CHECKING:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
else:

    class BaseEstimator:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def __sklearn_tags__(self) -> Any: ...

    class ClassifierMixin:
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...

    class RegressorMixin:
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...


__all__ = ["BaseEstimator", "ClassifierMixin", "RegressorMixin"]
