# SPDX-License-Identifier: BSD-3-Clause
"""The best epoch of a training."""

import math

import numpy as np

import fastrnn as fr
from fastrnn.training._hooks.best import BestEpoch


def test_the_best_epoch_and_its_parameters():
    model = fr.Linear(1, 1, seed=0)
    best = BestEpoch(model, keep=True)
    for epoch, value in enumerate([3.0, 1.0, math.nan, 1.0, 2.0], 1):
        model.params["weight"][...] = epoch
        best.update(value, epoch)
    assert (best.value, best.epoch, best.bad) == (1.0, 2, 3)
    other = BestEpoch(model, keep=True)
    other.load_state_dict(best.state_dict())
    other.restore()
    np.testing.assert_array_equal(model.params["weight"], 2)
    assert other.state_dict() == best.state_dict()


def test_nothing_to_restore():
    model = fr.Linear(1, 1, seed=0)
    before = model.state_dict()
    for keep, value in (True, math.nan), (False, 1.0):
        best = BestEpoch(model, keep)
        best.update(value, 1)
        best.restore()
        np.testing.assert_array_equal(model.params["weight"], before["weight"])
