# SPDX-License-Identifier: BSD-3-Clause
"""What is reported of an epoch does not depend on how its data are cut into batches and pieces."""

from functools import partial

import numpy as np
import pytest
from support.training import but_seconds

import fastrnn as fr
from fastrnn.losses import Mean

SIZES = [1, 2, 7, 32]
V = 4
WEIGHT = [0.5, 2.0, 0.0, 1.0]
RTOL = 1e-12  # sums of a few hundred terms in another order
LENGTHS = np.random.default_rng(0).integers(1, 9, 33)
LENGTHS[[3, 4, 20]] = 40, 0, 0  # much padding, and rows without a step


def model_of(*more):
    return fr.Sequential(fr.GRU(3, 5, seed=0, dtype=np.float64), *more, fr.Linear(5, V, seed=1, dtype=np.float64))


@pytest.fixture(scope="module")
def data():
    """Sequences, and targets of each step of every kind."""
    rng = np.random.default_rng(1)
    x = [rng.standard_normal((length, 3)) for length in LENGTHS]
    classes = [rng.integers(0, V, length) for length in LENGTHS]
    for row in classes[::3]:
        row[::2] = -100  # ignored, more in some rows than in others
    return {
        "x": x,
        "numbers": [rng.standard_normal((length, V)) for length in LENGTHS],
        "missing": [np.where(rng.uniform(size=(length, V)) < 0.3, np.nan, 1.0) for length in LENGTHS],
        "number": [rng.standard_normal(length) for length in LENGTHS],
        "classes": classes,
        "answers": [rng.integers(0, 2, (length, V)) for length in LENGTHS],
        "probabilities": [rng.dirichlet(np.ones(V), length) for length in LENGTHS],
    }


def of_those_known(y, target, lengths=None, batch_first=False):
    """Huber's loss where the target is not NaN."""
    return fr.huber_loss(y, target, lengths=lengths, batch_first=batch_first, sample_weight=~np.isnan(target))


