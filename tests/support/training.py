# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of fit share: a small model, its training, comparisons, Ctrl-C."""

import os
import signal

import numpy as np

import fastrnn as fr

T = 6


def make_model(*more, seed=0):
    return fr.Sequential(fr.GRU(2, 8, seed=seed), fr.LastStep(), *more, fr.Linear(8, 2, seed=seed + 1))


def tagger(batch_first=False):
    return fr.Sequential(fr.GRU(2, 8, batch_first=batch_first, seed=0), fr.Linear(8, 3, seed=1))


def fit(model, data, loss=fr.mse_loss, **options):
    return fr.fit(model, loss, *data, **{"epochs": 3, "batch_size": 8, "seed": 0, "progress": False} | options)


def assert_same(model, expected):
    for name, p in model.params.items():
        np.testing.assert_array_equal(p, expected[name], err_msg=name)


def but_seconds(history):
    return {name: column for name, column in history.items() if name != "seconds"}


def press():
    os.kill(os.getpid(), signal.SIGINT)
