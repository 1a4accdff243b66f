# SPDX-License-Identifier: BSD-3-Clause
"""Code shared by the estimators for sktime and aeon, which wrap estimators of `fastrnn.sklearn` and read panels."""

from typing import Any, ClassVar, Self

import numpy as np

from .._engine.arguments import Array
from ..nn._declared import Attribute, later
from ..training._data.frames import check_columns
from . import _echo_state, _recurrent
from ._options import Estimating
from ._parameters import ESNParameters, RNNParameters

# Parameters with which the checks of sktime and aeon take seconds.
SMALL_NETWORK: dict[str, Any] = {"hidden_size": 4, "max_iter": 2, "n_iter_no_change": None}
SMALL_NETWORKS = [SMALL_NETWORK, SMALL_NETWORK | {"cell": "lstm", "bidirectional": True, "pooling": "mean"}]
SMALL_RESERVOIRS: list[dict[str, Any]] = [{"hidden_size": 20}, {"hidden_size": 10, "num_layers": 2, "leak": 0.5}]


def sequences_of(X: Any) -> Any:
    """Sequences as `fastrnn.sklearn` reads them, (N, T, C) or a list of (T_n, C).

    Parameters
    ----------
    X : ndarray, shape (N, C, T), or list of ndarray, (C, T_n), or of DataFrame, (T_n, C)
    """
    if isinstance(X, np.ndarray):
        return X.transpose(0, 2, 1)
    return [each.T if isinstance(each, np.ndarray) else np.asarray(each) for each in X]


def columns_of(X: Any, columns: tuple[Any, ...] | None = None) -> tuple[Any, ...] | None:
    """The columns of the DataFrames of a panel; ValueError if they are not the same in all, or not those of before."""
    if not len(X):
        raise ValueError("X: expected at least one series, got none")
    if isinstance(X, np.ndarray) or not hasattr(X[0], "columns"):
        return None
    own = tuple(X[0].columns)
    for n, each in enumerate(X):
        check_columns(f"X[{n}]", each, own, "those of X[0]")
    if columns is not None:
        check_columns("X[0]", X[0], columns, "those of fit")
    return own


class Panel(Estimating):
    """An estimator of panels, whose parameters are those of the one inside it."""

    estimator_: Attribute[Any] = later("estimator", "The fitted estimator of `fastrnn.sklearn`.")

    _kind: ClassVar[Any]  # its class
    _small: ClassVar[list[dict[str, Any]]]  # parameters for checks

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to the series of a panel and their targets."""
        goes_on = getattr(self, "warm_start", False) is True and hasattr(self, "estimator_")
        if goes_on:
            self._before__ = self.estimator_, self._columns  # with __ in its name it outlasts the reset of the base
        try:
            return super().fit(X, y)  # type: ignore[misc]
        finally:
            vars(self).pop("_before__", None)

    def _fit(self, X: Any, y: Any) -> Any:
        options = {name: getattr(self, name) for name in self._options}
        estimator, columns = vars(self).get("_before__", (self._kind(), None))
        self._columns: tuple[Any, ...] | None = columns_of(X, columns)
        self.estimator_ = estimator.set_params(**options).fit(sequences_of(X), y)
        return self

    def _sequences(self, X: Any) -> Any:
        """What is predicted of, of the columns of `fit`."""
        columns_of(X, self._columns)
        return sequences_of(X)

    def _predict(self, X: Any) -> Array:
        return self.estimator_.predict(self._sequences(X))


class RNNClassifier(Panel, RNNParameters):
    """The base of those of sktime and aeon."""

    _kind = _recurrent.RNNClassifier
    _small = SMALL_NETWORKS

    def _predict_proba(self, X: Any) -> Array:
        return self.estimator_.predict_proba(self._sequences(X))


class RNNRegressor(Panel, RNNParameters):
    """The base of those of sktime and aeon."""

    _kind = _recurrent.RNNRegressor
    _small = SMALL_NETWORKS


class ESNClassifier(Panel, ESNParameters):
    """The base of those of sktime and aeon."""

    _kind = _echo_state.ESNClassifier
    _small = SMALL_RESERVOIRS


class ESNRegressor(Panel, ESNParameters):
    """The base of those of sktime and aeon."""

    _kind = _echo_state.ESNRegressor
    _small = SMALL_RESERVOIRS
