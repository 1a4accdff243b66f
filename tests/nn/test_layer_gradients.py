# SPDX-License-Identifier: BSD-3-Clause
"""Gradients belong to whoever reads them, who may resize, reshape, cast or freeze one: backward then names it."""

import warnings

import numpy as np
import pytest
from support.every_layer import WITH_PARAMETERS, each, first, inputs
from support.layers import assert_same_arrays, refused, snapshot
from support.own_layers import Affine, Scale, Sum

import fastrnn as fr

X = np.ones((4, 2, 3), np.float32)
LAYERS = WITH_PARAMETERS | {
    "own": (lambda dtype, seed: Affine(3), X),
    "own, with a constructor": (lambda dtype, seed: Scale(3), X),
    "own, with a state": (lambda dtype, seed: Sum(3), X),
    "own, in a model": (lambda dtype, seed: fr.Sequential(first=Affine(3), last=Sum(3)), X),
}


def resize(grad):
    grad.resize((1,) * grad.ndim, refcheck=False)


def grow(grad):
    grad.resize((grad.shape[0] + 1, *grad.shape[1:]), refcheck=False)


def reshape(grad):
    grad.shape = (*grad.shape, 1)


def cast(grad):
    grad.dtype = np.int32


def swap(grad):
    grad.dtype = grad.dtype.newbyteorder()


def stride(grad):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy deprecates it
        grad.strides = (0,) * grad.ndim


def freeze(grad):
    grad.flags.writeable = False


DAMAGES = {
    resize: "C-ordered",
    grow: "C-ordered",
    reshape: "C-ordered",
    cast: "int32",
    swap: ">f4",
    stride: "strides (0",
    freeze: "got a read-only one",
}


@pytest.fixture(params=LAYERS)
def prepared(request):
    case = LAYERS[request.param]
    return case[0](dtype=np.float32, seed=0), inputs(case)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_gradient_that_cannot_be_added_to_is_named(prepared, damage):
    """Nothing is added to the others. When it is mended, the tape still works."""
    layer, x = prepared
    y, *_, tape = layer.forward(*each(x))
    last = list(layer.grads)[-1]
    grad = layer.grads[last]
    shape, dtype = grad.shape, grad.dtype
    damage(grad)
    others = snapshot(layer.grads)
    with refused(ValueError, f"grads[{last!r}]: expected", DAMAGES[damage]):
        layer.backward(tape, np.ones_like(y))
    assert_same_arrays(layer.grads, others)
    if damage is stride:
        return
    grad.flags.writeable = True
    grad.dtype = dtype
    grad.resize(shape, refcheck=False)
    for _, each_grad in layer.grads.items():
        each_grad.fill(0)
    first(layer.backward(tape, np.ones_like(y)))
    assert any(grad.any() for grad in layer.grads.values())


def test_numpy_does_not_resize_a_gradient(prepared):
    layer, _ = prepared
    for name in layer.grads:
        with pytest.raises(ValueError, match="cannot resize"):
            layer.grads[name].resize(10**6)


def test_a_shared_gradient_is_named_as_iteration_does():
    shared = fr.Linear(3, 3, seed=0)
    model = fr.Sequential(fr.GRU(3, 3, seed=0), shared, fr.Activation("tanh"), shared)
    y, _, tape = model.forward(X)
    reshape(model.grads["3.bias"])
    with refused(ValueError, "grads['1.bias']: expected a C-ordered (3,) of float32, as it was made, got (3, 1) of"):
        model.backward(tape, np.ones_like(y))


def test_gradients_damaged_between_the_layers_of_a_model():
    """A layer of one's own may do so in its backward; the layer before names its gradient."""
    linear = fr.Linear(3, 3, seed=0)

    class Vandal(Scale):
        def _backward(self, x, dy):
            linear.grads["weight"].resize((1, 1), refcheck=False)
            return super()._backward(x, dy)

    model = fr.Sequential(linear, Vandal(3))
    y, _, tape = model.forward(X)
    with refused(ValueError, "grads['weight']: expected a C-ordered (3, 3) of float32"):
        model.backward(tape, np.ones_like(y))
