# SPDX-License-Identifier: BSD-3-Clause
"""A training that is resumed with other options: what is said, what is refused, and which are used."""

import re

import numpy as np
import pytest
from support.training import fit, make_model

import fastrnn as fr
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint
from fastrnn.training._loop.options import own_seed, time_steps


def accuracy(y, target):
    return float((abs(y - target) < 0.1).mean())


BEGUN = {"clip": 1.0, "penalty": {"l2": 1e-3}, "metrics": [accuracy], "min_delta": 1e-9}


@pytest.fixture
def path(data, tmp_path):
    """The checkpoint of two epochs with these options."""
    fit(make_model(), data, validation=data, epochs=2, checkpoint=tmp_path / "run", **BEGUN)
    return tmp_path / "run"


def resume(path, data, **options):
    model = make_model(seed=5)
    options = {"validation": data, **BEGUN, **options}
    if "lr" in options:
        options["optimizer"] = fr.Adam(model, lr=options.pop("lr"))
    return fit(model, data, checkpoint=path, resume=True, **options)


def mae(y, target):
    return fr.l1_loss(y, target)


REMEDY = "to change them, call load_checkpoint, set them and call fit without resume, or start anew."
BREAK = "the results are not those of a training without a break."


@pytest.mark.parametrize(
    "options, kept, used",
    [
        ({"lr": 0.1}, "optimizer.lr (0.001, given 0.1)", ""),
        ({"seed": 1}, "seed (0, given 1)", ""),
        ({"clip": None, "clip_value": 0.5}, "", "clip (None, in the checkpoint 1.0), clip_value (0.5, in the .* None)"),
        ({"penalty": {"l2": 0.1}}, "", "penalty ({'l2': 0.1}, in the checkpoint {'l2': 0.001})"),
        ({"loss": mae}, "", "loss ('mae', in the checkpoint 'mse_loss')"),
        ({"min_delta": 0.1}, "", "min_delta (0.1, in the checkpoint 1e-09)"),
        ({"restore_best": False}, "", "restore_best (False, in the checkpoint True)"),
        ({"steps_per_epoch": 3}, "", "steps_per_epoch (3, in the checkpoint None), time steps of x (None, .*)"),
        ({"seed": 1, "clip": 2}, "seed (0, given 1)", "clip (2, in the checkpoint 1.0)"),
    ],
)
def test_other_options(options, kept, used, path, data):
    """One warning, at the caller, with both values and which of them counts."""
    kept = f" Those of the checkpoint are used for {kept}: {REMEDY}" if kept else ""
    used = f" Those given are used for {used}: {BREAK}" if used else ""
    message = f"{path}: the options differ from those of the checkpoint.{kept}{used}"
    with pytest.warns(UserWarning) as caught:
        history = resume(path, data, **options)
    assert len(caught) == 1 and re.fullmatch(re.escape(message).replace(r"\.\*", ".*"), str(caught[0].message))
    assert caught[0].filename.endswith("support/training.py")  # which calls fit
    assert history["epoch"] == [1, 2, 3]


@pytest.mark.parametrize("options", [{}, {"seed": None}, {"clip": np.float64(1)}, {"epochs": 4, "patience": 3}])
def test_no_other_options(options, path, data):
    """Without a seed none is asked for; epochs and patience say when it ends, and no more."""
    assert resume(path, data, **options).epochs >= 3


def test_other_validation_data(path, data):
    fewer = data[0][:9], data[1][:9]
    with pytest.warns(
        UserWarning, match=r"used for time steps of validation \(\d+, in the checkpoint \d+\): the results"
    ):
        resume(path, data, validation=fewer)


COLUMNS = "epoch, step, loss, accuracy, penalty, grad_norm, lr, val_loss, val_accuracy, seconds"


