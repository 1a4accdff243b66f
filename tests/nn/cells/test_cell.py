# SPDX-License-Identifier: BSD-3-Clause
"""A cell is a layer of one step, and what it returns is checked."""

import numpy as np
import pytest
from support.cells import ReferenceCell
from support.layers import argument_refused, assert_same_bits, refused

import fastrnn as fr
from fastrnn import nn


class Broken(nn.Cell):
    """Returns what it is told to."""

    def step(self, x, h):
        return self._result(x, h)

    def step_backward(self, saved, dy, dh):
        return self._gradients(dy, dh)


@pytest.fixture
def cell():
    cell = Broken(3, 2)
    cell._result = lambda x, h: (h, h, None)
    cell._gradients = lambda dy, dh: (np.zeros((len(dy), 3), np.float32), dh)
    return cell


def test_a_call_is_one_step(cell, rng):
    """That of a sequence of one step; its gradients agree with central differences."""
    for name in ("gru", "lstm"):
        own = ReferenceCell(3, 4, name, dtype=np.float64, seed=0)
        x = rng.standard_normal((5, 3))
        y, state = own(x)
        whole, final = fr.Recurrent(own)(x[None])
        assert_same_bits(y, whole[0])
        assert_same_bits(own(x, state)[0], fr.Recurrent(own)(x[None], final)[0][0])
        assert fr.check_gradients(own, x)
    assert not cell(np.ones((2, 3), np.float32))[0].any()


def test_a_sequence_is_refused(cell):
    with argument_refused(ValueError, "x", "expected one step, (N, 3), got (5, 2, 3); Recurrent(cell) reads sequences"):
        cell(np.zeros((5, 2, 3), np.float32))


@pytest.mark.parametrize(
    "result, error, words",
    [
        (lambda x, h: (h, h), TypeError, "Broken.step: expected to return (y, state, saved), got 2 of them"),
        (lambda x, h: h, TypeError, "Broken.step: expected to return (y, state, saved), got ndarray"),
        (lambda x, h: (x, h, None), ValueError, "Broken.step: expected y of (4, 2), got (4, 3)"),
        (lambda x, h: (h.astype(float), h, None), TypeError, "expected y to be an array of float32, got float64"),
        (lambda x, h: (h, (h, h), None), TypeError, "Broken.step: expected state of 1 arrays, got 2"),
        (lambda x, h: (h, h[:1], None), ValueError, "Broken.step: expected state of (4, 2), got (1, 2)"),
        (lambda x, h: (h, None, None), TypeError, "expected state to be an array of float32, got NoneType"),
    ],
)
def test_a_wrong_step_is_named(cell, result, error, words):
    cell._result = result
    for run in (cell, cell.forward, lambda x: fr.Recurrent(cell)(x[None])):
        with refused(error, words):
            run(np.zeros((4, 3), np.float32))


@pytest.mark.parametrize(
    "gradients, error, words",
    [
        (lambda dy, dh: dh, TypeError, "Broken.step_backward: expected to return (dx, dstate), got ndarray"),
        (lambda dy, dh: (dy, dh), ValueError, "Broken.step_backward: expected dx of (4, 3), got (4, 2)"),
        (lambda dy, dh: (np.zeros((4, 3), np.float32), dh[0]), ValueError, "expected dstate of (4, 2), got (2,)"),
    ],
)
def test_wrong_gradients_of_a_step_are_named(cell, gradients, error, words):
    cell._gradients = gradients
    for layer, shape in ((cell, (4, 3)), (fr.Recurrent(cell), (1, 4, 3))):
        y, _, tape = layer.forward(np.zeros(shape, np.float32))
        with refused(error, words):
            layer.backward(tape, y)


def test_a_cell_without_its_two_methods_is_none():
    class Half(nn.Cell):
        def step(self, x, state):
            return x, state, None

    with refused(TypeError, "step_backward"):
        Half(3, 4)