LOSSES = {
    "mse": (fr.mse_loss, "numbers"),
    "l1": (fr.l1_loss, "numbers"),
    "huber": (partial(fr.huber_loss, delta=0.5), "numbers"),
    "huber of those known": (of_those_known, "missing"),
    "sum": (partial(fr.mse_loss, reduction="sum"), "numbers"),
    "quantiles": (partial(fr.quantile_loss, quantiles=[0.1, 0.2, 0.5, 0.9]), "number"),
    "binary": (partial(fr.binary_cross_entropy_with_logits, pos_weight=WEIGHT), "answers"),
    "classes": (fr.cross_entropy, "classes"),
    "classes weighted": (partial(fr.cross_entropy, weight=WEIGHT, label_smoothing=0.2), "classes"),
    "one ignored": (partial(fr.cross_entropy, ignore_index=2), "positive"),
    "probabilities": (partial(fr.cross_entropy, weight=WEIGHT), "probabilities"),
    "of one's own": (lambda y, target: (np.square(y - target).mean(), 2 * (y - target) / y.size), "numbers"),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


def at_once(loss, y, target):
    """The mean over all positions, one after another."""
    value = loss(y, target)[0]
    return value.total / value.weight if isinstance(value, Mean) else value


def targets_of(data, kind):
    return [np.abs(row) % V for row in data["classes"]] if kind == "positive" else data[kind]


@each_loss
@pytest.mark.parametrize("batch_first", [False, True])
def test_losses_of_steps(name, batch_first, data):
    loss, kind = LOSSES[name]
    x, y, model = data["x"], targets_of(data, kind), model_of()
    outputs = np.concatenate([model(row[:, None])[0][:, 0] for row in x])
    expected = at_once(loss, outputs, np.concatenate(y))
    if batch_first:
        model = fr.Sequential(fr.GRU(3, 5, seed=0, dtype=np.float64, batch_first=True), model.layers[1])
    for size in SIZES:
        found = fr.evaluate(model, loss, x, y, metrics={"same": loss}, batch_size=size)
        assert found["loss"] == pytest.approx(expected, rel=RTOL), size
        if name != "of one's own":
            assert found["same"] == pytest.approx(expected, rel=RTOL), size
    for size, chunk in (1, 1), (7, 3), (32, 11):
        found = fr.evaluate(model, loss, x, y, batch_size=size, chunk=chunk)
        assert found["loss"] == pytest.approx(expected, rel=RTOL), (size, chunk)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_losses_of_rows(weight, data):
    x, classes = data["x"], np.arange(len(data["x"])) % V
    classes[::5] = -100
    model, loss = model_of(fr.MeanPool(dtype=np.float64)), partial(fr.cross_entropy, weight=weight)
    logits = np.concatenate([model(row[:, None], lengths=[len(row)])[0] for row in x if len(row)])
    kept = LENGTHS > 0
    x, classes = [row for row in x if len(row)], classes[kept]
    expected, right = loss(logits, classes)[0], (logits.argmax(axis=-1) == classes)[classes != -100].mean()
    for size in SIZES:
        found = fr.evaluate(model, loss, x, classes, metrics=["accuracy"], batch_size=size)
        assert found == pytest.approx({"loss": expected, "accuracy": right}, rel=RTOL)


@pytest.mark.parametrize("options", [{}, {"zero_infinity": True}, {"reduction": "sum", "zero_infinity": True}], ids=str)
def test_ctc(options, data):
    """The mean over the rows of the loss per label; rows without steps count, too."""
    rng = np.random.default_rng(2)
    fits = np.minimum(LENGTHS // 2, 3) if not options else rng.integers(0, 4, len(LENGTHS))
    labels = [rng.integers(1, V, count) for count in fits]
    model, loss = model_of(), partial(fr.ctc_loss, **options)
    alone = [loss(model(row[:, None])[0], [y], None)[0] for row, y in zip(data["x"], labels, strict=True)]
    for size in SIZES:
        found = fr.evaluate(model, loss, data["x"], labels, metrics={"same": loss}, batch_size=size)
        assert found == pytest.approx(dict.fromkeys(("loss", "same"), np.mean(alone)), rel=1e-10)
    with pytest.raises(ValueError, match="loss: expected one of each step, to cut it in time, got one of whole rows"):
        fr.evaluate(model, loss, np.zeros((2, 2, 3)), np.ones((2, 2), int), chunk=2)


@each_loss
def test_training_and_validation_report_the_same(name, data):
    """With a learning rate of 0, the history has what evaluate finds, for batches of any size, and truncated."""
    loss, kind = LOSSES[name]
    pair, model = (data["x"], targets_of(data, kind)), model_of()
    expected = fr.evaluate(model, loss, *pair, batch_size=32)["loss"]
    for size, truncate in (1, None), (7, None), (32, None), (7, 3), (32, (2, 5)):
        history = fr.fit(
            model, loss, *pair, epochs=1, batch_size=size, optimizer=fr.SGD(model, lr=0.0), validation=pair,
            truncate=truncate, seed=0, progress=False,
        )  # fmt: skip
        for column in "loss", "val_loss":
            assert history[column] == [pytest.approx(expected, rel=RTOL)]
            assert type(history[column][0]) is float


def test_resumed_in_the_middle_of_an_epoch(data, tmp_path):
    """With a loss whose weight differs from batch to batch, and from that of the norms."""
    pair, loss = (data["x"], data["classes"]), partial(fr.cross_entropy, weight=WEIGHT)
    options = {"epochs": 2, "batch_size": 7, "seed": 0, "progress": False, "metrics": ["accuracy"]}
    whole, part = model_of(), model_of()
    expected = fr.fit(whole, loss, *pair, **options)

    class Stop:
        def on_step(self, model, step, loss, norm):
            if step == 8:
                raise KeyboardInterrupt

    path = tmp_path / "run"
    assert fr.fit(part, loss, *pair, checkpoint=path, callbacks=[Stop()], **options).interrupted
    found = fr.fit(part, loss, *pair, checkpoint=path, resume=True, **options)
    assert but_seconds(found) == but_seconds(expected)
