# SPDX-License-Identifier: BSD-3-Clause
"""Trainings in which the loss computes the last layer, and the same trainings in which it does not: the same bits."""

from functools import partial

import numpy as np
import pytest
from support import last_layer
from support.last_layer import set_parts
from support.training import assert_same

import fastrnn as fr
from fastrnn.training._data.batch import Batch
from fastrnn.training._loop.last_layer import objective_of
from fastrnn.training._loop.objective import Objective

V = 17
LENGTHS = np.random.default_rng(0).integers(3, 60, 30)


@pytest.fixture(params=["in parts", "at once"])
def parts(request, monkeypatch):
    set_parts(monkeypatch, request.param == "in parts")


def model_of(*more, batch_first=False):
    layers = fr.Embedding(V, 6, seed=0), fr.GRU(6, 8, batch_first=batch_first, dropout=0.0, seed=1), *more
    return fr.Sequential(*layers, fr.Linear(8, V, seed=2))


def data(soft=False):
    """Sequences, with targets of which some are ignored, or probabilities."""
    rng = np.random.default_rng(1)
    x = [rng.integers(0, V, length) for length in LENGTHS]
    if soft:
        return x, [rng.dirichlet(np.ones(V), length) for length in LENGTHS]
    return x, [np.where(rng.uniform(size=length) < 0.2, -100, rng.integers(0, V, length)) for length in LENGTHS]


def trained(model, loss=fr.cross_entropy, given=None, **options):
    x, y = data() if given is None else given
    options = {"epochs": 2, "batch_size": 16, "seed": 3, "progress": False} | options
    return model, fr.fit(model, loss, x, y, **options)


def assert_same_training(monkeypatch, used=True, make=model_of, **options):
    last_layer.assert_same_training(monkeypatch, lambda: trained(make(), **options), used)


