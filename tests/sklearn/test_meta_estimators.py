# SPDX-License-Identifier: BSD-3-Clause
"""Inside the tools of scikit-learn: pipelines, searches, cross-validation, ensembles, routing of weights."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import is_regressor
from sklearn.ensemble import BaggingClassifier, StackingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from support.sklearn import ESTIMATORS, few, ragged, targets_of

from fastrnn.sklearn import ESNClassifier, ESNRegressor, RNNClassifier, RNNRegressor


@pytest.fixture(params=ESTIMATORS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_a_pipeline_ends_with_an_estimator(kind, rng):
    """A transformer with the output of pandas gives its columns their names."""
    X = rng.random((40, 6))
    y = targets_of(kind, X[..., None])
    pipeline = (
        make_pipeline(MinMaxScaler(), few(kind)).set_output(transform="pandas").fit(pd.DataFrame(X).add_prefix("t"), y)
    )
    assert pipeline[-1].feature_names_in_.tolist() == [f"t{t}" for t in range(6)]
    assert len(pipeline.predict(pd.DataFrame(X).add_prefix("t"))) == 40


def test_lists_pass_through_a_pipeline(kind, rng):
    X = ragged(rng, 40)
    pipeline = make_pipeline(FunctionTransformer(lambda rows: [np.cumsum(row, axis=0) for row in rows]), few(kind))
    assert len(pipeline.fit(X, targets_of(kind, X)).predict(X)) == 40


@pytest.mark.parametrize("form", [list, lambda X: np.stack([x[:2] for x in X])])
def test_sequences_are_split_and_cross_validated(kind, form, rng):
    """Lists and arrays of three axes alike."""
    X = ragged(rng, 60)
    y, X = targets_of(kind, X), form(X)
    train, test, y_train, y_test = train_test_split(X, y, random_state=0)
    assert np.isfinite(few(kind).fit(train, y_train).score(test, y_test))
    assert np.isfinite(cross_val_score(few(kind), X, y, cv=3)).all()
    assert len(cross_val_predict(few(kind), X, y, cv=3)) == 60


def test_a_search_finds_the_better_parameter(rng):
    """An echo state network whose readout is held at 0 predicts the mean."""
    X = ragged(rng, 90)
    search = GridSearchCV(few(ESNRegressor), {"ridge": [1e9, 0.01]}, cv=3).fit(X, [x[-1].sum() for x in X])
    assert search.best_params_ == {"ridge": 0.01} and search.best_score_ > 0.9


@pytest.mark.parametrize("kind", [RNNClassifier, ESNRegressor])
def test_jobs_find_what_one_process_finds(kind, rng):
    """Processes of joblib have threads of their own number, and the same bits."""
    X = ragged(rng, 60)
    y, grid = targets_of(kind, X), {"hidden_size": [4, 8]}
    scores = [GridSearchCV(few(kind), grid, cv=2, n_jobs=n).fit(X, y).cv_results_["mean_test_score"] for n in (1, 2)]
    assert (scores[0] == scores[1]).all()


def test_weights_are_routed_to_the_estimator(kind, rng):
    """A pipeline passes on the weights that the estimator asks for: samples of weight 0 are left out."""
    X = rng.standard_normal((40, 6))
    y, kept = targets_of(kind, X[..., None]), np.arange(40) % 4 > 0
    with sklearn.config_context(enable_metadata_routing=True):
        asking = few(kind).set_fit_request(sample_weight=True)
        routed = make_pipeline(FunctionTransformer(), asking).fit(X, y, sample_weight=kept)
    expected = few(kind).fit(X[kept], y[kept])
    method = "predict" if is_regressor(expected) else "decision_function"
    np.testing.assert_allclose(getattr(routed, method)(X), getattr(expected, method)(X), rtol=1e-7)


def test_ensembles_are_built_of_estimators(rng):
    X = rng.standard_normal((60, 6))
    bagged = BaggingClassifier(few(ESNClassifier), n_estimators=3, random_state=0)
    assert (
        bagged.fit(X, targets_of(ESNClassifier, X[..., None])).score(X, targets_of(ESNClassifier, X[..., None])) > 0.5
    )
    stacked = StackingRegressor([("rnn", few(RNNRegressor)), ("ridge", Ridge())], cv=2)
    assert np.isfinite(stacked.fit(X, X.sum(axis=1)).predict(X)).all()


def test_the_output_of_transformers_is_for_those_of_the_caller(kind, rng):
    """Not for the scalers inside an estimator."""
    X = rng.random((40, 6))
    y = targets_of(kind, X[..., None])
    expected = few(kind).fit(X, y).predict(X)
    with sklearn.config_context(transform_output="pandas"):
        assert (few(kind).fit(X, y).predict(X) == expected).all()
