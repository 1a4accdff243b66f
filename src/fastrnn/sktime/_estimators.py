# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers and regressors of sktime."""

from typing import Any, ClassVar

from ..sklearn import _panels
from ._bases import BaseClassifier, BaseRegressor

TAGS: dict[str, Any] = {
    "authors": "fastrnn",
    "maintainers": "fastrnn",
    "X_inner_mtype": ["df-list", "numpy3D"],
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "capability:missing_values": False,
    "capability:multithreading": False,  # that is n_jobs; see n_threads
    "capability:categorical_in_X": False,
    "capability:random_state": True,
    "property:randomness": "derandomized",
}


class _OfSktime(_panels.Panel):
    _tags: ClassVar[dict[str, Any]] = TAGS

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Parameters for the checks of sktime."""
        return cls._small


class RNNClassifier(_OfSktime, _panels.RNNClassifier, BaseClassifier):
    """Classify the series of a panel with an LSTM, a GRU or a plain RNN: `fastrnn.sklearn.RNNClassifier`.

    A panel can have any of sktime's formats: an array (N, C, T), or series of any lengths in a DataFrame or a list.

    Examples
    --------
    >>> from sktime.datasets import load_unit_test
    >>> from fastrnn.sktime import RNNClassifier
    >>> X, y = load_unit_test(split="train", return_type="numpy3D")
    >>> RNNClassifier(hidden_size=8, n_iter_no_change=None, random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """

    _tags: ClassVar[dict[str, Any]] = TAGS | {"capability:predict_proba": True}


class RNNRegressor(_OfSktime, _panels.RNNRegressor, BaseRegressor):
    """Predict a number from each series of a panel with an LSTM, a GRU or a plain RNN.

    `fastrnn.sklearn.RNNRegressor`; a panel is in any form of sktime.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sktime import RNNRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 1, 10))
    >>> y = X[:, 0].max(axis=1)
    >>> RNNRegressor(hidden_size=16, n_iter_no_change=5, random_state=0).fit(X, y).score(X, y) > 0.8
    True
    """


class ESNClassifier(_OfSktime, _panels.ESNClassifier, BaseClassifier):
    """Classify the series of a panel with an echo state network: `fastrnn.sklearn.ESNClassifier`.

    A panel can have any of sktime's formats: an array (N, C, T), or series of any lengths in a DataFrame or a list. The
    network has no probabilities: those of ``predict_proba`` are 0 and 1.

    Examples
    --------
    >>> from sktime.datasets import load_basic_motions
    >>> from fastrnn.sktime import ESNClassifier
    >>> classifier = ESNClassifier(random_state=0).fit(*load_basic_motions(split="train"))
    >>> classifier.score(*load_basic_motions(split="test")) > 0.8
    True
    """


class ESNRegressor(_OfSktime, _panels.ESNRegressor, BaseRegressor):
    """Predict a number from each series of a panel with an echo state network: `fastrnn.sklearn.ESNRegressor`.

    A panel can have any of sktime's formats: an array (N, C, T), or series of any lengths in a DataFrame or a list.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.sktime import ESNRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 1, 10))
    >>> y = X[:, 0, -3:].sum(axis=1)
    >>> ESNRegressor(random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """
