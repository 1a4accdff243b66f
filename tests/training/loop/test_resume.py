# SPDX-License-Identifier: BSD-3-Clause
"""What a checkpoint of fit says has to fit the training and itself. state/test_shape_forged.py changes every part."""

import os

import numpy as np
import pytest
from support.forged import RUNS, Broken, changed, train
from support.layers import refused

import fastrnn as fr
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint

PLACE, BEST = ("training", "place"), ("training", "best")


@pytest.mark.parametrize(
    "name, place, value, message",
    [
        ("validated", ("training", "history", "loss"), [1.0, 2.0], "training/history/loss: expected a list of 1, as"),
        ("validated", ("training", "history", "loss"), ["x"], "training/history/loss/0: expected a number, got 'x'"),
        (
            "validated",
            ("training", "history", "epoch"),
            [2],
            "training/history/epoch: expected the numbers from 1 to",
        ),
        ("validated", ("training", "history", "lr"), None, "training/history/lr: expected a list, got None"),
        ("validated", ("training", "step"), 1, "training/step: expected a number of updates that does not fall"),
        ("validated", ("training", "means", "weights"), {}, "training/means/weights: expected one for each of loss"),
        ("validated", (*BEST, "epoch"), 2, "training/best/epoch: expected a number from 1 to 1, got 2"),
        ("validated", (*BEST, "bad"), 2, "training/best/bad: expected at most 1, got 2"),
        ("validated", (*BEST, "parameters"), {}, "training/best/parameters: expected those of the model"),
        ("validated", (*BEST, "parameters", "2.bias"), np.ones(3), "training/best/parameters/2.bias: expected float32"),
        ("validated", ("random",), [], "random: expected a list of 4, as many as layers, got []"),
        ("validated", ("random", 2, "state"), 3, "random/2/state: expected a dict of state, inc, got 3"),
        ("validated", ("random", 2, "uinteger"), -1, "random/2/uinteger: expected an integer from 0 to 4294967295"),
        (
            "ragged",
            ("random", 2, "state", "pos"),
            700,
            "random/2/state/pos: expected an integer from 0 to 624, got",
        ),
        ("plateau", ("random", 2, "buffer_pos"), 9, "random/2/buffer_pos: expected an integer from 0 to 4, got 9"),
        ("generator", (*PLACE, "feed", "drawn"), 2**60, "training/place/feed/drawn: expected at most 3 batches, got"),
        ("ragged", (*PLACE, "feed", "source", "position"), 9, "position: expected at most 2, the number of batches"),
        ("truncated", (*PLACE, "start"), 3, "training/place/start: expected a multiple of 2, got 3"),
        ("truncated", (*PLACE, "start"), 8, "training/place/start: expected a step of the batch, which has 5, got 8"),
        ("truncated", (*PLACE, "first"), None, "training/place/first: expected a list of 1, got None"),
        ("truncated", (*PLACE, "first", 0, 1), np.ones(3), "training/place/first/0/1: expected float32 of shape"),
        ("plain", ("model", "weight"), np.ones(2, np.float32), "model: weight: expected"),
        ("plain", ("optimizer", "state", "lr"), "text", "optimizer: lr: expected"),
        ("plain", ("optimizer",), {"type": "RMSprop"}, "optimizer/state: expected an entry of this name, got none"),
        ("plain", ("training", "extra"), 1, "training/extra: expected no entry of this name, got one"),
    ],
)
def test_the_place_of_what_does_not_fit(name, place, value, message, tmp_path):
    """The file is named, and nothing is changed in it."""
    path = tmp_path / "run"
    with pytest.raises(Broken):
        train(name, path, resume=False, steps=4 if name == "truncated" else 3)
    write_checkpoint(path, changed(read_checkpoint(path), place, value))
    before = path.read_bytes()
    with refused(ValueError, f"{path}: ", message):
        train(name, path, resume=True)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run"]


def test_arrays_among_the_options(tmp_path):
    """A file has them as numbers and lists, with which they are compared."""
    options = {"clip": np.array(1.0), "penalty": {"l2": np.float32(0.5)}, "truncate": np.array(2)}
    data, x = {"progress": False, "seed": np.int64(0)}, RUNS["truncated"][3]["x"]
    for epochs, resume in (1, False), (2, True):
        model = fr.Sequential(fr.GRU(2, 2, seed=0))
        history = fr.fit(
            model, fr.mse_loss, x, x, epochs=epochs, checkpoint=tmp_path / "run", resume=resume, **data, **options
        )
    assert history.epochs == 2


def test_the_file_is_read_once(tmp_path, monkeypatch):
    """What is checked is what is used."""
    path, opened = tmp_path / "run", []
    with pytest.raises(Broken):
        train("plain", path, resume=False, steps=3)

    def reading(path, flags, before=os.open, **more):
        opened.extend([path] if flags & os.O_ACCMODE == os.O_RDONLY and os.path.isfile(path) else [])
        return before(path, flags, **more)

    monkeypatch.setattr(os, "open", reading)
    train("plain", path, resume=True)
    assert opened == [str(path)]
