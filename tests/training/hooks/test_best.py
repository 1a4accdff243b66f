# SPDX-License-Identifier: BSD-3-Clause
"""The best epoch of a training."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from support.training import assert_same, fit, make_model

import fastrnn as fr
from fastrnn.training._hooks.best import BestEpoch
from fastrnn.training._state.history import History


def test_the_best_epoch_and_its_parameters():
    model = fr.Linear(1, 1, seed=0)
    run = SimpleNamespace(model=model, history=History(), monitor="loss")
    best = BestEpoch(restore=True)
    for epoch, value in enumerate([3.0, 1.0, math.nan, 1.0, 2.0], 1):
        model.params["weight"][...] = epoch
        best.on_epoch(run, {"epoch": epoch, "loss": value})
    assert (best.value, best.epoch, best.bad) == (1.0, 2, 3)
    other = BestEpoch(restore=True)
    other.load_state_dict(best.state_dict())
    other.on_end(run)
    assert run.history.best_epoch == 2
    np.testing.assert_array_equal(model.params["weight"], 2)
    assert other.state_dict() == best.state_dict()


def test_nothing_to_restore():
    model = fr.Linear(1, 1, seed=0)
    before, run = model.state_dict(), SimpleNamespace(model=model, history=History(), monitor="loss")
    for restore, value in (True, math.nan), (False, 1.0):
        best = BestEpoch(restore)
        best.on_epoch(run, {"epoch": 1, "loss": value})
        best.on_end(run)
        np.testing.assert_array_equal(model.params["weight"], before["weight"])


def test_the_best_parameters_come_back(data):
    """A learning rate that ruins the model after the second epoch."""
    seen = []

    def ruin(model, epoch, row):
        seen.append(model.state_dict())
        if epoch == 2:
            adam.lr = 10.0

    for restore in True, False:
        seen.clear()
        model = make_model()
        adam = fr.Adam(model)
        history = fit(model, data, optimizer=adam, validation=data, callbacks=[ruin], restore_best=restore)
        assert history.best_epoch == 2 and history["val_loss"][2] > history["val_loss"][1]
        assert_same(model, seen[1 if restore else 2])


@pytest.mark.parametrize("patience", [1, 3])
def test_patience(patience, data):
    model = make_model()
    history = fit(model, data, optimizer=fr.SGD(model, lr=0), validation=data, patience=patience, epochs=50)
    assert history["epoch"] == list(range(1, patience + 2)) and history.best_epoch == 1


@pytest.mark.parametrize(
    "mode, min_delta, best",
    [("min", 0.0, [1, 2, 4, 6]), ("min", 0.25, [1, 2, 6]), ("max", 0.0, [1, 5]), ("max", 1.0, [1])],
)
def test_which_epochs_are_better(mode, min_delta, best):
    run = SimpleNamespace(model=None, history=History(), monitor="score")
    hook, seen = BestEpoch(False, None, mode, min_delta), []
    for epoch, value in enumerate([2.0, 1.0, math.nan, 0.75, 2.5, 0.5], 1):
        hook.on_epoch(run, {"epoch": epoch, "loss": -epoch, "score": value})
        seen += [epoch] * (hook.bad == 0)
    assert seen == best and hook.epoch == best[-1]


VALUES = [0.5, 0.7, 0.75, 0.6, 0.9]


def watch(data, **options):
    """A training whose validation has a metric of these values in its epochs, and the parameters after each of them."""
    seen = []

    def score(y, target):
        return VALUES[min(len(seen), 4)]  # called after so many epochs

    model = make_model()
    adam = fr.Adam(model)
    make = options.pop("schedule", None)
    history = fit(
        model, data, epochs=5, batch_size=20, optimizer=adam, validation=data, metrics=[score],
        schedule=None if make is None else make(adam),
        callbacks=[lambda *all: seen.append(model.state_dict())], **options,
    )  # fmt: skip
    assert history["val_score"] == VALUES[: len(seen)]
    return model, history, seen


def test_a_metric_is_watched(data):
    """By patience, by the parameters that come back, and by a schedule, as the loss is by default."""
    model, history, seen = watch(data, monitor="val_score", mode="max", min_delta=0.1)
    assert history.best_epoch == 5
    model, history, seen = watch(data, monitor="val_score", mode="max", min_delta=0.1, patience=2)
    assert history.epochs == 4 and history.best_epoch == 2
    assert_same(model, seen[1])
    model, history, seen = watch(
        data, monitor="val_score", mode="max",
        schedule=lambda adam: fr.ReduceLROnPlateau(adam, factor=0.5, patience=0, threshold=0.0, mode="max"),
    )  # fmt: skip
    assert history["lr"] == [1e-3, 1e-3, 1e-3, 1e-3, 5e-4]  # lr at the end of an epoch, before the schedule follows it
    model, history, seen = watch(data)
    assert history.best_epoch == 1 + int(np.argmin(history["val_loss"])) == 5


def test_what_layers_report_can_be_watched(rng):
    x, y = rng.standard_normal((6, 8, 2)).astype(np.float32), rng.standard_normal((6, 8, 1))
    model = fr.Sequential(fr.RNN(2, 4, omega=0.1, seed=0), fr.Linear(4, 1, seed=1))
    history = fit(model, (x, y), monitor="omega", mode="max", penalty={"l2": 1e-3})
    assert history.best_epoch == 1 + int(np.argmax(history["omega"]))


@pytest.mark.parametrize("monitor", ["val_los", "accuracy", "omega", "penalty", ""])
def test_what_is_no_column_is_refused_before_the_training(monitor, data):
    model = make_model()
    columns = "epoch, step, loss, grad_norm, lr, val_loss, seconds"
    message = rf"monitor: expected a column of the history \({columns}\), got '{monitor}'"
    with pytest.raises(ValueError, match=message):
        fit(model, data, validation=data, monitor=monitor)
    assert_same(model, make_model().params)
