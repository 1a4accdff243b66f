# SPDX-License-Identifier: BSD-3-Clause
"""Packed weights follow the parameters, however those are written."""

import copy
import ctypes
import gc
import weakref
from functools import partial

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


def write_weakly(layer, name):
    refer = weakref.ref(layer.params[name])
    for _ in range(2):
        layer(np.ones((2, 1, 3), np.float32))
    refer()[...] *= -1


def write_copied_parameters(layer, name):
    params = copy.copy(layer.params)
    for _ in range(2):
        layer(np.ones((2, 1, 3), np.float32))
    params[name][...] *= -1


def write_items(layer, name):
    """By a walk that stands still meanwhile."""
    for each, array in layer.params.items():
        layer(np.ones((2, 1, 3), np.float32))
        if each == name:
            array *= -1


HOLDERS = {
    "dlpack": lambda array: np.from_dlpack(array),
    "buffer": lambda array: np.frombuffer(memoryview(array).cast("B"), array.dtype),
    "struct": lambda array: np.asarray(ByStruct(array)),
    "interface": lambda array: np.asarray(ByInterface(array)),
    "ctypes": lambda array: np.ctypeslib.as_array(array.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), array.shape),
    "transposed": lambda array: array.T,
    "bound method": lambda array: SetAll(array.__setitem__, array.copy()),
}


class ByStruct:
    def __init__(self, array):
        self.__array_struct__ = array.__array_struct__


class ByInterface:
    """As NumPy's protocol asks, it keeps the array."""

    def __init__(self, array):
        self.array, self.__array_interface__ = array, array.__array_interface__


class SetAll:
    def __init__(self, write, values):
        self.write, self.values = write, values

    def __imul__(self, factor):
        self.write(..., self.values * factor)
        return self


def write_holder(layer, name, hold):
    holder = hold(layer.params[name])
    for _ in range(2):
        layer(np.ones((2, 1, 3), np.float32))
    if not getattr(holder, "flags", layer.params[name].flags).writeable:
        holder.flags.writeable = True
    holder *= -1


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


WRITES = [f for key, f in sorted(globals().items()) if key.startswith("write_") and f is not write_holder]
WRITES += [pytest.param(partial(write_holder, hold=hold), id=name) for name, hold in HOLDERS.items()]


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
