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
    run = SimpleNamespace(model=model, history=History())
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
    before, run = model.state_dict(), SimpleNamespace(model=model, history=History())
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
