# SPDX-License-Identifier: BSD-3-Clause
"""The classifiers and regressors of aeon: its own checks, all of them, and collections of every form."""

import numpy as np
import pytest

aeon = pytest.importorskip("aeon", reason="aeon is not installed: make aeon")
from aeon.testing.estimator_checking import parametrize_with_checks  # noqa: E402
from support.sklearn import ragged  # noqa: E402

import fastrnn.aeon  # noqa: E402
import fastrnn.sklearn  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

KINDS = [getattr(fastrnn.aeon, name) for name in fastrnn.aeon.__all__]


@parametrize_with_checks(KINDS)
def test_every_check_of_aeon_passes(check):
    check()


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_scikit_learns_estimator(kind, rng):
    """Channels first, in series of any lengths and of one."""
    for X in (ragged(rng, 30), rng.standard_normal((30, 7, 2))):
        y = np.arange(30) % 3
        options = kind._small[1] | {"random_state": 0}
        inside = getattr(fastrnn.sklearn, kind.__name__)(**options).fit(X, y)
        panel = X.transpose(0, 2, 1) if isinstance(X, np.ndarray) else [each.T for each in X]
        estimator = kind(**options).fit(panel, y)
        np.testing.assert_array_equal(estimator.predict(panel), inside.predict(X))
        if hasattr(inside, "predict_proba"):
            np.testing.assert_array_equal(estimator.predict_proba(panel), inside.predict_proba(X))


def test_missing_values_are_refused(rng):
    X = rng.standard_normal((10, 1, 8))
    X[3, 0, 2] = np.nan
    with pytest.raises(ValueError, match="missing"):
        fastrnn.aeon.ESNClassifier().fit(X, np.arange(10) % 2)


def test_parameters_are_checked_in_fit(rng):
    with pytest.raises(ValueError, match="hidden_size: expected at least 1, got 0"):
        fastrnn.aeon.ESNRegressor(hidden_size=0).fit(rng.standard_normal((10, 1, 8)), np.arange(10.0))


def test_a_warm_start_goes_on(rng):
    """Though the base class resets an estimator before it is fitted; and a fit without it begins anew."""
    X, y = rng.standard_normal((30, 2, 7)), np.arange(30) % 2
    estimator = fastrnn.aeon.RNNClassifier(**KINDS[-2]._small[0], warm_start=True, random_state=0).fit(X, y)
    inside = fastrnn.sklearn.RNNClassifier(**estimator.get_params()).fit(X.transpose(0, 2, 1), y)
    assert estimator.fit(X, y).estimator_.n_iter_ == 4
    assert (estimator.predict_proba(X) == inside.fit(X.transpose(0, 2, 1), y).predict_proba(X.transpose(0, 2, 1))).all()
    estimator.set_params(warm_start=False)
    assert estimator.fit(X, y).estimator_.n_iter_ == 2
