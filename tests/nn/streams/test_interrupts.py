# SPDX-License-Identifier: BSD-3-Clause
"""A block that ends in the middle, by Ctrl-C or an error of a layer of one's own, leaves the state as it was."""

from contextlib import contextmanager

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.nn._recurrent import stack
from fastrnn.nn._streams.run import Run

T, N, I = 12, 2, 3


class Failing(fr.nn.StatelessLayer):
    """Passes x on, but raises in a given call."""

    keeps_axes = True

    def _setup(self):
        vars(self)["calls"], vars(self)["failure"] = [], None

    def _forward(self, x, training):
        self.calls.append(len(x))
        if self.failure is not None and len(self.calls) == self.failure[0]:
            raise self.failure[1]
        return x, None

    def _backward(self, saved, dy):
        return dy


class FailingCell(fr.nn.Cell):
    failing = None

    def step(self, x, h):
        if self.failing is not None and x[0, 0] == 5:
            raise self.failing
        return h + x, h + x, None

    def step_backward(self, saved, dy, dh):
        return dy + dh, dy + dh


def block():
    return np.arange(T * N * I, dtype=np.float32).reshape(T, N, I) % 7


def parts(state):
    return [state] if isinstance(state, np.ndarray) else [array for part in state for array in parts(part)]


def assert_nothing_was_read(stream, fresh, fail, error, **options):
    """The block fails, and is then read as by a stream that has read the same before."""
    for each in stream, fresh:
        each.steps(block()[:2])
    before = parts(stream.state)
    with fail(), pytest.raises(type(error), match=str(error)):
        stream.steps(block().tolist(), **options)
    for old, now in zip(before, parts(stream.state), strict=True):
        np.testing.assert_array_equal(now, old)
    np.testing.assert_array_equal(stream.steps(block()), fresh.steps(block()))


@pytest.fixture(autouse=True)
def short_parts(monkeypatch):
    """A block is read in parts of two steps."""
    monkeypatch.setattr(stack, "BLOCK_ELEMENTS", 1)
    monkeypatch.setattr(stack, "BLOCK_STEPS", 2)


@contextmanager
def set_while(owner, **attributes):
    vars(owner).update(attributes)
    yield
    vars(owner).update(dict.fromkeys(attributes))


@pytest.mark.parametrize("resets", [None, np.arange(T * N).reshape(T, N) % 5 == 0])
@pytest.mark.parametrize("kind", ["layer", "model"])
def test_ctrl_c_between_parts(kind, resets):
    gru = fr.GRU(I, 4, num_layers=2, seed=0)
    model = gru if kind == "layer" else fr.Sequential(gru, fr.LayerNorm(4), fr.LSTM(4, 3, seed=1))
    error, read, calls = KeyboardInterrupt("now"), Run._read, []

    def interrupted(self, *arguments):
        read(self, *arguments)
        calls.append(self)
        if len(calls) == 3:
            raise error

    @contextmanager
    def fail():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Run, "_read", interrupted)
            yield

    assert_nothing_was_read(model.stream(N), model.stream(N), fail, error, resets=resets)
    assert len(calls) == 3


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt("now"), RuntimeError("other")])
@pytest.mark.parametrize("call", [1, 3])
def test_a_layer_of_ones_own_fails(error, call):
    """Also in the first part, when the layers before it have read it."""
    failing = Failing()
    model = fr.Sequential(fr.GRU(I, 4, seed=0), failing, fr.CausalConv1d(4, 4, 2, seed=1))

    def fail():
        failing.calls.clear()
        return set_while(failing, failure=(call, error))

    assert_nothing_was_read(model.stream(N), model.stream(N), fail, error)


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt("now")])
def test_a_cell_of_ones_own_fails(error):
    cell = FailingCell(I, I)
    layer = fr.Recurrent(cell)
    assert_nothing_was_read(layer.stream(N), layer.stream(N), lambda: set_while(cell, failing=error), error)
