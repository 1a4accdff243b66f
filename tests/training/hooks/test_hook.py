# SPDX-License-Identifier: BSD-3-Clause
"""The moments of a training, and their order."""

import pytest
from support.training import make_model

import fastrnn as fr
from fastrnn.training._data.source import EpochReader
from fastrnn.training._hooks.hook import Hook
from fastrnn.training._loop.loop import Training
from fastrnn.training._loop.objective import Objective
from fastrnn.training._loop.update import Update

MOMENTS = "on_begin on_gradients on_step on_epoch after_epoch on_failure on_end close".split()


class Recorder(Hook):
    """Notes its name and the moment."""

    def __init__(self, name, log, changes=False):
        self.name, self.log, self.changes = name, log, changes

    def __getattribute__(self, name):
        if name not in MOMENTS:
            return super().__getattribute__(name)
        return lambda *_: self.log.append(f"{self.name} {name}") or (name == "on_gradients" and self.changes)


def train(data, hooks, loss=fr.mse_loss, epochs=1):
    model = make_model()
    batches = EpochReader(fr.Batches(*data, batch_size=10, seed=0))
    training = Training(
        Objective(model, loss),
        batches,
        Update(model, fr.Adam(model)),
        hooks,
        metrics={},
        validation=None,
        truncate=None,
    )
    return training, lambda: training.run(epochs)


def test_the_order(data):
    """One hook after the other at each moment; at the end the last one first."""
    log = []
    _, run = train(data, [Recorder("a", log), Recorder("b", log)])
    run()
    step = ["a on_gradients", "b on_gradients", "a on_step", "b on_step"]
    epoch = ["a on_epoch", "b on_epoch", "a after_epoch", "b after_epoch"]
    end = ["b on_end", "a on_end", "a close", "b close"]
    assert log == ["a on_begin", "b on_begin", *step, *step, *epoch, *end]


def test_after_an_error_only_close(data):
    def fail(y, target):
        raise ValueError("of the loss")

    log = []
    _, run = train(data, [Recorder("a", log)], fail)
    with pytest.raises(ValueError, match="of the loss"):
        run()
    assert log == ["a on_begin", "a close"]


def test_after_a_validation_that_failed(data):
    log = []
    training, run = train(data, [Recorder("a", log)])
    training.validation = EpochReader(3)
    with pytest.raises(TypeError, match="not iterable"):
        run()
    assert log[-4:] == ["a on_gradients", "a on_step", "a on_failure", "a close"]


@pytest.mark.parametrize("changes", [False, True])
def test_the_norm_is_measured_again_after_a_change_only(changes, data, monkeypatch):
    calls = []
    training, run = train(data, [Recorder("a", []), Recorder("b", [], changes)])
    norm = training.update.norm
    monkeypatch.setattr(training.update, "norm", lambda loss: calls.append(training.steps) or norm(loss))
    run()
    assert calls == ([0, 0, 1, 1] if changes else [0, 1])


def test_a_finished_hook_ends_the_training(data):
    class Finished(Hook):
        finished = True

    assert train(data, [Finished()], epochs=3)[1]() == {}
    assert len(train(data, [Hook()], epochs=3)[1]()["loss"]) == 3
