# SPDX-License-Identifier: BSD-3-Clause
"""Progress: what the bar says, and the lines where there is no bar."""

import sys
from types import SimpleNamespace

import pytest
from support.training import fit, make_model

import fastrnn as fr
from fastrnn.training._hooks.hook import Hook, Step
from fastrnn.training._hooks.progress import ProgressBar, ProgressLines, progress_hook

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
    bar = progress_hook(shown)
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


def test_silence(data, capsys):
    fit(make_model(), data, progress=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("progress", [None, True, "lines"])
def test_without_tqdm_it_prints_a_line_for_each_epoch(progress, data, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)

    def error(y, target):
        return 0.125

    history = fit(make_model(), data, epochs=2, validation=data, metrics=[error], progress=progress)
    out, lines = capsys.readouterr()
    assert out == "" and lines == "".join(
        f"epoch {epoch}/2: loss {history['loss'][k]:.4g}, error 0.125, val_loss {history['val_loss'][k]:.4g}, "
        f"val_error 0.125, {history['seconds'][k]:.1f} s\n"
        for k, epoch in enumerate([1, 2])
    )


def test_a_line_is_there_when_its_epoch_has_ended(data, capsys):
    seen = []

    def callback(model, epoch, row):
        seen.append(capsys.readouterr().err)

    fit(make_model(), data, epochs=3, callbacks=[callback], progress="lines")
    assert [line.split(":")[0] for line in seen] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]


def test_lines_of_a_resumed_training(data, tmp_path, capsys):
    for epochs, resume in (1, False), (2, True):
        fit(make_model(), data, epochs=epochs, checkpoint=tmp_path / "run", resume=resume, progress="lines")
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["epoch 1/1", "epoch 2/2"]


def test_lines_although_there_is_tqdm():
    assert type(progress_hook("lines")) is ProgressLines and type(progress_hook(False)) is Hook
    pytest.importorskip("tqdm")
    assert type(progress_hook(None)) is type(progress_hook(True)) is ProgressBar


@pytest.mark.parametrize("error, wrong", [(ValueError, "bar"), (TypeError, 1)])
def test_no_other_kind(error, wrong, data):
    with pytest.raises(error, match=f"progress: expected True, False, 'lines' or None, got {wrong!r}"):
        fr.fit(make_model(), fr.mse_loss, *data, progress=wrong)
