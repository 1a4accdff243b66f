# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers and regressors of aeon."""

from typing import Any, ClassVar

from ..sklearn import _panels
from ._bases import BaseClassifier, BaseRegressor

TAGS: dict[str, Any] = {
    "X_inner_type": ["np-list", "numpy3D"],
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "capability:missing_values": False,
    "capability:multithreading": False,  # that is n_jobs; see n_threads
    "algorithm_type": "deeplearning",
}


class _OfAeon(_panels.Panel):
    _tags: ClassVar[dict[str, Any]] = TAGS

    @classmethod
    def _get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Parameters for the checks of aeon."""
        return cls._small


class RNNClassifier(_OfAeon, _panels.RNNClassifier, BaseClassifier):
    """Classify the series of a collection with an LSTM, a GRU or a plain RNN: `fastrnn.sklearn.RNNClassifier`.

    A collection is an array (N, C, T), or a list of arrays (C, T_n) of any lengths.

    Examples
    --------
    >>> from aeon.datasets import load_unit_test
    >>> from fastrnn.aeon import RNNClassifier
    >>> X, y = load_unit_test(split="train")
    >>> RNNClassifier(hidden_size=8, n_iter_no_change=None, random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """


class RNNRegressor(_OfAeon, _panels.RNNRegressor, BaseRegressor):
    """Predict a number from each series of a collection with an LSTM, a GRU or a plain RNN.

    `fastrnn.sklearn.RNNRegressor`; a collection is an array (N, C, T), or a list of arrays (C, T_n) of any lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.aeon import RNNRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 1, 10))
    >>> y = X[:, 0].max(axis=1)
    >>> RNNRegressor(hidden_size=16, n_iter_no_change=5, random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """


class ESNClassifier(_OfAeon, _panels.ESNClassifier, BaseClassifier):
    """Classify the series of a collection with an echo state network: `fastrnn.sklearn.ESNClassifier`.

    A collection is an array (N, C, T), or a list of arrays (C, T_n) of any lengths. The network has no probabilities:
    those of ``predict_proba`` are 0 and 1.

    Examples
    --------
    >>> from aeon.datasets import load_basic_motions
    >>> from fastrnn.aeon import ESNClassifier
    >>> classifier = ESNClassifier(random_state=0).fit(*load_basic_motions(split="train"))
    >>> classifier.score(*load_basic_motions(split="test")) > 0.8
    True
    """


class ESNRegressor(_OfAeon, _panels.ESNRegressor, BaseRegressor):
    """Predict a number from each series of a collection with an echo state network: `fastrnn.sklearn.ESNRegressor`.

    A collection is an array (N, C, T), or a list of arrays (C, T_n) of any lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.aeon import ESNRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 1, 10))
    >>> y = X[:, 0, -3:].sum(axis=1)
    >>> ESNRegressor(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """
