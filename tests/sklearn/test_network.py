# SPDX-License-Identifier: BSD-3-Clause
"""Training of a recurrent network: epochs, early stopping, going on, and Ctrl-C."""

import signal

import joblib
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from support.sklearn import RECURRENT, few, forecaster, ragged, targets_of

import fastrnn as fr
from fastrnn.sklearn import RNNClassifier, RNNRegressor


@pytest.fixture(params=RECURRENT, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture
def data(kind, rng):
    X = ragged(rng, 60)
    return X, targets_of(kind, X)


def weights(estimator):
    return {name: array.copy() for name, array in estimator.model_.params.items()}


def same(one, other):
    return all((one[name] == other[name]).all() for name in one)


def test_the_loss_falls_and_is_kept(kind, data):
    estimator = few(kind, max_iter=12).fit(*data)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 12
    assert estimator.loss_curve_[-1] < 0.9 * estimator.loss_curve_[0]
    assert estimator.validation_loss_curve_ is None


def test_it_is_fit_of_fastrnn(rng):
    """Bit by bit, with the same model, order and options."""
    x = rng.standard_normal((40, 5, 2))
    y = x[:, -1, 0] > 0
    estimator = few(RNNClassifier, standardize=False, clip=0.5, learning_rate=0.02).fit(x, y)
    seeds = np.random.default_rng(np.random.RandomState(0).randint(2**31 - 1)).integers(2**62, size=4)
    model = fr.Sequential(
        recurrent=fr.GRU(2, 8, batch_first=True, dtype=np.float64, seed=int(seeds[0])),
        pool=fr.LastStep(batch_first=True, dtype=np.float64),
        output=fr.Linear(8, 2, dtype=np.float64, seed=int(seeds[2])),
    )
    adam = fr.Adam(model, lr=0.02)
    fr.fit(
        model, fr.cross_entropy, x, y.astype(int),
        optimizer=adam, epochs=3, batch_size=16, clip=0.5, seed=int(seeds[3]), progress=False,
    )  # fmt: skip
    assert same(weights(estimator), model.params)


def test_training_stops_when_the_loss_does_not_fall(kind, data):
    """By more than `tol`; here it would have to fall by far more than there is."""
    estimator = few(kind, max_iter=50, n_iter_no_change=4, tol=100.0).fit(*data)
    assert estimator.n_iter_ == 5  # the first is better than none


def test_a_warning_says_that_the_loss_was_still_falling(kind, data):
    with pytest.warns(ConvergenceWarning, match=f"{kind.__name__}: the loss was still falling when max_iter=2"):
        few(kind, max_iter=2, n_iter_no_change=5).fit(*data)


def test_early_stopping_restores_the_best_epoch(rng):
    """Labels of pure chance: the more is learned, the worse the rest is predicted."""
    X, y = ragged(rng, 80), rng.integers(2, size=80)
    options = {"hidden_size": 16, "learning_rate": 0.05, "max_iter": 40, "n_iter_no_change": 8}
    stopped = few(RNNClassifier, early_stopping=True, **options).fit(X, y)
    curve = stopped.validation_loss_curve_
    best = int(np.argmin(curve)) + 1
    assert len(curve) == stopped.n_iter_ < 40 and best <= stopped.n_iter_ - 8
    shorter = few(RNNClassifier, early_stopping=True, **options | {"max_iter": best, "n_iter_no_change": None}).fit(
        X, y
    )
    assert same(weights(stopped), weights(shorter))


def test_many_samples_are_validated_by_default(kind, rng):
    X = rng.standard_normal((520, 2, 1))
    y = targets_of(kind, X)
    assert len(few(kind, max_iter=1).fit(X, y).validation_loss_curve_) == 1
    assert few(kind, max_iter=1).fit(X[:480], y[:480]).validation_loss_curve_ is None
    assert few(kind, max_iter=1, early_stopping=False).fit(X, y).validation_loss_curve_ is None


def test_weights_of_samples_are_weights_of_their_losses(kind, rng):
    """In one batch, a weight of 3 is three samples."""
    X = ragged(rng, 20)
    y, counts = targets_of(kind, X), rng.integers(1, 4, size=20)
    weighted = few(kind, batch_size=100).fit(X, y, sample_weight=counts)
    repeated = few(kind, batch_size=100).fit([X[n] for n in np.repeat(np.arange(20), counts)], np.repeat(y, counts))
    for name, array in weighted.model_.params.items():
        np.testing.assert_allclose(array, repeated.model_.params[name], rtol=0, atol=1e-9)


def test_partial_fit_is_one_epoch_with_the_same_optimizer(kind, data):
    """Its moments go on: two calls are not one twice."""
    estimator = few(kind, batch_size=100)
    options = {"classes": ["no", "yes"]} if kind is RNNClassifier else {}
    for epoch in (1, 2, 3):
        estimator.partial_fit(*data, **options)
        assert estimator.n_iter_ == epoch
    whole = few(kind, batch_size=100, max_iter=3).fit(*data)  # in one batch, the order does not matter but for rounding
    for name, array in whole.model_.params.items():
        np.testing.assert_allclose(estimator.model_.params[name], array, rtol=0, atol=1e-9)


def test_partial_fit_goes_on_after_fit(kind, data):
    estimator = few(kind).fit(*data)
    loss = estimator.loss_curve_[-1]
    for _ in range(5):
        estimator.partial_fit(*data)
    assert estimator.n_iter_ == 8 and estimator.loss_curve_[-1] < loss


def test_a_warm_start_goes_on_from_the_last_parameters(kind, data):
    """A cold one begins anew, and ends where it did."""
    warm, cold = few(kind, warm_start=True).fit(*data), few(kind).fit(*data)
    before, loss = weights(warm), warm.loss_curve_[-1]
    assert same(before, weights(cold.fit(*data))) and cold.n_iter_ == 3
    warm.fit(*data)
    assert warm.n_iter_ == 6 and warm.loss_curve_[-1] < loss and not same(before, weights(warm))


def test_a_warm_start_needs_the_same_structure(kind, data):
    estimator = few(kind, warm_start=True).fit(*data)
    with pytest.raises(ValueError, match="features"):  # and the model of before stays
        estimator.fit([x[:, :1] for x in data[0]], data[1])
    with pytest.raises(ValueError, match="cell: expected 'gru', as in the fitted model, got 'lstm'"):
        estimator.set_params(cell="lstm").fit(*data)
    estimator.set_params(cell="gru", learning_rate=0.1, max_iter=1).fit(*data)
    assert estimator.n_iter_ == 4


def test_verbose_prints_a_line_for_each_epoch(kind, data, capsys):
    few(kind, verbose=True).fit(*data)
    assert capsys.readouterr().err.count("epoch ") == 3
    few(kind).fit(*data)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"max_iter": 0}, "max_iter: expected at least 1, got 0"),
        ({"n_iter_no_change": 0}, "n_iter_no_change: expected at least 1, got 0"),
        ({"tol": -1.0}, "tol: expected"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected"),
        ({"clip": -1.0}, "clip: expected"),
        ({"early_stopping": "no"}, "early_stopping: expected"),
    ],
)
def test_parameters_out_of_range_are_named(kind, data, parameters, words):
    with pytest.raises(ValueError, match=words):
        few(kind, **parameters).fit(*data)


