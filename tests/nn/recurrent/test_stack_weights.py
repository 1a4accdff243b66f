# SPDX-License-Identifier: BSD-3-Clause
"""Packed weights follow the parameters, however those are written."""

import copy

import numpy as np
import pytest
from support.recurrent import make_layer

import fastrnn as fr


def write_item(layer, name):
    layer.params[name][0] *= -1


def write_held(layer, name, held={}):  # noqa: B006 - a reference is to stay
    held[id(layer), name] = array = layer.params[name]
    layer(np.ones((2, 1, 3), np.float32))
    array *= -1


def write_view(layer, name):
    view = layer.params[name][..., -1:]
    layer(np.ones((2, 1, 3), np.float32))
    view *= -1


def write_memoryview(layer, name):
    view = memoryview(layer.params[name]).cast("B").cast("f")
    layer(np.ones((2, 1, 3), np.float32))
    view[0] = -view[0]


def write_copyto(layer, name):
    np.copyto(layer.params[name], -layer.params[name])


def write_ufunc(layer, name):
    np.negative(layer.params[name], out=layer.params[name])


def write_assignment(layer, name):
    layer.params[name] = -layer.params[name]


def write_values(layer, name):
    for array in layer.params.values():
        array *= -1


def write_state_dict(layer, name):
    layer.load_state_dict({key: -value for key, value in layer.state_dict().items()})


def write_optimizer(layer, name):
    y, _, tape = layer.forward(np.ones((2, 1, 3), np.float32))
    layer.backward(tape, np.ones_like(y))
    fr.Adam(layer, lr=0.1).step()


WRITES = [f for key, f in sorted(globals().items()) if key.startswith("write_")]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l1_reverse"])
def test_a_stale_pack_cannot_be_used(cell, write, name, rng):
    """However a parameter is written, the next call, backward pass and stream step use its new value."""
    layer = make_layer(cell, 3, 20, 2, bidirectional=True, seed=0)
    x = rng.standard_normal((4, 2, 3)).astype(np.float32)
    for _ in range(2):  # the second time, a pack exists and is unchanged
        before = layer(x)[0]
        write(layer, name)
        after = layer(x)[0]
        fresh = copy.deepcopy(layer)  # packs of its own
        assert (after != before).any() or cell == "rnn_relu"  # a relu unit may be off
        np.testing.assert_array_equal(after, fresh(x)[0])
        dx = [model.backward(model.forward(x)[2], after)[0] for model in (layer, fresh)]
        np.testing.assert_array_equal(*dx)


@pytest.mark.parametrize("write", WRITES)
def test_a_stream_follows_its_parameters(cell, write, rng):
    layer = make_layer(cell, 3, 20, 2, seed=0)
    stream = layer.stream()
    x = rng.standard_normal((1, 3)).astype(np.float32)
    stream.step(x)
    write(layer, "weight_hh_l0")
    state = stream.state
    np.testing.assert_array_equal(stream.step(x), layer(x[None], state)[0][0])


def test_an_unchanged_layer_keeps_its_pack():
    layer = fr.LSTM(3, 20, seed=0)
    weights = layer.stack.weights[0]
    first = weights.pack()
    array = layer.params["weight_hh_l0"]
    assert weights.pack() is first  # accessed, compared, equal
    array[0, 0] += 1
    second = weights.pack()
    assert second is not first
    del array
    assert weights.pack() is second
