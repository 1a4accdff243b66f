# SPDX-License-Identifier: BSD-3-Clause
"""Trainings of a Seq2Seq in which the loss computes its output layer, and in which it does not: the same bits."""

from functools import partial

import numpy as np
import pytest
from support.last_layer import assert_same_training, set_parts, without
from support.layers import summariser, translator

import fastrnn as fr

V = 10
LENGTHS = np.random.default_rng(0).integers(3, 40, 40)


@pytest.fixture(params=["in parts", "at once"], autouse=True)
def parts(request, monkeypatch):
    set_parts(monkeypatch, request.param == "in parts")


def data(features=None):
    """Sources of other lengths than the targets, which are input and target at once."""
    rng = np.random.default_rng(1)
    sources = [rng.integers(0, V, length) for length in rng.integers(2, 9, len(LENGTHS))]
    if features is not None:
        sources = [rng.standard_normal((len(row), features)).astype(np.float32) for row in sources]
    targets = [rng.integers(0, V, length) for length in LENGTHS]
    return {"source": sources, "target": targets}, targets


def trained(make, loss=fr.cross_entropy, features=None, **options):
    options = {"epochs": 2, "batch_size": 16, "seed": 3, "progress": False} | options
    model = make()
    return model, fr.fit(model, loss, *data(features), **options)


CASES = {
    "attention": (translator, {}),
    "rows first": (partial(translator, batch_first=True), {}),
    "fed": (partial(translator, input_feeding=True), {}),
    "no attention": (summariser, {"features": 3}),
    "smoothed": (translator, {"loss": partial(fr.cross_entropy, label_smoothing=0.1, weight=np.arange(V))}),
    "weighted": (translator, {"sample_weight": [np.arange(length) % 3 for length in LENGTHS]}),
    "validated": (translator, {"validation": 0.25}),
    "clipped, with a penalty": (translator, {"clip": 0.5, "penalty": {"l2": 1e-3}}),
    "shards": (translator, {"shards": 3}),
}


@pytest.mark.parametrize(("make", "options"), CASES.values(), ids=CASES)
def test_the_same_bits(make, options, monkeypatch):
    """Targets are of different lengths, so that some steps of a batch are padding."""
    assert_same_training(monkeypatch, lambda: trained(make, **options))


def test_scheduled_sampling_reads_the_output_layer_as_before(monkeypatch):
    """Which a batch asks for as an argument of `forward`."""
    rng = np.random.default_rng(2)
    source, target = rng.integers(0, V, (6, 30)), rng.integers(0, V, (20, 30))
    batches = [({"source": source, "target": target, "sampling": 0.5}, target)]

    def train():
        model = translator()
        model.random_state = np.random.default_rng(3).bit_generator.state
        return model, fr.fit(model, fr.cross_entropy, batches, epochs=3, progress=False)

    assert_same_training(monkeypatch, train)


def test_metrics(monkeypatch):
    """One of parts of the logits; another that may need all of them."""
    assert_same_training(monkeypatch, lambda: trained(translator, metrics=["accuracy"]))
    largest = lambda y, target: float(y.max())  # noqa: E731
    assert_same_training(monkeypatch, lambda: trained(translator, metrics=[largest]), used=False)


def test_the_bits_do_not_depend_on_the_threads():
    results = []
    for threads in (1, 2, 3):
        with fr.threads(threads):
            model, history = trained(translator)
        results.append((model.state_dict(), history["loss"]))
    for state, losses in results[1:]:
        assert losses == results[0][1]
        for name, array in state.items():
            np.testing.assert_array_equal(array, results[0][0][name])


def test_evaluate_adds_no_gradients():
    model, (x, y) = translator(), data()
    for grad in model.grads.values():
        grad[...] = 1
    alone = fr.evaluate(model, fr.cross_entropy, x, y)
    assert alone["loss"] == fr.evaluate(model, fr.cross_entropy, x, y, metrics=["accuracy"])["loss"]
    assert all((grad == 1).all() for grad in model.grads.values())


def test_errors_say_where_as_without(monkeypatch):
    """A wrong target, and a wrong source, with the row of the data."""
    (x, y), texts = data(), []
    for wrong, match in (("targets", "targets: expected"), ("source", "in encoder of Seq2Seq")):
        sources, targets = [row.copy() for row in x["source"]], [row.copy() for row in y]
        {"targets": targets, "source": sources}[wrong][20][1] = V
        for fused in (True, False):
            with monkeypatch.context() as patch, pytest.raises(ValueError) as raised:  # noqa: PT011
                if not fused:
                    without(patch)
                model, given = translator(), {"source": sources, "target": x["target"]}
                fr.fit(model, fr.cross_entropy, given, targets, epochs=1, batch_size=16, seed=3, progress=False)
            texts.append([str(raised.value), *raised.value.__notes__])
        assert texts[-1] == texts[-2] and any(match in text for text in texts[-1]), texts[-1]
