# SPDX-License-Identifier: BSD-3-Clause
"""The progress bar: what it says, that it is not needed, and that a missing tqdm is named."""

import sys
from types import SimpleNamespace

import pytest

from fastrnn.training._hooks.hook import Step
from fastrnn.training._hooks.progress import ProgressBar

ROW = {
    "epoch": 1,
    "step": 7,
    "loss": 0.5,
    "grad_norm": 1.0,
    "lr": 0.1,
    "accuracy": 0.75,
    "val_loss": 0.25,
    "seconds": 1,
}


def begin(shown, epochs, steps, done=0):
    """A bar, and the training that it is of."""
    run = SimpleNamespace(epochs=epochs, data=SimpleNamespace(steps=steps), history=SimpleNamespace(epochs=done))
    bar = ProgressBar(shown)
    bar.on_begin(run)
    return bar, run


def a_step(epoch, values, steps):
    return Step(1, epoch, values["loss"], 1.0, values, {}, steps)


@pytest.mark.parametrize("steps", [100, None])
def test_what_it_says(steps, capsys):
    pytest.importorskip("tqdm")
    bar, run = begin(True, 4, steps)
    bar.on_step(run, a_step(1, {"loss": 2.0, "accuracy": 0.5}, 60))
    bar.on_step(run, a_step(1, {"loss": 1.0, "accuracy": 1.0}, 40))
    bar.after_epoch(run, ROW)
    bar.on_step(run, a_step(2, {"loss": 1.0, "accuracy": 1.0}, 10))
    bar.close()
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert "epoch 2/4, loss 1.902, accuracy 0.5487, val_loss 0.25" in last  # the last steps, smoothed
    assert " steps/s" in last and "left" in last
    assert bar._bar.total == 400 and bar._bar.n == 110


def test_an_unknown_length_is_known_after_an_epoch(capsys):
    """Also where earlier epochs were of another run."""
    pytest.importorskip("tqdm")
    bar, run = begin(True, 6, None, done=3)
    bar.on_step(run, a_step(4, {"loss": 2.0}, 50))
    assert bar._bar.total is None
    bar.after_epoch(run, ROW | {"epoch": 4})
    assert bar._bar.total == 150
    bar.close()
    assert capsys.readouterr().err


def test_a_resumed_training_shows_its_progress(capsys):
    pytest.importorskip("tqdm")
    bar, _ = begin(True, 4, 100, done=3)
    bar.close()
    assert (bar._bar.n, bar._bar.total) == (300, 400)
    assert capsys.readouterr().err


def test_silence(capsys):
    bar, run = begin(False, 4, 100)
    bar.on_step(run, a_step(1, {"loss": 2.0, "accuracy": 0.5}, 60))
    bar.after_epoch(run, ROW)
    bar.close()
    assert capsys.readouterr() == ("", "")


def test_without_tqdm(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    bar, run = begin(None, 4, 100)
    bar.on_step(run, a_step(1, {"loss": 2.0}, 60))
    assert capsys.readouterr() == ("", "")
    with pytest.raises(ImportError, match=r'progress: the bar needs tqdm: pip install "fastrnn\[progress\]"'):
        ProgressBar(True)
