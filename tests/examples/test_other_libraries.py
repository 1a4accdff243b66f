# SPDX-License-Identifier: BSD-3-Clause
"""What examples/with_defaults.py compares with."""

import importlib

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the classifiers are scikit-learn's in their ways")

X = [np.arange(2 * T, dtype=np.float32).reshape(T, 2) for T in (3, 5)]


@pytest.fixture
def others(load_example):  # which makes the examples importable
    return importlib.import_module("_other_libraries")


def test_sequences_are_padded_with_zeros(others):
    x, lengths = others.padded(X)
    assert x.shape == (2, 5, 2) and lengths.tolist() == [3, 5] and not x[0, 3:].any()
    first = others.MiniRocket(6).channels_first(X)
    np.testing.assert_array_equal(first[1, :, :5], X[1].T)
    assert first.shape == (2, 2, 6) and not first[1, :, 5:].any()


def test_windows_are_those_of_the_forecaster(others):
    """The network of `RNNForecaster` reads the same numbers."""
    from fastrnn.sklearn import RNNForecaster

    class Library:
        def forecaster(self, x, y, validation, seed):
            self.seen = x, y, *validation
            return lambda x: x[:, -3:, :1]

    series = np.cumsum(np.random.default_rng(0).standard_normal(60)).astype(np.float32)
    ours = RNNForecaster(window=8, horizon=3, max_iter=1, n_iter_no_change=None, random_state=0).fit(series)
    theirs = others.Forecaster(library := Library(), 8, 3, 0).fit(series)
    samples, last = ours._with_validation_last(ours._samples(series[:, None], np.zeros((60, 0), np.float32)))
    for k, expected in enumerate((samples.x, samples.targets[:, -3:])):
        np.testing.assert_allclose(library.seen[k], expected[:-last], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(library.seen[2 + k], expected[-last:], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(theirs.backtest(series)[:, 0], series[7:-3], rtol=1e-6)  # zeros: the last known value


def test_the_training_is_that_of_the_estimators(others):
    from fastrnn.sklearn import RNNClassifier, RNNForecaster

    classifier, forecaster = RNNClassifier().get_params(), RNNForecaster().get_params()
    for name, value in {
        "batch_size": others.BATCH, "learning_rate": others.RATE, "clip": others.NORM, "max_iter": others.EPOCHS,
        "n_iter_no_change": others.PATIENCE, "tol": others.FALL, "validation_fraction": others.VALIDATION,
        "cell": "gru", "num_layers": 1, "dropout": 0.0,
    }.items():  # fmt: skip
        assert classifier[name] == forecaster[name] == value
    assert classifier["hidden_size"] == others.UNITS and forecaster["hidden_size"] == others.UNITS_OF_FORECASTER
    assert classifier["early_stopping"] == "auto" and forecaster["early_stopping"] is True


@pytest.mark.parametrize(("name", "packages"), [("Skorch", ("skorch", "torch")), ("Keras", ("keras", "tensorflow"))])
def test_the_same_networks_learn(others, name, packages):
    for package in packages:
        pytest.importorskip(package)
    library, rng = getattr(others, name)(), np.random.default_rng(0)
    signs, lengths = rng.integers(0, 2, 60), rng.integers(5, 9, 60)
    series = [rng.normal(2 * sign - 1, 0.5, (T, 1)).astype(np.float32) for sign, T in zip(signs, lengths, strict=True)]
    classifier = others.Classifier(library).fit(series[:40], signs[:40])
    assert classifier.score(series[40:], signs[40:]) > 0.9
    wave = np.sin(np.arange(200) / 5).astype(np.float32)
    forecaster = others.Forecaster(library, 12, 3, 0).fit(wave[:150])
    actual = np.lib.stride_tricks.sliding_window_view(wave[150:], 15)[:, 12:]
    assert np.abs(forecaster.backtest(wave[150:]) - actual).mean() < 0.1
