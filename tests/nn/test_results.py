# SPDX-License-Identifier: BSD-3-Clause
"""What a layer of a user's own returns is checked where it returns it."""

import numpy as np
import pytest
from support.layers import refused

import fastrnn as fr
from fastrnn import nn

X = np.ones((4, 2, 3), np.float32)


class Stateless(nn.StatelessLayer):
    """Returns what it is told to."""

    def _forward(self, x, training):
        return self._result

    def _backward(self, saved, dy):
        return self._gradient


class Stateful(nn.StatefulLayer):
    """Returns what it is told to."""

    def _forward(self, x, state, lengths, training):
        return self._result

    def _backward(self, saved, dy, dstate, extras):
        return self._gradient


@pytest.mark.parametrize(
    "kind, result, words",
    [
        (Stateless, X, "Stateless._forward: expected to return (y, saved), got ndarray"),
        (Stateless, (X, X, None), "Stateless._forward: expected to return (y, saved), got 3 of them"),
        (Stateless, (3, None), "Stateless._forward: expected y to be an array, got int"),
        (Stateless, (X.astype(float), None), "expected y of float32, the layer's dtype, got float64; return y.astype"),
        (Stateful, (X, None), "Stateful._forward: expected to return (y, state, saved), got 2 of them"),
        (Stateful, (X.astype(float), X, None), "expected y of float32, the layer's dtype, got float64"),
    ],
)
def test_a_wrong_output_is_named(kind, result, words):
    """In inference and in training, and also where the layer stands in others."""
    layer = kind()
    layer._result = result
    for run in (layer, layer.forward, fr.Sequential(layer), fr.Sequential(layer).forward):
        with refused(TypeError, words):
            run(X)


@pytest.mark.parametrize(
    "kind, gradient, error, words",
    [
        (Stateless, X[0], ValueError, "Stateless._backward: expected dx of (4, 2, 3), the shape of x, got (2, 3)"),
        (Stateless, 3.0, ValueError, "expected dx of (4, 2, 3), the shape of x, got ()"),
        (Stateful, (X[0], X), ValueError, "Stateful._backward: expected dx of (4, 2, 3), the shape of x, got (2, 3)"),
        (Stateful, X, TypeError, "Stateful._backward: expected to return (dx, dstate), got ndarray"),
    ],
)
def test_a_wrong_gradient_is_named(kind, gradient, error, words):
    layer = kind()
    layer._result, layer._gradient = (X, None) if kind is Stateless else (X, X, None), gradient
    tape = layer.forward(X)[-1]
    with refused(error, words):
        layer.backward(tape, X)


def test_an_input_without_a_gradient_has_none():
    layer = Stateless()
    layer._result, layer._gradient = (X, None), None
    assert layer.backward(layer.forward(X)[1], X) is None
