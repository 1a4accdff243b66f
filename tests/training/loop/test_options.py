# SPDX-License-Identifier: BSD-3-Clause
"""Arguments of fit that are wrong are named before anything is trained."""

import os

import numpy as np
import pytest
from support.training import assert_same, make_model

import fastrnn as fr
from fastrnn.training._hooks.best import BestEpoch

ROWS_FIRST = fr.Batches([[1]], [1], batch_first=True)


@pytest.mark.parametrize(
    "error, message, options",
    [
        (TypeError, "loss: expected a function", {"loss": "mse"}),
        (TypeError, "model: expected params", {"model": object()}),
        (TypeError, "y: expected targets, got None", {"y": None}),
        (ValueError, "x: expected at least one row, got none", {"x": [], "y": []}),
        (ValueError, "x: expected at least one batch, got none", {"x": iter([]), "y": None}),
        (ValueError, "y: expected none, since Batches gives", {"x": fr.Batches([[1]], [1])}),
        (ValueError, "optimizer: expected one of this model", {"optimizer": fr.SGD(fr.Linear(1, 1))}),
        (ValueError, "schedule: expected one of this optimizer", {"schedule": fr.StepLR(fr.SGD(fr.Linear(1, 1)), 1)}),
        (ValueError, "epochs: expected at least 1, got 0", {"epochs": 0}),
        (TypeError, "epochs: expected an integer, got 1.5", {"epochs": 1.5}),
        (ValueError, "batch_size: expected at least 1, got 0", {"batch_size": 0}),
        (ValueError, "steps_per_epoch: expected at least 1, got 0", {"steps_per_epoch": 0}),
        (ValueError, "patience: expected at least 1, got 0", {"patience": 0}),
        (ValueError, "monitor: expected a column .* with mode='max', got None", {"mode": "max"}),
        (ValueError, "mode: expected one of min, max, got 'auto'", {"mode": "auto"}),
        (TypeError, "monitor: expected a column of the history, got builtin_f", {"monitor": min}),
        (ValueError, "min_delta: expected .* at least 0, got -1", {"min_delta": -1}),
        (ValueError, "clip: expected a finite number above 0, got -1", {"clip": -1}),
        (ValueError, "clip_value: expected a finite number above 0, got 0", {"clip_value": 0}),
        (ValueError, "metrics: expected names other than 'penalty'", {"metrics": {"penalty": fr.mse_loss}}),
        (TypeError, "restore_best: expected True or False, got 1", {"restore_best": 1}),
        (ValueError, "truncate: expected k2 >= k1", {"truncate": (4, 2)}),
        (ValueError, "an output for every step, got a Sequential", {"truncate": 2}),
        (ValueError, "resume: expected a checkpoint to resume from, got none", {"resume": True}),
        (FileNotFoundError, "checkpoint: expected a path in a folder", {"checkpoint": "/none/such/run"}),
        (ValueError, "x: expected Batches with batch_first=False", {"x": ROWS_FIRST, "y": None}),
        (TypeError, "callbacks: expected functions, or objects with on_step or on_epoch, got int", {"callbacks": [3]}),
        (TypeError, "callbacks: .* got the class BestEpoch", {"callbacks": [BestEpoch]}),
        (TypeError, r"to take \(model, epoch, row\), got .*\(epoch\): too many", {"callbacks": [lambda epoch: None]}),
        (TypeError, "callbacks: expected a list, got function", {"callbacks": lambda model, epoch, row: True}),
        (TypeError, "optimizer: expected an object as Adam.* got the class SGD", {"optimizer": fr.SGD}),
        (TypeError, "optimizer: expected .* got str", {"optimizer": "adam"}),
        (TypeError, "schedule: expected an object as StepLR.* makes it, got float", {"schedule": 0.5}),
        (TypeError, "checkpoint: expected str, bytes or os.PathLike, got int", {"checkpoint": 3}),
        (IsADirectoryError, "checkpoint: expected a path of a file, got the folder", {"checkpoint": os.curdir}),
        (IsADirectoryError, "checkpoint: expected a path of a file, got the folder /", {"checkpoint": ""}),
        (TypeError, r"checkpoint: .* Checkpoint\(path\), got the class Checkpoint", {"checkpoint": fr.Checkpoint}),
        (TypeError, "loss: expected a function .* got the class Adam", {"loss": fr.Adam}),
        (TypeError, "model: expected an object, got the class GRU", {"model": fr.GRU}),
        (TypeError, "metrics: expected", {"metrics": "accuracy"}),
        (TypeError, "metrics: .* got the class Adam as Adam", {"metrics": [fr.Adam]}),
        (TypeError, "metrics: expected names, got 1", {"metrics": {1: fr.mse_loss}}),
        (ValueError, "metrics: .* than 'val_a'", {"metrics": {"a": fr.mse_loss, "val_a": fr.mse_loss}}),
        (ValueError, "validation: expected batches for each of 10 epochs, got a list_it", {"validation": iter([])}),
        (ValueError, "y: expected", {"validation": (np.zeros((4, 3, 2)), np.zeros(2))}),
    ],
)  # fmt: skip
def test_bad_input(error, message, options, data):
    arguments = {"model": make_model(), "loss": fr.mse_loss, "x": data[0], "y": data[1], "progress": False} | options
    before = make_model()
    with pytest.raises(error, match=message):
        fr.fit(**arguments)
    if "model" not in options:
        assert_same(arguments["model"], before.params)


def test_a_checkpoint_in_a_folder_of_others(data, tmp_path, monkeypatch):
    """Before the first epoch, not after it."""
    asked = []
    monkeypatch.setattr(os, "access", lambda *arguments: asked.append(arguments))
    with pytest.raises(PermissionError, match=f"checkpoint: expected a folder in which files may be .* got {tmp_path}"):
        fr.fit(make_model(), fr.mse_loss, *data, checkpoint=tmp_path / "run", progress=False)
    assert asked == [(str(tmp_path.resolve()), os.W_OK)]


def test_a_plateau_schedule_of_another_mode(data):
    model = make_model()
    adam = fr.Adam(model)
    schedule = fr.ReduceLROnPlateau(adam, mode="max")
    with pytest.raises(ValueError, match="schedule: expected mode='min', in which fit watches loss, got 'max'"):
        fr.fit(model, fr.mse_loss, *data, optimizer=adam, schedule=schedule, progress=False)
