# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C stops fit between two updates."""

import itertools
import signal

import numpy as np
import pytest
from support.training import assert_same, but_seconds, fit, make_model, press

import fastrnn as fr
from fastrnn.io import _container as container

pytestmark = pytest.mark.usefixtures("interruptible")


class PressAt:
    """A loss that presses Ctrl-C when it is called for the n-th time."""

    def __init__(self, n):
        self.left = n
        self.__name__ = "mse_loss"  # by which a checkpoint tells losses apart

    def __call__(self, y, target):
        self.left -= 1
        if not self.left:
            press()
        return fr.mse_loss(y, target)


@pytest.mark.parametrize("call", [1, 2, 5, 9])
def test_ctrl_c_and_on(call, data, tmp_path):
    """The step in which it came is left out; resumed, it is taken again with the same dropout: the same bits."""
    path = tmp_path / "run"
    options = dict(optimizer=None, epochs=3, batch_size=8, seed=0, progress=False)
    whole = make_model(fr.Dropout(0.3, seed=3))
    expected = fr.fit(whole, fr.mse_loss, *data, **options)
    model = make_model(fr.Dropout(0.3, seed=3))
    history = fr.fit(model, PressAt(call), *data, checkpoint=path, **options)
    assert history.interrupted and history.epochs == (call - 1) // 3
    assert all(np.isfinite(p).all() for p in model.params.values())
    other = make_model(fr.Dropout(0.3, seed=4), seed=7)
    resumed = fr.fit(other, fr.mse_loss, *data, checkpoint=path, resume=True, **options | {"seed": None})
    assert not resumed.interrupted
    assert but_seconds(resumed) == but_seconds(expected)
    assert_same(other, whole.params)


def test_ctrl_c_in_an_update_waits_for_its_end(data):
    class Pressing(fr.SGD):
        def step(self):
            press()
            super().step()

    model, hand = make_model(), make_model()
    history = fit(model, data, optimizer=Pressing(model, lr=0.1))
    assert history.interrupted and history == {}
    (x, y, lengths), *_ = fr.Batches(*data, batch_size=8, seed=0)
    out, _, tape = hand.forward(x, lengths=lengths)
    hand.backward(tape, fr.mse_loss(out, y)[1])
    fr.SGD(hand, lr=0.1).step()
    assert_same(model, hand.params)


def test_a_second_ctrl_c_is_not_held(data, tmp_path, monkeypatch):
    monkeypatch.setattr(container, "replace", lambda *_: press())
    with pytest.raises(KeyboardInterrupt):
        fr.fit(make_model(), PressAt(2), *data, checkpoint=tmp_path / "run", progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_validation_brings_the_best_back(data):
    seen, calls = [], itertools.count(1)

    def metric(y, target):
        if next(calls) == 15:  # three batches of training and three of validation in an epoch
            press()
        return 0.0

    model = make_model()
    adam = fr.Adam(model, lr=0.01)

    def ruin(model, epoch, row):
        seen.append(model.state_dict())
        adam.lr = 10.0

    history = fit(model, data, optimizer=adam, validation=data, metrics=[metric], callbacks=[ruin])
    assert history.interrupted and history["epoch"] == [1, 2] and history.best_epoch == 1
    assert_same(model, seen[0])
