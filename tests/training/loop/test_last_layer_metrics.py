# SPDX-License-Identifier: BSD-3-Clause
"""Metrics where the loss computes the last layer: of some logits at a time, and equal to those of all at once."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from support import last_layer
from support.last_layer import assert_same_training, set_parts

import fastrnn as fr
from fastrnn.training import FunctionOfMean, accuracy
from fastrnn.training._loop.last_layer import from_parts

V = 17
LENGTHS = np.random.default_rng(0).integers(3, 60, 30)


@pytest.fixture(params=["in parts", "at once"])
def parts(request, monkeypatch):
    set_parts(monkeypatch, request.param == "in parts")


def model_of(batch_first=False):
    layers = fr.Embedding(V, 6, seed=0), fr.GRU(6, 8, batch_first=batch_first, seed=1)
    return fr.Sequential(*layers, fr.Linear(8, V, seed=2))


def data():
    """Sequences, with targets of which some are ignored."""
    rng = np.random.default_rng(1)
    x = [rng.integers(0, V, length) for length in LENGTHS]
    return x, [np.where(rng.uniform(size=length) < 0.2, -100, rng.integers(0, V, length)) for length in LENGTHS]


def trained(model, loss=fr.cross_entropy, given=None, **options):
    x, y = data() if given is None else given
    options = {"epochs": 2, "batch_size": 16, "seed": 3, "progress": False} | options
    return model, fr.fit(model, loss, x, y, **options)


OF_SOME = partial(accuracy, ignore_index=2)  # the loss ignores others
OF_SOME.__name__ = "of_some"  # type: ignore[attr-defined]
ALL = {"given": (data()[0], [np.maximum(row, 0) for row in data()[1]])}  # no target is ignored

OPTIONS = {
    "metrics": {"metrics": {"right": "accuracy", "of some": OF_SOME}, "validation": 0.25},
    "metrics in windows": {"metrics": [OF_SOME], "validation": 0.25, "truncate": 7},
    "metrics of other positions": {"metrics": [OF_SOME], "loss": partial(fr.cross_entropy, ignore_index=3)} | ALL,
    "metrics in shards": {"metrics": ["accuracy"], "validation": 0.25, "shards": 3},
}


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_same_bits(options, batch_first, parts, monkeypatch):
    """Parameters, losses and accuracies."""
    assert_same_training(monkeypatch, lambda: trained(model_of(batch_first), **options))


@pytest.mark.parametrize("options", [{}, {"chunk": 11}, {"batch_size": 5}])
def test_metrics_that_are_sums_of_losses(options, parts, monkeypatch):
    """Rounded part by part; a function of a mean is one of the mean of all."""
    metrics = {
        "perplexity": FunctionOfMean(np.exp, fr.cross_entropy), "accuracy": "accuracy",
        "smooth": partial(fr.cross_entropy, label_smoothing=0.1, reduction="sum"),
    }  # fmt: skip
    found = fr.evaluate(model_of(), fr.cross_entropy, *data(), metrics=metrics, **options)
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"]), rel=1e-12)
    last_layer.without(monkeypatch)
    expected = fr.evaluate(model_of(), fr.cross_entropy, *data(), metrics=metrics, **options)
    assert found.pop("accuracy") == expected.pop("accuracy") and found.pop("loss") == expected.pop("loss")
    assert found == pytest.approx(expected, rel=1e-12)


def test_nothing_counts(parts):
    x, y = data()[0], [np.full(len(row), -100) for row in data()[0]]
    found = fr.evaluate(model_of(), fr.cross_entropy, x, y, metrics=["accuracy"])
    assert found == {"loss": 0.0, "accuracy": 0.0}
    history = trained(model_of(), given=(x, y), metrics=["accuracy"], epochs=1)[1]
    assert history["accuracy"] == [0.0]


def test_metrics_keep_no_logits():
    """Those of one batch of 3000 positions, 24 MB: the peak of a training and of an evaluation is below."""
    model = fr.Sequential(fr.Embedding(5, 4, seed=0), fr.RNN(4, 4, seed=1), fr.Linear(4, 2000, seed=2))
    x = np.random.default_rng(0).integers(0, 5, (10, 300))
    y, few = np.zeros_like(x), fr.cross_entropy
    logits = x.size * 2000 * 4
    for run in (
        lambda: fr.evaluate(model, few, x, y, metrics=["accuracy", few], batch_size=300),
        lambda: trained(model, given=(x, y), metrics=["accuracy"], batch_size=300, epochs=1, validation=(x, y)),
    ):
        tracemalloc.start()
        run()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < logits / 2


def test_which_metrics_can_be_computed_from_parts():
    yes = [accuracy, OF_SOME, fr.mse_loss, partial(fr.cross_entropy, weight=np.ones(V))]
    yes += [FunctionOfMean(np.exp, metric) for metric in yes]
    no = [fr.ctc_loss, lambda y, target: accuracy(y, target), partial(fr.cross_entropy, sample_weight=np.ones((3, 2)))]
    no += [FunctionOfMean(np.exp, metric) for metric in no]
    assert all(map(from_parts, yes)) and not any(map(from_parts, no))