@pytest.mark.parametrize(
    "options, message",
    [
        ({"metrics": []}, f"the columns {COLUMNS}, got those of epoch, step, loss, penalty, grad_norm, lr, val_loss"),
        ({"metrics": [accuracy, mae]}, f"the columns {COLUMNS}, got those of epoch, step, loss, accuracy, mae, pen"),
        ({"validation": None}, f"{COLUMNS}, got those of epoch, step, loss, accuracy, penalty, grad_norm, lr, seconds"),
        ({"penalty": None}, f"{COLUMNS}, got those of epoch, step, loss, accuracy, grad_norm, lr, val_loss"),
        ({"monitor": "val_accuracy"}, "monitor: expected 'val_loss', as in the checkpoint, got 'val_accuracy'"),
        ({"monitor": "val_loss", "mode": "max"}, "mode: expected 'min', as in the checkpoint, got 'max'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["this", "earlier"])
def test_what_would_give_a_history_of_two_kinds_of_rows(options, message, version, path, data):
    """An earlier version wrote no options, but the history, which shows these."""
    content = read_checkpoint(path)
    if version == "earlier":
        content["training"].pop("options")
        content["optimizer"].pop("begun")
        write_checkpoint(path, content)
        assert resume(path, data, clip=0.5).epochs == 3  # what is not known is no difference
        write_checkpoint(path, content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        resume(path, data, **options)
    assert str(path) in str(caught.value) and path.read_bytes() == before


def test_of_an_earlier_version_within_its_first_epoch(data, tmp_path):
    """It has no history yet."""
    path = tmp_path / "run"
    with pytest.raises(RuntimeError):
        fit(make_model(), data, checkpoint=fr.Checkpoint(path, every_n_steps=1), callbacks=[Break(2)])
    content = read_checkpoint(path)
    content["training"].pop("options")
    write_checkpoint(path, content)
    assert fit(make_model(), data, checkpoint=path, resume=True, clip=0.5).epochs == 3


class Break:
    """An error in a step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, model, step, loss, norm):
        if step == self.step:
            raise RuntimeError


def test_a_schedule_that_is_left_out(data, tmp_path):
    """The learning rate stays where it is."""
    model = make_model()
    adam = fr.Adam(model, lr=0.01)
    options = {"optimizer": adam, "schedule": fr.StepLR(adam, 1, 0.5)}
    history = fit(model, data, epochs=2, checkpoint=tmp_path / "run", **options)
    model = make_model()
    with pytest.warns(UserWarning, match=r"used for schedule \(None, in the checkpoint 'StepLR'\): the results"):
        resumed = fit(model, data, optimizer=fr.Adam(model, lr=0.01), checkpoint=tmp_path / "run", resume=True)
    assert resumed["lr"] == [*history["lr"], history["lr"][-1]]


@pytest.mark.parametrize("truncate", [None, 3, (2, 4)])
def test_windows_of_another_length(truncate, rng, tmp_path):
    """Between two batches that is possible; within one there is no state in which the next window could begin."""
    x, y = rng.standard_normal((6, 8, 2)).astype(np.float32), rng.standard_normal((6, 8, 1))

    def train(**options):
        model = fr.Sequential(fr.GRU(2, 4, seed=0), fr.Linear(4, 1, seed=1))
        return fit(model, (x, y), checkpoint=checkpoint, batch_size=4, **options)

    checkpoint = tmp_path / "whole"
    train(truncate=2, epochs=1)
    with pytest.warns(UserWarning, match=r"used for truncate \(.*, in the checkpoint \[2, 2\]\): the results"):
        assert train(truncate=truncate, resume=True, epochs=2).epochs == 2
    checkpoint = fr.Checkpoint(tmp_path / "part", every_n_steps=2)
    with pytest.raises(RuntimeError):
        train(truncate=2, callbacks=[Break(3)])
    before = (tmp_path / "part").read_bytes()
    with pytest.raises(ValueError, match=r"part: truncate: expected \[2, 2\], as in the checkpoint, which is at step"):
        train(truncate=truncate, resume=True)
    assert (tmp_path / "part").read_bytes() == before
    assert train(truncate=2, resume=True).epochs == 3


def test_which_seed_is_known():
    x, y = [[1.0], [2.0]], [1, 2]
    batches = fr.Batches(x, y, seed=3)
    assert own_seed(batches, x, 3) == own_seed(batches, x, np.int64(3)) == 3
    assert own_seed(batches, x, None) is own_seed(batches, x, np.random.default_rng(3)) is None
    assert own_seed(batches, batches, 3) is own_seed(fr.Batches(x, y, shuffle=False), x, 3) is own_seed(x, x, 3) is None


def test_how_many_steps_are_known():
    reader = fr.training._data.source.EpochReader
    assert time_steps(reader(fr.Batches([[1.0], [2.0, 3.0]], [1, 2]))) == 3
    assert time_steps(None) is time_steps(reader([])) is None
