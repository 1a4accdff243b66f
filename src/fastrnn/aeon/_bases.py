# SPDX-License-Identifier: BSD-3-Clause
"""The base classes of aeon, which has few annotations, with those that users of an estimator need."""

from typing import TYPE_CHECKING, Any, Self

from .._engine.arguments import Array

if not TYPE_CHECKING:
    from aeon.classification import BaseClassifier
    from aeon.regression import BaseRegressor
else:

    class _Base:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def fit(self, X: Any, y: Any) -> Self: ...
        def predict(self, X: Any) -> Array: ...

    class BaseClassifier(_Base):
        def predict_proba(self, X: Any) -> Array: ...
        def score(
            self, X: Any, y: Any, metric: Any = "accuracy", use_proba: bool = False, metric_params: Any = None
        ) -> float: ...

    class BaseRegressor(_Base):
        def score(self, X: Any, y: Any, metric: Any = "r2", metric_params: Any = None) -> float: ...


__all__ = ["BaseClassifier", "BaseRegressor"]
