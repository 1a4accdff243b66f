# SPDX-License-Identifier: BSD-3-Clause
"""The streams of the layers inside a container: which have none, and which run together."""

import numpy as np
import pytest
from support.cells import recurrent
from support.layers import refused

import fastrnn as fr
from fastrnn.nn._streams.run import Run


def test_consecutive_layers_of_the_engine_run_together():
    """Also those of a Sequential inside, with Dropout between them; others interrupt them."""
    model = fr.Sequential(
        fr.GRU(3, 4, 2),
        fr.Dropout(0.5),
        fr.Sequential(fr.Linear(4, 4), fr.RNN(4, 4)),
        fr.Activation("relu"),
        fr.Linear(4, 2),
    )
    first, activation, last = model.stream()._stages
    assert isinstance(first, Run) and isinstance(last, Run) and not isinstance(activation, Run)
    assert [len(run._links) for run in (first, last)] == [4, 1]


def test_layers_that_do_not_fit_run_apart():
    """Such a Sequential can come from a file of an earlier version: the step says what does not fit."""
    model = fr.Sequential._composed((fr.GRU(3, 4), fr.Linear(5, 2)), {})
    stream = model.stream()
    with refused(ValueError, "x: expected (1, 5) or (5,), got (1, 4)"):
        stream.step(np.ones((1, 3), np.float32))


class CountStream:
    """Of a `Count`."""

    def __init__(self):
        self.state = 0

    def step(self, x, out=None):
        return self.steps(x, out)

    def steps(self, block, out=None):
        self.state += 1
        return np.add(block, self.state, out=out)

    def reset(self, rows=None):
        self.state = 0


class Count(fr.nn.StatefulLayer):
    """A layer of a user's own whose stream adds 1 to what it reads first, then 2, and so on."""

    def stream(self, batch=1):
        return CountStream()

    def _forward(self, x, state, lengths, training):
        raise NotImplementedError

    def _backward(self, saved, dy, dstate, extras):
        raise NotImplementedError


def test_a_layer_may_have_a_stream_of_its_own():
    stream, x = fr.Sequential(Count(), fr.Activation("relu")).stream(), np.zeros((1, 3), np.float32)
    assert [stream.step(x)[0, 0], stream.step(x)[0, 0], stream.state] == [1, 2, (2,)]
    stream.reset()
    assert stream.step(x)[0, 0] == 1


class Silent(fr.nn.StatelessLayer):
    """It does not say that it treats all positions alike."""

    def _forward(self, x, training):
        return np.cumsum(x, axis=0), None

    def _backward(self, saved, dy):
        return dy


FUTURE = {
    "bidirectional": (fr.GRU(3, 2, bidirectional=True), ValueError, ("bidirectional", "GRU(", "end of the sequence")),
    "two cells": (recurrent(), ValueError, ("bidirectional", "Recurrent(", "end of the sequence")),
    "pooling": (fr.LastStep(), TypeError, ("LastStep(", "may need the whole sequence")),
    "repeat": (fr.RepeatVector(3), TypeError, ("RepeatVector(", "may need the whole sequence")),
    "own": (Silent(), TypeError, ("Silent(", "keeps_axes")),
    "echo state": (fr.EchoState(3, 8, 2), TypeError, ("EchoState(",)),
}


@pytest.mark.parametrize(("layer", "error", "words"), FUTURE.values(), ids=FUTURE)
def test_a_layer_that_may_need_the_future_is_refused(layer, error, words):
    """By name and position, however deep."""
    with refused(error, "stream: ", *words) as caught:
        fr.Sequential(fr.Dropout(0.1), fr.Sequential(layer)).stream()
    notes = " ".join(caught.value.__notes__)
    assert "in layer 0 of Sequential" in notes and "in layer 1 of Sequential" in notes


def test_a_residual_needs_the_future_if_its_layer_does():
    with refused(ValueError, "bidirectional"):
        fr.Residual(fr.GRU(4, 2, bidirectional=True)).stream()