class Interrupting(fr.Adam):
    """An optimizer in the fifth step of which Ctrl-C is pressed."""

    calls = 0

    def step(self):
        super().step()
        self.calls += 1
        if self.calls == 5:
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_ends_the_fit_and_what_called_it(kind, data, interruptible):
    """A search over parameters must not go on. What was learned is kept."""
    estimator = few(kind, optimizer=Interrupting)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(*data)
    assert estimator.n_iter_ == 1 and len(estimator.predict(data[0])) == 60


def test_a_loss_that_is_not_finite_is_an_error(rng):
    x = rng.standard_normal((40, 5, 2))
    y = 1e200 * rng.standard_normal(40)
    with pytest.raises(FloatingPointError, match="step 1"):
        few(RNNRegressor, standardize=False).fit(x, y)


def test_arrays_that_joblib_maps_are_copied_when_they_are_trained(kind, data, tmp_path):
    """As those of a large estimator in its processes are, which cannot be written."""
    X, y = data
    estimator = few(kind, hidden_size=20).fit(X, y)
    joblib.dump(estimator, tmp_path / "estimator")
    mapped = joblib.load(tmp_path / "estimator", mmap_mode="r")
    assert (mapped.partial_fit(X, y).predict(X) == estimator.partial_fit(X, y).predict(X)).all()
    joblib.dump(forecaster().fit(np.arange(40.0)), tmp_path / "forecaster")
    assert np.isfinite(joblib.load(tmp_path / "forecaster", mmap_mode="r").update([40.0], refit=True).predict()).all()


def test_the_network_of_a_last_step_reads_step_by_step(rng):
    """As the docstring of model_ says."""
    X = ragged(rng, 40)
    classifier = few(RNNClassifier).fit(X, targets_of(RNNClassifier, X))
    layers = classifier.model_
    stream = fr.Sequential(layers["recurrent"], layers["output"]).stream(1)
    for step in classifier.x_scaler_.transform(X[0]):
        logits = stream.step(step[None])
    np.testing.assert_allclose(fr.softmax(logits), classifier.predict_proba(X[:1]), rtol=1e-12)
