# SPDX-License-Identifier: BSD-3-Clause
"""Packed weights follow the parameters, however those are written."""

import copy
import gc

import numpy as np
import pytest
from support.parameter_writes import WRITES
from support.recurrent import make_layer

import fastrnn as fr


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


@pytest.mark.parametrize("make", [lambda: fr.LSTM(3, 20, seed=0), lambda: fr.Sequential(fr.Linear(3, 4), fr.GRU(4, 4))])
def test_the_garbage_collector_gives_out_no_parameter(make):
    """It would do so without counting, and a write into it would not be noticed."""
    model = make()
    model.forward(np.ones((2, 1, 3), np.float32))
    ours, seen, todo = {id(array) for array in model.params.values()}, set(), [model]
    while todo:
        each = todo.pop()
        if id(each) not in seen and type(each).__module__ not in ("builtins.module", "builtins.function"):
            seen.add(id(each))
            todo += [] if isinstance(each, type | type(gc) | type(make)) else gc.get_referents(each)
    assert len(seen) > 50 and not ours & seen


def test_a_parameter_keeps_its_shape_and_dtype():
    """NumPy does not resize it; one whose shape, dtype or memory was changed by force is named, and serves again."""
    layer, x = fr.GRU(3, 20, seed=0), np.ones((2, 1, 3), np.float32)
    y = layer(x)[0]
    with pytest.raises(ValueError, match="cannot resize"):
        layer.params["weight_hh_l0"].resize((1, 1))
    for change in (
        lambda array: setattr(array, "shape", array.shape[::-1]),
        lambda array: setattr(array, "dtype", np.int32),
        lambda array: array.resize((2, 3), refcheck=False),
    ):
        array = layer.params["weight_hh_l0"]
        before, values = (array.shape, array.dtype), array.copy()
        change(array)
        for call in (lambda: layer(x), lambda: layer.forward(x), lambda: layer.stream().step(x[0])):
            with pytest.raises(ValueError, match=r"weight_hh_l0: expected a C-ordered \(60, 20\) of float32, got"):
                call()
        array.dtype = before[1]
        array.resize(before[0], refcheck=False)
        array[...] = values
        assert (layer(x)[0] == y).all()
