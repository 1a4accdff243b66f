# SPDX-License-Identifier: BSD-3-Clause
"""scikit-learn's own checks of an estimator: every one of them, none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastrnn.sklearn import ESNClassifier, ESNRegressor, RNNClassifier, RNNRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]

SMALL = {"hidden_size": 12, "max_iter": 60, "n_iter_no_change": 10, "learning_rate": 0.02}
QUICK = [
    RNNClassifier(**SMALL),
    RNNRegressor(**SMALL),
    ESNClassifier(hidden_size=100),
    ESNRegressor(hidden_size=100),
    RNNClassifier(cell="lstm", bidirectional=True, pooling="mean", **SMALL),
]
DEFAULT = [RNNClassifier(), RNNRegressor(), ESNClassifier(), ESNRegressor()]


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """Without this, the check of array namespaces is skipped."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks(QUICK)
def test_small_estimators_pass_every_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(DEFAULT)
def test_estimators_with_default_parameters_pass_every_check(estimator, check):
    check(estimator)
