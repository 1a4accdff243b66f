# SPDX-License-Identifier: BSD-3-Clause
"""The classifiers and regressors of sktime: its own checks, and panels of every form."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sktime", reason="sktime is not installed: pip install 'fastrnn[sktime]'")
from sktime.utils.estimator_checks import check_estimator  # noqa: E402
from support.sklearn import ragged  # noqa: E402

import fastrnn.sklearn  # noqa: E402
import fastrnn.sktime  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of sktime's own data

NAMES = ["ESNClassifier", "ESNRegressor", "RNNClassifier", "RNNRegressor"]
KINDS = [getattr(fastrnn.sktime, name) for name in NAMES]
QUICK = ["test_constructor", "test_fit_idempotent", "test_persistence_via_pickle", "test_classifier_output"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_check_of_sktime_passes(kind):
    results = check_estimator(kind, raise_exceptions=True)
    assert len(results) > 100 and set(results.values()) == {"PASSED"}


def test_some_checks_of_sktime_pass():
    results = check_estimator(fastrnn.sktime.RNNClassifier, raise_exceptions=True, tests_to_run=QUICK)
    assert len(results) >= len(QUICK) and set(results.values()) == {"PASSED"}


def forms(arrays):
    """A panel as a DataFrame with an index of two levels, one with series as cells, and a list of DataFrames."""
    frames = [pd.DataFrame(each, columns=["a", "b"]) for each in arrays]
    yield pd.concat(frames, keys=range(len(frames)))
    yield pd.DataFrame([[each[name] for name in each] for each in frames], columns=["a", "b"])
    yield frames


@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_scikit_learns_estimator(kind, rng):
    """In every form of a panel, with series of any lengths."""
    X, y = ragged(rng, 30), np.arange(30) % 2
    options = kind._small[1] | {"random_state": 0}
    expected = getattr(fastrnn.sklearn, kind.__name__)(**options).fit(X, y).predict(X)
    for form in forms(X):
        np.testing.assert_array_equal(kind(**options).fit(form, y).predict(form), expected)


def test_an_array_has_channels_first(rng):
    X, y = rng.standard_normal((30, 2, 7)), np.arange(30) % 2
    options = {"hidden_size": 20, "random_state": 0}
    inside = fastrnn.sklearn.ESNClassifier(**options).fit(X.transpose(0, 2, 1), y)
    estimator = fastrnn.sktime.ESNClassifier(**options).fit(X, y)
    assert (estimator.predict(X) == inside.predict(X.transpose(0, 2, 1))).all()


def test_missing_values_are_refused(rng):
    X = rng.standard_normal((10, 1, 8))
    X[3, 0, 2] = np.nan
    with pytest.raises(ValueError, match="missing"):
        fastrnn.sktime.ESNClassifier().fit(X, np.arange(10) % 2)


def test_a_warm_start_goes_on(rng):
    """Though the base class resets an estimator before it is fitted; and a fit without it begins anew."""
    X, y = rng.standard_normal((30, 2, 7)), np.arange(30) % 2
    estimator = fastrnn.sktime.RNNClassifier(**KINDS[-2]._small[0], warm_start=True, random_state=0).fit(X, y)
    inside = fastrnn.sklearn.RNNClassifier(**estimator.get_params()).fit(X.transpose(0, 2, 1), y)
    assert estimator.fit(X, y).estimator_.n_iter_ == 4
    assert (estimator.predict_proba(X) == inside.fit(X.transpose(0, 2, 1), y).predict_proba(X.transpose(0, 2, 1))).all()
    estimator.set_params(warm_start=False)
    assert estimator.fit(X, y).estimator_.n_iter_ == 2


def test_columns_have_the_order_of_fit(rng):
    """In every form of a panel that has some."""
    y, turned = np.arange(12) % 2, []
    for form in forms(ragged(rng, 12)):
        estimator = fastrnn.sktime.ESNClassifier(hidden_size=10, random_state=0).fit(form, y)
        turned = [each[["b", "a"]] for each in form] if isinstance(form, list) else form[["b", "a"]]
        with pytest.raises(ValueError, match=r"X\[0\]: expected the columns \['a', 'b'\], those of fit"):
            estimator.predict(turned)
