# SPDX-License-Identifier: BSD-3-Clause
"""Every way to write a parameter of a layer that reads three features: functions of the layer and the name."""

import copy
import ctypes
import weakref
from functools import partial

import numpy as np
import pytest

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
    y, *_, tape = layer.forward(np.ones((2, 1, 3), np.float32))
    layer.backward(tape, np.ones_like(y))
    fr.Adam(layer, lr=0.1).step()


WRITES = [f for key, f in sorted(globals().items()) if key.startswith("write_") and f is not write_holder]
WRITES += [pytest.param(partial(write_holder, hold=hold), id=name) for name, hold in HOLDERS.items()]
