# SPDX-License-Identifier: BSD-3-Clause
"""A Recurrent step by step: the outputs of the whole sequence, and the interface of a Stream."""

import inspect

import numpy as np
import pytest
from support.cells import recurrent
from support.layers import argument_refused, assert_same_bits, refused

import fastrnn as fr
from fastrnn.nn._cells.stream import CellStream


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_its_steps_are_the_sequence(cell, rng):
    """And its state, at every step, is that of the layer."""
    layer = recurrent(cell=cell, bidirectional=False)
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    stream = layer.stream(batch=2)
    for t, x_t in enumerate(x):
        y = stream.step(x_t)
        expected, state = layer(x[: t + 1])
        assert_same_bits(y, expected[t])
        assert_same_bits(stream.state, state)
    assert layer.stream().step(x[0, 0]).shape == (4,)


def test_a_state_is_set_and_reset(rng):
    layer = recurrent(bidirectional=False)
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    _, state = layer(x[:3])
    stream = layer.stream(batch=2)
    stream.state = state
    assert_same_bits(stream.step(x[3]), layer(x[3:4], state)[0][0])
    stream.reset(rows=[1])
    assert all(part[:, 0].any() and not part[:, 1].any() for part in stream.state)
    stream.reset()
    out = np.empty((2, 4), np.float32)
    assert stream.step(x[0], out=out) is out
    assert_same_bits(out, layer(x[:1])[0][0])


def test_a_change_of_the_parameters_affects_the_next_step():
    layer = recurrent(bidirectional=False)
    stream = layer.stream()
    x = np.ones((1, 3), np.float32)
    stream.step(x)
    for _, array in layer.params.items():
        array[...] = 0
    stream.reset()
    assert not stream.step(x).any()


def test_wrong_arguments_are_refused():
    with refused(ValueError, "stream: a bidirectional layer needs the end of the sequence"):
        recurrent().stream()
    stream = recurrent(bidirectional=False).stream(batch=2)
    with argument_refused(ValueError, "x", "expected (2, 3), got (3,)"):
        stream.step(np.zeros(3, np.float32))
    with argument_refused(TypeError, "out", "an ndarray of float32", "got float64"):
        stream.step(np.zeros((2, 3), np.float32), out=np.zeros((2, 4)))
    with argument_refused(ValueError, "out", "shape (2, 4)", "got shape (4, 2)"):
        stream.step(np.zeros((2, 3), np.float32), out=np.zeros((4, 2), np.float32))
    with argument_refused(ValueError, "rows", "from 0 to 1, got 2"):
        stream.reset([2])


def test_it_has_the_methods_of_a_stream():
    for name in ("step", "reset"):
        ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (CellStream, fr.Stream))
        assert list(ours.parameters) == list(theirs.parameters)
    assert isinstance(CellStream.state, property)
