# SPDX-License-Identifier: BSD-3-Clause
"""`RNNClassifier` and `RNNRegressor`: recurrent layers, trained by `fastrnn.fit`."""

from typing import Any

import numpy as np

from .._engine.arguments import Array
from ..losses import cross_entropy, mse_loss
from ..nn import log_softmax, softmax
from ..nn._declared import Attribute, later
from ._classifying import Classifying
from ._network import SequenceNetwork
from ._options import predicts
from ._regressing import Regressing
from ._samples import fitted_scaler, in_dtype


class RNNClassifier(Classifying, SequenceNetwork):
    """Classify sequences with an LSTM, a GRU or a plain RNN.

    A linear layer reads the pooled states of the recurrent layers. Its outputs are the logits of the classes, and the
    loss is their cross-entropy.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sklearn import RNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((length, 1)) for length in rng.integers(5, 15, size=300)]
    >>> y = np.array(["rise" if x[0] < x[-1] else "fall" for x in X])
    >>> classifier = RNNClassifier(hidden_size=16, n_iter_no_change=5, random_state=0).fit(X[:200], y[:200])
    >>> classifier.score(X[200:], y[200:]) > 0.85
    True
    """

    _loss = staticmethod(cross_entropy)

    @predicts
    def decision_function(self, X: Any) -> Array:
        """The logits of the classes; with two classes the log-odds of the second.

        Returns
        -------
        ndarray, shape (N, V), or with two classes (N,)
        """
        logits = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    @predicts
    def predict_proba(self, X: Any) -> Array:
        """The probabilities of the classes, in the order of `classes_`.

        Returns
        -------
        ndarray, shape (N, V)
        """
        return softmax(self._outputs(X))

    @predicts
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms of the probabilities, finite also where these are rounded to 0.

        Returns
        -------
        ndarray, shape (N, V)
        """
        return log_softmax(self._outputs(X))


class RNNRegressor(Regressing, SequenceNetwork):
    """Predict numbers from sequences with an LSTM, a GRU or a plain RNN.

    A linear layer reads the pooled states of the recurrent layers. The loss is the mean squared error of the
    standardized targets.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sklearn import RNNRegressor
    >>> X = np.random.default_rng(0).standard_normal((300, 10))
    >>> y = X.max(axis=1)
    >>> regressor = RNNRegressor(hidden_size=16, n_iter_no_change=5, random_state=0).fit(X[:200], y[:200])
    >>> regressor.score(X[200:], y[200:]) > 0.8
    True
    """

    y_scaler_: Attribute[Any] = later("StandardScaler or None", "Of the targets.")

    _loss = staticmethod(mse_loss)

    def _prepared(self, targets: Array, weights: Array | None, again: bool) -> tuple[Array, int]:
        if not again:
            self.y_scaler_ = fitted_scaler(targets, weights) if self.standardize else None
        values: Any = targets if self.y_scaler_ is None else self.y_scaler_.transform(targets)
        return in_dtype("y", values, self._dtype), targets.shape[1]

    def _values(self, outputs: Array) -> Array:
        if self.y_scaler_ is None:
            return outputs
        mean, scale, limits = np.abs(self.y_scaler_.mean_), self.y_scaler_.scale_, np.finfo(outputs.dtype)
        holds = limits.tiny / limits.eps < scale.min() and (mean + scale).max() < limits.max * limits.eps
        told_apart = (scale > 1000 * limits.eps * mean).all()
        values = self.y_scaler_.inverse_transform(outputs.astype(np.float64))
        return values.astype(outputs.dtype) if holds and told_apart else values
