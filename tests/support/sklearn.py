# SPDX-License-Identifier: BSD-3-Clause
"""Small estimators of `fastrnn.sklearn`, and sequences for them."""

import numpy as np
from sklearn.base import is_classifier

from fastrnn.sklearn import ESNClassifier, ESNRegressor, RNNClassifier, RNNForecaster, RNNRegressor

ESTIMATORS = [RNNClassifier, RNNRegressor, ESNClassifier, ESNRegressor]
RECURRENT = ESTIMATORS[:2]
SHORT = {"max_iter": 3, "n_iter_no_change": None, "batch_size": 16}


def few(kind, **parameters):
    """An estimator of few units, trained for few epochs, with a fixed seed."""
    defaults = {"hidden_size": 8, "random_state": 0} | (SHORT if kind in RECURRENT else {})
    return kind(**defaults | parameters)


def ragged(rng, count, channels=2):
    """Sequences (T_n, C) of 2 to 9 steps."""
    return [rng.standard_normal((length, channels)) for length in rng.integers(2, 10, size=count)]


def targets_of(kind, X):
    """Whether the first channel rises, as labels "no" and "yes", or by how much."""
    rises = np.array([x[-1, 0] - x[0, 0] for x in X])
    return np.where(rises > 0, "yes", "no") if is_classifier(kind()) else rises


def forecaster(**parameters):
    """A forecaster of few units, trained for few epochs, with a fixed seed."""
    defaults = {"window": 6, "hidden_size": 8, "max_iter": 2, "n_iter_no_change": None, "random_state": 0}
    return RNNForecaster(**defaults | parameters)
