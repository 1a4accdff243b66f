# SPDX-License-Identifier: BSD-3-Clause
"""`ESNClassifier` and `ESNRegressor`: echo state networks with a readout of pooled states."""

from typing import Any

import numpy as np
from sklearn.preprocessing import label_binarize

from .._engine.arguments import Array
from ._classifying import Classifying
from ._options import predicts
from ._regressing import Regressing
from ._reservoir import Reservoir


class ESNClassifier(Classifying, Reservoir):
    """Classify sequences with an echo state network: a fixed random reservoir and a readout fitted by ridge regression.

    The readout is fitted with a target of 1 for the class of a sample and -1 for the others, as in scikit-learn's
    `RidgeClassifier`. The scores are not probabilities; use scikit-learn's `CalibratedClassifierCV` to get these.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sklearn import ESNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((length, 1)) for length in rng.integers(5, 15, size=300)]
    >>> y = np.array(["rise" if x[-2] < x[-1] else "fall" for x in X])
    >>> classifier = ESNClassifier(pooling="last", random_state=0).fit(X[:200], y[:200])
    >>> classifier.score(X[200:], y[200:]) > 0.8
    True
    """

    _pooling = "mean"

    @predicts
    def decision_function(self, X: Any) -> Array:
        """Scores of the classes; with two classes that of the second, which is predicted above 0.

        Returns
        -------
        ndarray, shape (N, V), or with two classes (N,)
        """
        scores = self._outputs(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def _prepared(self, targets: Array, weights: Array | None, again: bool) -> tuple[Array, int]:
        codes, count = super()._prepared(targets, weights, again)
        values = label_binarize(codes, classes=np.arange(count), neg_label=-1)
        return values, values.shape[1]


class ESNRegressor(Regressing, Reservoir):
    """Predict numbers from sequences with an echo state network.

    A fixed random reservoir processes a sequence, and a linear readout of its states is fitted by ridge regression.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sklearn import ESNRegressor
    >>> X = np.random.default_rng(0).standard_normal((300, 20))
    >>> y = X[:, -3:].sum(axis=1)
    >>> regressor = ESNRegressor(random_state=0).fit(X[:200], y[:200])
    >>> regressor.score(X[200:], y[200:]) > 0.9
    True
    """

    _pooling = "last"
