# SPDX-License-Identifier: BSD-3-Clause
"""Callbacks of fit: when they are called, what they may change, how they stop a training."""

import math

import numpy as np
import pytest
from support.training import assert_same, fit, make_model

import fastrnn as fr


def test_callbacks_in_their_order(data):
    """on_step sees the gradients before they are clipped, and the parameters before they are changed."""
    seen = []

    class Recorder:
        def on_step(self, model, step, loss, norm):
            seen.append(("step", step, loss, norm))
            assert norm == pytest.approx(fr.clip_grad_norm(model, math.inf))
            if step == 1:
                assert_same(model, make_model().params)

        def on_epoch(self, model, epoch, row):
            seen.append(("epoch", epoch, row["loss"]))

    history = fit(make_model(), data, epochs=2, clip=1e-3, callbacks=[Recorder(), lambda *all: seen.append(all[1])])
    assert [entry if isinstance(entry, int) else entry[:2] for entry in seen] == [
        ("step", 1), ("step", 2), ("step", 3), ("epoch", 1), 1, ("step", 4), ("step", 5), ("step", 6), ("epoch", 2), 2,
    ]  # fmt: skip
    assert [entry[2] for entry in seen if not isinstance(entry, int) and entry[0] == "epoch"] == history["loss"]


def test_a_callback_stops_it(data):
    history = fit(make_model(), data, epochs=9, callbacks=[lambda model, epoch, row: epoch == 4])
    assert history["epoch"] == [1, 2, 3, 4] and not history.interrupted


class Penalty:
    """What a callback may add to the gradients."""

    def on_step(self, model, step, loss, norm):
        fr.add_penalty(model, l2=1e6)


def test_what_a_callback_adds_is_clipped_too():
    """One step of size lr * clip, however large the penalty; the history has the norm with it."""
    model = fr.Linear(3, 2, seed=0)
    before = model.state_dict()
    x, y = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    options = {"optimizer": fr.SGD(model, lr=1.0), "epochs": 1, "batch_size": 4, "clip": 0.5, "progress": False}
    history = fr.fit(model, fr.mse_loss, x, y, callbacks=[Penalty()], **options)
    moved = np.concatenate([(model.params[name] - before[name]).ravel() for name in before])
    np.testing.assert_allclose(np.linalg.norm(moved), 0.5, rtol=1e-5)
    assert history["grad_norm"][0] > 1e5


def test_arguments_are_checked_before_the_training(data):
    """A method with too few is named; any that takes them, or that has no signature, is called."""

    class Short:
        def on_step(self, model, step):
            pass

    model, seen = make_model(), []
    with pytest.raises(TypeError, match=r"Short.on_step to take \(model, step, loss, norm\), got .*\(model, step\): "):
        fit(model, data, callbacks=[Short()])
    assert_same(model, make_model().params)

    def unknown(*all):
        seen.append(all[1])

    unknown.__signature__ = 3  # inspect.signature fails, as for many functions that are written in C
    fit(model, data, epochs=1, callbacks=[unknown, lambda *all, more=1: seen.append(all[1])])
    assert seen == [1, 1]
