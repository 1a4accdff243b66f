# SPDX-License-Identifier: BSD-3-Clause
"""What all estimators do: form, dtype, seeds, threads, copies, and errors that leave nothing half done."""

import pickle
import threading

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from support.sklearn import ESTIMATORS, few, ragged, targets_of

import fastrnn as fr
from fastrnn.sklearn import ESNRegressor, RNNClassifier


@pytest.fixture(params=ESTIMATORS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def outputs(estimator, X):
    """All that an estimator predicts, side by side."""
    methods = [getattr(estimator, name) for name in ("decision_function", "predict_proba") if hasattr(estimator, name)]
    return np.column_stack([method(X) for method in methods or [estimator.predict]])


def test_every_form_of_the_same_sequences_gives_the_same_bits(kind, rng):
    """(N, T, C) and a list of (T, C); (N, T) and (N, T, 1) are two forms of the same numbers."""
    x = rng.standard_normal((30, 6, 1))
    y = targets_of(kind, x)
    predictions = [outputs(few(kind).fit(form, y), form) for form in (x, list(x), x[..., 0])]
    assert all((prediction == predictions[0]).all() for prediction in predictions)


def test_a_sequence_has_one_result(kind, rng):
    """In any company, and after padding to any length."""
    X = ragged(rng, 40)
    estimator = few(kind).fit(X, targets_of(kind, X))
    together = outputs(estimator, X)
    assert all((outputs(estimator, [x]) == row).all() for x, row in zip(X, together, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_model_has_the_dtype_of_x(kind, dtype, rng):
    x = rng.standard_normal((30, 6, 2)).astype(dtype)
    estimator = few(kind).fit(x, targets_of(kind, x))
    assert estimator.model_.layers[0].dtype == dtype and outputs(estimator, x.astype(np.float64)).dtype == dtype


def test_the_random_state_decides_everything(kind, rng):
    X = ragged(rng, 40)
    y = targets_of(kind, X)
    first, again, other = (outputs(few(kind, random_state=seed).fit(X, y), X) for seed in (1, 1, 2))
    assert (first == again).all() and not (first == other).all()
    state = np.random.RandomState(1)
    assert (outputs(few(kind, random_state=state).fit(X, y), X) == first).all()
    assert not (outputs(few(kind, random_state=state).fit(X, y), X) == first).all()  # the state has moved on


def test_threads_change_no_bit(kind, rng):
    """And the number of threads is that of the estimator, inside it alone."""
    X = ragged(rng, 40)
    y = targets_of(kind, X)
    before = fr.get_num_threads()
    one, two = (outputs(few(kind, n_threads=n).fit(X, y), X) for n in (1, 2))
    assert (one == two).all() and fr.get_num_threads() == before
    with pytest.raises(ValueError, match="n_threads: expected at least 1, got 0"):
        few(kind, n_threads=0).fit(X, y)


def test_many_threads_may_predict_at_once(kind, rng):
    X = ragged(rng, 40)
    estimator = few(kind).fit(X, targets_of(kind, X))
    expected, results = outputs(estimator, X), []
    workers = [threading.Thread(target=lambda: results.append(outputs(estimator, X))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 4 and all((result == expected).all() for result in results)


def test_a_pickle_predicts_and_learns_on(kind, rng):
    """With the same bits as the original."""
    X = ragged(rng, 40)
    y = targets_of(kind, X)
    estimator = few(kind).fit(X, y)
    copy = pickle.loads(pickle.dumps(estimator))
    assert (outputs(copy, X) == outputs(estimator, X)).all()
    assert (outputs(copy.partial_fit(X, y), X) == outputs(estimator.partial_fit(X, y), X)).all()


def test_a_clone_has_the_parameters_alone(kind, rng):
    X = ragged(rng, 40)
    estimator = few(kind, hidden_size=7).fit(X, targets_of(kind, X))
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)


def test_standardization_can_be_left_out(kind, rng):
    """With it, the scale of the channels does not matter."""
    x = rng.standard_normal((30, 6, 2))
    y, larger = targets_of(kind, x), x * [1, 64] + [0, 32]
    with_it = [outputs(few(kind).fit(form, y), form) for form in (x, larger)]
    np.testing.assert_allclose(with_it[1], with_it[0], rtol=0, atol=1e-6)
    estimator = few(kind, standardize=False).fit(larger, y)
    assert estimator.x_scaler_ is None
    raw = fr.predict(estimator.model_, larger)
    assert raw.shape[0] == 30 and np.isfinite(outputs(estimator, larger)).all()


def test_the_fitted_model_is_one_of_fastrnn(kind, rng, tmp_path):
    """It can be saved, and predicts from standardized sequences."""
    x = rng.standard_normal((30, 6, 2))
    estimator = few(kind).fit(x, targets_of(kind, x))
    fr.save(estimator.model_, tmp_path / "model.safetensors")
    scaled = estimator.x_scaler_.transform(x.reshape(-1, 2)).reshape(x.shape)
    expected = fr.predict(estimator.model_, scaled)
    assert (fr.predict(fr.load(tmp_path / "model.safetensors"), scaled) == expected).all()


def test_a_fit_that_fails_leaves_no_model(kind, rng):
    """The old one would not go with the new means and scales."""
    x = rng.standard_normal((30, 6, 2))
    estimator = few(kind).fit(x, targets_of(kind, x))
    with pytest.raises(ValueError, match="hidden_size: expected at least 1, got 0"):
        estimator.set_params(hidden_size=0).fit(x + 5, targets_of(kind, x))
    with pytest.raises(NotFittedError):
        estimator.predict(x)
    late = {"ridge": -1.0} if "ridge" in estimator.get_params() else {"clip": -1.0}  # found when the model is there
    for method in "fit", "partial_fit":
        options = {"classes": ["no", "yes"]} if method == "partial_fit" and is_classifier(estimator) else {}
        failing = few(kind, **late)
        with pytest.raises(ValueError, match="ridge: expected|clip: expected"):
            getattr(failing, method)(x, targets_of(kind, x), **options)
        with pytest.raises(NotFittedError):
            failing.predict(x)


def test_a_partial_fit_that_fails_changes_nothing(kind, rng):
    x = rng.standard_normal((30, 6, 2))
    y = targets_of(kind, x)
    estimator = few(kind).fit(x, y)
    before = outputs(estimator, x)
    for X, words in ((x[..., :1], "features"), (x[:7], "inconsistent numbers of samples")):
        with pytest.raises(ValueError, match=words):
            estimator.partial_fit(X, y)
    with pytest.raises(ValueError, match="hidden_size: expected 8, as in the fitted model, got 9"):
        estimator.set_params(hidden_size=9).partial_fit(x, y)
    assert (outputs(estimator.set_params(hidden_size=8), x) == before).all()


def test_samples_of_weight_0_are_as_if_they_were_not_there(kind, rng):
    """Bit by bit: they take no place in a batch either."""
    X = ragged(rng, 40)
    y, kept = targets_of(kind, X), np.arange(40) % 4 > 0
    without = few(kind).fit([X[n] for n in np.flatnonzero(kept)], y[kept])
    weighted = few(kind).fit(X, y, sample_weight=kept)
    np.testing.assert_allclose(outputs(weighted, X), outputs(without, X), rtol=1e-9)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kind", [RNNClassifier, ESNRegressor])
def test_x_of_another_precision(kind, standardize, rng):
    """It becomes that of the model, in predictions and in later parts."""
    X, y = rng.standard_normal((12, 5, 2)), np.arange(12) % 2
    for fitted, other in ((np.float32, np.float64), (np.float64, np.float32)):
        estimator = few(kind, standardize=standardize).fit(X.astype(fitted), y)
        outputs = estimator._outputs(X.astype(other))
        assert outputs.dtype == fitted == estimator.model_.dtype
        np.testing.assert_allclose(outputs, estimator._outputs(X.astype(fitted)), rtol=1e-4, atol=1e-5)
        estimator.partial_fit(X.astype(other), y).predict([*X.astype(other)])
