# SPDX-License-Identifier: BSD-3-Clause
"""The parameters of estimators: signature, documentation and checks are those of their declarations."""

import functools
import inspect
import re

import numpy as np
import pytest
from sklearn.base import clone
from support.sklearn import ESTIMATORS, few, forecaster

import fastrnn as fr
from fastrnn.sklearn import RNNClassifier, RNNForecaster, RNNRegressor


@pytest.mark.parametrize("kind", [*ESTIMATORS, RNNForecaster])
def test_every_parameter_is_documented_with_its_default(kind):
    parameters, _, rest = kind.__doc__.partition("Parameters\n----------\n")[2].partition("\nAttributes\n")
    entries = dict(re.findall(r"^(\w+) : .*?default (.*)$", parameters, re.MULTILINE))
    signature = inspect.signature(kind).parameters
    assert list(entries) == list(signature)
    assert {name: eval(text) for name, text in entries.items()} == {n: p.default for n, p in signature.items()}
    assert "model_ : Sequential" in rest and "n_features_in_ : int" in rest and "Examples\n" in rest
    assert kind().get_params().keys() == entries.keys()


def test_the_most_used_parameters_go_by_position():
    classifier, series = RNNClassifier("lstm", 8, 2), RNNForecaster(12, 3)
    assert (classifier.cell, classifier.hidden_size, classifier.num_layers) == ("lstm", 8, 2)
    assert (series.window, series.horizon, series.hidden_size, series.max_iter) == (12, 3, 32, 200)
    with pytest.raises(TypeError, match="too many positional arguments"):
        RNNClassifier("lstm", 8, 2, 0.1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'units'"):
        RNNClassifier(units=8)


@pytest.mark.parametrize("kind", [*ESTIMATORS, RNNForecaster])
def test_the_constructor_checks_nothing(kind):
    """What it keeps is what it was given, as `clone` wants it."""
    size = object()
    assert kind(hidden_size=size).hidden_size is size
    assert clone(kind(hidden_size=[3])).hidden_size == [3]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cell", "lst", "expected one of gru, lstm, rnn, got 'lst'"),
        ("pooling", "sum", "expected one of last, mean, max, got 'sum'"),
        ("num_layers", 0, "expected at least 1, got 0"),
        ("hidden_size", 1.5, "expected an int"),
        ("dropout", 1.0, "expected"),
        ("optimizer", "lbfgs", "expected one of adam, .*, got 'lbfgs'"),
        ("optimizer", 3, r"expected a name, or a callable optimizer\(model, lr=...\), got 3"),
        ("clip", 0, "expected"),
        ("early_stopping", "yes", "expected one of auto, got 'yes'"),
        ("early_stopping", 1, "expected True or False, got 1"),
        ("warm_start", 1, "expected True or False, got 1"),
        *[("validation_fraction", fraction, "expected") for fraction in (0, 1, 1.5, "a")],
        ("n_threads", 0, "expected at least 1, got 0"),
    ],
)
def test_fit_refuses_wrong_parameters_by_name(name, value, words, rng):
    with pytest.raises((TypeError, ValueError), match=f"{name}: {words}"):
        few(RNNRegressor, **{name: value}).fit(rng.standard_normal((20, 4)), np.arange(20.0))


@pytest.mark.parametrize("quantiles", [(0.5, 0.1), (0.0, 0.5), (0.5, 1), 0.5, [], "half"])
def test_quantiles_are_numbers_that_rise(quantiles):
    with pytest.raises((TypeError, ValueError), match="quantiles: expected"):
        forecaster(quantiles=quantiles).fit(np.arange(30.0))


def test_optimizers_by_name_and_by_what_makes_them(rng):
    x = rng.standard_normal((20, 4))
    kinds = {"rmsprop": fr.RMSprop, functools.partial(fr.AdamW, weight_decay=0.3): fr.AdamW}
    for optimizer, kind in kinds.items():
        estimator = few(RNNRegressor, optimizer=optimizer, learning_rate=0.1).fit(x, x[:, 0])
        assert isinstance(estimator._optimizer, kind) and estimator._optimizer.lr == 0.1
    assert estimator._optimizer.weight_decay == 0.3
