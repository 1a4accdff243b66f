# SPDX-License-Identifier: BSD-3-Clause
"""The history of a training, and its best epoch."""

import math

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._state.history import Best, History


def test_columns():
    history = History()
    assert history.epochs == 0
    history.add({"epoch": 1, "loss": 0.5})
    history.add({"epoch": 2, "loss": 0.25})
    assert history == {"epoch": [1, 2], "loss": [0.5, 0.25]} and history.epochs == 2
    assert history.interrupted is False and history.best_epoch is None


def test_pandas_reads_it():
    pandas = pytest.importorskip("pandas")
    history = History()
    history.add({"epoch": 1, "loss": 0.5})
    frame = pandas.DataFrame(history)
    assert list(frame) == ["epoch", "loss"] and frame.loss[0] == 0.5


def test_the_best_epoch_and_its_parameters():
    model = fr.Linear(1, 1, seed=0)
    best = Best(model, keep=True)
    for epoch, value in enumerate([3.0, 1.0, math.nan, 1.0, 2.0], 1):
        model.params["weight"][...] = epoch
        best.see(value, epoch)
    assert (best.value, best.epoch, best.bad) == (1.0, 2, 3)
    other = Best(model, keep=True)
    other.load_state_dict(best.state_dict())
    other.restore()
    np.testing.assert_array_equal(model.params["weight"], 2)
    assert other.state_dict() == best.state_dict()


def test_nothing_to_restore():
    model = fr.Linear(1, 1, seed=0)
    before = model.state_dict()
    for keep, value in (True, math.nan), (False, 1.0):
        best = Best(model, keep)
        best.see(value, 1)
        best.restore()
        np.testing.assert_array_equal(model.params["weight"], before["weight"])
