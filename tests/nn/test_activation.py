# SPDX-License-Identifier: BSD-3-Clause
"""Activation. What it shares with every layer is in test_layer.py."""

import math
import re

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits, assert_slopes
from support.tolerance import assert_close

import fastrnn as fr

pytestmark = pytest.mark.filterwarnings("error")

ON_PAPER = {  # of one number, in Python floats
    "identity": lambda x: x,
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
}
IN_TORCH = {
    "identity": "Identity",
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "softplus": "Softplus",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softmax": "Softmax",
}
INF = math.inf
ENDS = {  # at -inf, inf and nan
    "identity": [-INF, INF],
    "relu": [0, INF],
    "leaky_relu": [-INF, INF],
    "elu": [-1, INF],
    "softplus": [0, INF],
    "sigmoid": [0, 1],
    "tanh": [-1, 1],
}
each_name = pytest.mark.parametrize("name", IN_TORCH)
each_elementwise = pytest.mark.parametrize("name", ON_PAPER)


def test_every_function_is_tested_here():
    names = fr.Activation.nonlinearity.choices
    assert {*names} == {*IN_TORCH} == {*ON_PAPER, "softmax"}
    assert re.findall(r'^ *"(\w+)"  +``', fr.Activation.__doc__, re.MULTILINE) == [*names]


@each_elementwise
def test_values_are_those_of_the_definition(name, dtype, rng):
    x = (3 * rng.standard_normal((50, 7))).astype(dtype)
    expected = [[ON_PAPER[name](v) for v in row] for row in x.tolist()]
    y = fr.Activation(name, dtype=dtype)(x)
    assert y.dtype == dtype and y.flags.writeable
    assert_close(y, expected, dtype, terms=1, steps=1)


@each_name
def test_torch_gives_the_same(name, dtype, rng):
    """y and dx, also at 0."""
    torch = pytest.importorskip("torch")
    x, dy = (2 * rng.standard_normal((2, 6, 5))).astype(dtype)
    x[0, :2] = 0, -0.0
    layer = fr.Activation(name, dtype=dtype)
    y, tape = layer.forward(x)
    x_torch = torch.from_numpy(x).requires_grad_()
    own = {"dim": -1} if name == "softmax" else {"threshold": INF} if name == "softplus" else {}
    expected = getattr(torch.nn, IN_TORCH[name])(**own)(x_torch)
    assert_close(y, expected.detach().numpy(), dtype, terms=5, steps=1)
    expected.backward(torch.from_numpy(dy))
    assert_close(layer.backward(tape, dy), x_torch.grad.numpy(), dtype, backward=True, terms=5, steps=1)


@each_name
def test_gradients_match_central_differences(name, rng):
    x, dy = rng.standard_normal((2, 3, 2, 4))
    x += np.copysign(0.01, x)  # away from the bend
    layer = fr.Activation(name, dtype=np.float64)
    dx = layer.backward(layer.forward(x)[1], dy)
    assert_slopes(dx, lambda: (layer(x) * dy).sum(), x, name)


@each_elementwise
def test_far_from_zero_nothing_overflows_and_nan_passes(name, dtype):
    """Slopes are 0 or those of the ends; there are no warnings."""
    top = np.finfo(dtype).max / 2
    layer = fr.Activation(name, dtype=dtype)
    x = np.array([-INF, -top, top, INF, math.nan], dtype)
    y, tape = layer.forward(x)
    np.testing.assert_array_equal(y[[0, 3, 4]], [*ENDS[name], math.nan])
    assert np.isfinite(y[1:3]).all()
    dx = layer.backward(tape, np.ones_like(x))
    low = {"identity": 1, "leaky_relu": dtype.type(0.01)}.get(name, 0)
    high = 0 if name in ("sigmoid", "tanh") else 1
    np.testing.assert_array_equal(dx[:4], [low, low, high, high])


@each_name
def test_any_shape_is_taken_and_features_pass(name):
    layer = fr.Activation(name)
    for shape in ((4,), (5, 4), (2, 3, 4, 5), (0,), (3, 0, 4)):
        y, tape = layer.forward(np.ones(shape, np.float32))
        assert y.shape == layer.backward(tape, np.ones(shape, np.float32)).shape == shape
    if name == "softmax":
        with argument_refused(ValueError, "x", "expected (..., F), got ()"):
            layer(np.float32(1))
    else:
        y, tape = layer.forward(np.ones((), np.float32))
        assert y.shape == () and layer.backward(tape, np.ones((), np.float32)).dtype == np.float32
    assert layer.features_in is None and layer.features_after(7) == 7


@each_name
def test_a_row_has_the_same_bits_alone_in_a_batch_and_in_any_memory_order(name, rng):
    x, dy = rng.standard_normal((2, 40, 9)).astype(np.float32)
    layer = fr.Activation(name)
    y, tape = layer.forward(x)
    dx = layer.backward(tape, dy)
    y_other, tape = layer.forward(np.asfortranarray(x))
    assert_same_bits(y_other, y)
    assert_same_bits(layer.backward(tape, np.asfortranarray(dy)), dx)
    y_row, tape = layer.forward(x[3:4])
    assert_same_bits(y_row, y[3:4])
    assert_same_bits(layer.backward(tape, dy[3:4]), dx[3:4])


def test_what_the_tape_refers_to_cannot_be_written():
    y, tape = fr.Activation("tanh").forward(np.ones((2, 3), np.float32))
    assert not y.flags.writeable and tape.shape == (2, 3)


def test_sizes_are_checked_through_it():
    """As through Dropout: it has as many features as it reads."""
    with argument_refused(ValueError, "layers", "expected 8 features in", "got Linear with 7"):
        fr.Sequential(fr.Linear(3, 8), fr.Activation("relu"), fr.Linear(7, 2))


def test_a_hidden_layer_learns_what_a_linear_model_cannot():
    """Exclusive or."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    answers = np.array([[0], [1], [1], [0]], np.float32)
    model = fr.Sequential(fr.Linear(2, 8, seed=0), fr.Activation("relu"), fr.Linear(8, 1, seed=1))
    adam = fr.Adam(model, lr=0.05)
    for _ in range(200):
        y, _, tape = model.forward(x)
        _, dy = fr.binary_cross_entropy_with_logits(y, answers)
        model.zero_grad()
        model.backward(tape, dy)
        adam.step()
    np.testing.assert_array_equal(fr.sigmoid(model(x)[0]).round(), answers)


def test_a_name_that_is_not_there_is_refused():
    with argument_refused(ValueError, "nonlinearity", "expected one of identity, relu", "got 'gelu'"):
        fr.Activation("gelu")