OPTIONS = {
    "nothing else": {},
    "smoothed": {"loss": partial(fr.cross_entropy, label_smoothing=0.1, weight=np.arange(V))},
    "sum": {"loss": partial(fr.cross_entropy, reduction="sum"), "optimizer": None},
    "probabilities": {"given": data(soft=True)},
    "weighted": {"sample_weight": [np.arange(length) % 3 for length in LENGTHS]},
    "rows weighted": {"sample_weight": np.arange(30) % 4},
    "classes weighted": {"class_weight": "balanced"},
    "windows": {"truncate": 7},
    "clipped": {"clip": 0.5, "clip_value": 0.1},
    "penalty": {"penalty": {"l2": 1e-3}},
    "validated": {"validation": 0.25, "patience": 1},
    "validated in windows": {"validation": 0.25, "truncate": (9, 9)},
    "shards": {"shards": 3},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_same_bits(options, parts, monkeypatch):
    assert_same_training(monkeypatch, **options)


MODELS = {
    "rows first": lambda: model_of(batch_first=True),
    "dropout": lambda: model_of(fr.Dropout(0.3, seed=4)),
    "padded": lambda: fr.Sequential(fr.Embedding(V, 8, seed=0), fr.LayerNorm(8), fr.Linear(8, V, seed=2)),
    "named": lambda: fr.Sequential(
        embed=fr.Embedding(V, 8, seed=0), rnn=fr.RNN(8, 8, seed=1), out=fr.Linear(8, V, seed=2)
    ),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_models(make, parts, monkeypatch):
    assert_same_training(monkeypatch, make=make)


def test_one_target_for_each_row(parts, monkeypatch):
    given = data()[0], np.arange(30) % V
    assert_same_training(monkeypatch, make=lambda: model_of(fr.LastStep()), given=given)


@pytest.mark.parametrize(
    "options",
    [
        {"metrics": ["accuracy", lambda y, target: float(y.max())]},
        {"metrics": [lambda y, target: fr.training.accuracy(y, target)]},
        {"truncate": (5, 9)},
        {"loss": lambda y, target: fr.cross_entropy(y, target)},
        {"loss": fr.mse_loss, "given": data(soft=True)},
    ],
)
def test_where_the_output_is_needed_or_cannot_be_left_out(options, monkeypatch):
    """Metrics that may need all of it, windows that overlap, and losses that have no such way."""
    assert_same_training(monkeypatch, used=False, **options)


class OwnLinear(fr.Linear):
    """Perhaps it does something else."""


class OwnSequential(fr.Sequential):
    """Likewise."""


@pytest.mark.parametrize(
    "model",
    [
        fr.Linear(3, V),
        fr.Sequential(fr.Linear(3, V)),
        fr.Sequential(fr.GRU(3, 8), OwnLinear(8, V)),
        OwnSequential(fr.GRU(3, 8), fr.Linear(8, V)),
        fr.Sequential(fr.GRU(3, 8), fr.Linear(8, V), fr.Dropout(0.1)),
        fr.Residual(fr.Sequential(fr.GRU(V, 8), fr.Linear(8, V))),
    ],
)
def test_models_of_another_kind(model):
    assert type(objective_of(model, fr.cross_entropy, ())) is Objective


class Head(fr.nn.Container, fr.nn.StatelessLayer):
    """A container of one's own, y = last(first(x)), which says that it ends with a layer."""

    first: fr.nn.Sublayer = fr.nn.Sublayer("What comes before.", fr.nn.Layer)
    last: fr.nn.Sublayer = fr.nn.Sublayer("What comes last.", fr.nn.Layer)

    def _forward(self, x, training):
        h, _, first = self.first.apply(x, None, None, training)
        y, _, last = self.last.apply(h, None, None, training)
        return y, [first, last]

    def _backward(self, tapes, dy):
        dh, _ = self.last.apply_backward(tapes[1], dy, None)
        return self.first.apply_backward(tapes[0], dh, None)[0]

    def _before_last(self):
        return self.first, "last"


class OwnHead(Head):
    """One of a subclass, which may not."""


@pytest.mark.parametrize(("kind", "used"), [(Head, True), (OwnHead, False)])
def test_a_container_says_that_it_ends_with_a_linear(kind, used, parts, monkeypatch):
    """Its class itself, as a subclass may have other passes."""
    x = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    make = lambda: kind(fr.Linear(6, 8, seed=0), fr.Linear(8, V, seed=2))  # noqa: E731
    assert_same_training(monkeypatch, used, make, given=(x, np.arange(300) % V))


def test_resume(parts, tmp_path, monkeypatch):
    """On with the last layer in the loss what was begun without it, and the other way around."""
    expected = trained(model_of(), epochs=4)[0]
    for first in (True, False):
        path = tmp_path / f"{first}.safetensors"
        for epochs, fused in ((2, first), (4, not first)):
            with monkeypatch.context() as patch:
                if not fused:
                    last_layer.without(patch)
                model, _ = trained(model_of(), epochs=epochs, checkpoint=path, resume=True)
        assert_same(model, expected.params)


def test_evaluate_adds_no_gradients(parts):
    """The values of the plain way, in one piece and in several; nothing is added."""
    model, (x, y) = model_of(), data()
    for grad in model.grads.values():
        grad[...] = 1
    for chunk in (None, 11):
        alone = fr.evaluate(model, fr.cross_entropy, x, y, chunk=chunk)
        beside = fr.evaluate(model, fr.cross_entropy, x, y, chunk=chunk, metrics=["accuracy"])
        assert alone["loss"] == beside["loss"]
    assert all((grad == 1).all() for grad in model.grads.values())


def test_errors_say_where_as_without(parts, monkeypatch):
    """A wrong target, with the row of the data; and a layer that gives the last one what it cannot read."""

    class Wide(fr.nn.StatelessLayer):
        def _forward(self, x, training):
            return np.concatenate([x, x], axis=-1), None

        def _backward(self, saved, dy):
            raise AssertionError

    x, y = data()
    y[20][1] = V
    for make, targets, match in (
        (model_of, y, "targets: expected"),
        (lambda: model_of(Wide()), data()[1], "x: expected"),
    ):
        texts = []
        for fused in (True, False):
            with monkeypatch.context() as patch, pytest.raises(ValueError, match=match) as raised:
                if not fused:
                    last_layer.without(patch)
                trained(make(), given=(x, targets))
            texts.append((str(raised.value), raised.value.__notes__))
        assert texts[0] == texts[1]


def test_the_loss_adds_the_gradients_of_the_last_layer_alone(parts):
    """Which are therefore set to 0 before it, and the rest follows."""
    model, x = model_of(), np.random.default_rng(0).integers(0, V, (30, 11))
    objective = objective_of(model, fr.cross_entropy, ())
    h, _, tape = objective.run(Batch(x), training=True)
    assert h.shape == (30, 11, 8)
    _, dh = objective.cost(h, x, None)
    assert {name for name, grad in model.grads.items() if grad.any()} == {"2.weight", "2.bias"}
    objective.backward(tape, dh)
    assert all(grad.any() for grad in model.grads.values())
