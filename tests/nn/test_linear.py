# SPDX-License-Identifier: BSD-3-Clause
"""Linear. What it shares with every layer is in test_layer.py."""

import math

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_same_bits, refused
from support.tolerance import assert_close

import fastrnn as fr

# I and O around the widths of vectors and tiles, and 1
LINEAR_SIZES = [(1, 1), (3, 7), (16, 17), (33, 64), (65, 129)]


@pytest.mark.parametrize(("inputs", "outputs"), LINEAR_SIZES)
@pytest.mark.parametrize("rows", [1, 5, 97])
def test_linear_is_the_matrix_product(isa, dtype, inputs, outputs, rows, rng):
    """y = x W^T + b, against the product in float64."""
    linear = fr.Linear(inputs, outputs, dtype=dtype, seed=0)
    x = rng.standard_normal((rows, inputs)).astype(dtype)
    weight, bias = (linear.params[name].astype(np.float64) for name in ("weight", "bias"))
    expected = x.astype(np.float64) @ weight.T + bias
    assert_close(linear(x), expected, dtype, terms=inputs + 1, steps=1)
    assert_same_bits(linear.forward(x)[0], linear(x))


@pytest.mark.parametrize(("inputs", "outputs"), LINEAR_SIZES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 5, 300])
def test_gradients_of_linear_are_the_closed_form(isa, dtype, inputs, outputs, bias, rows, rng):
    """dx = dy W, dW = dy^T x, db = the sum of dy; with more rows than one block of the sum."""
    linear = fr.Linear(inputs, outputs, bias=bias, dtype=dtype, seed=0)
    # of one sign: a gradient that is a single number must not be the small rest of large terms
    x, dy = (rng.uniform(0.1, 1, (rows, n)).astype(dtype) for n in (inputs, outputs))
    dx = linear.backward(linear.forward(x)[1], dy)
    x, dy, weight = (a.astype(np.float64) for a in (x, dy, linear.params["weight"]))
    assert dx.dtype == dtype
    assert_close(dx, dy @ weight, dtype, backward=True, terms=outputs, steps=1)
    expected = {"weight": dy.T @ x} | ({"bias": dy.sum(0)} if bias else {})
    assert linear.grads.keys() == expected.keys()
    for name, grad in linear.grads.items():
        assert_close(grad, expected[name], dtype, backward=True, terms=rows, steps=1, what=name)


@pytest.mark.parametrize("shape", [(), (5,), (4, 5), (2, 4, 5), (0,), (3, 0), (0, 4)], ids=str)
def test_linear_acts_on_the_last_axis(shape, rng):
    """Any rank gives the bits of its rows as a matrix, dx has the shape of x; also when empty."""
    linear, flat = fr.Linear(3, 4, seed=0), fr.Linear(3, 4, seed=0)
    x = rng.standard_normal((*shape, 3)).astype(np.float32)
    dy = rng.standard_normal((*shape, 4)).astype(np.float32)
    y, tape = linear.forward(x)
    y_flat, tape_flat = flat.forward(x.reshape(-1, 3))
    assert_same_bits(y, y_flat.reshape(*shape, 4))
    assert_same_bits(linear(x), y)
    dx = linear.backward(tape, dy)
    assert_same_bits(dx, flat.backward(tape_flat, dy.reshape(-1, 4)).reshape(x.shape))
    assert_same_arrays(linear.grads, flat.grads)
    assert linear.grads["weight"].any() == bool(x.size)


def test_a_row_alone_is_the_row_in_a_batch(isa, dtype, rng):
    """Bit for bit, in y and dx, wherever the row stands in a tile and however many threads work."""
    linear = fr.Linear(70, 67, dtype=dtype, seed=0)
    x = rng.standard_normal((101, 70)).astype(dtype)
    dy = rng.standard_normal((101, 67)).astype(dtype)
    for threads in (1, 2):
        with fr.threads(threads):
            y, tape = linear.forward(x)
            dx = linear.backward(tape, dy)
        for row in range(len(x)):
            alone, tape = linear.forward(x[row])
            assert_same_bits(alone, y[row])
            assert_same_bits(linear.backward(tape, dy[row]), dx[row])


def test_gradients_of_linear_do_not_depend_on_the_threads(isa, dtype, rng):
    linears = [fr.Linear(70, 67, dtype=dtype, seed=0) for _ in range(2)]
    x = rng.standard_normal((600, 70)).astype(dtype)
    dy = rng.standard_normal((600, 67)).astype(dtype)
    for threads, linear in enumerate(linears, 1):
        with fr.threads(threads):
            linear.backward(linear.forward(x)[1], dy)
    assert_same_arrays(linears[1].grads, linears[0].grads)


@pytest.mark.parametrize("shape, outputs", [((6, 5), 4), ((46, 40), 96)], ids=["small", "large"])
def test_linear_takes_every_layout(isa, shape, outputs, rng):
    """Strided, turned, read-only and Fortran-ordered x and dy have the bits of their copies."""
    linear, other = fr.Linear(3, outputs, seed=0), fr.Linear(3, outputs, seed=0)
    x = rng.standard_normal((*shape, 3)).astype(np.float32)
    dy = rng.standard_normal((*shape, outputs)).astype(np.float32)
    frozen = x.copy(), dy.copy()
    for array in frozen:
        array.flags.writeable = False
    for given_x, given_dy in [
        (x[::2], dy[::2]),
        (x[::-1, ::-1], dy[::-1, ::-1]),
        (np.flip(x, -1), np.flip(dy, -1)),
        (x.swapaxes(0, 1), dy.swapaxes(0, 1)),
        (np.asfortranarray(x), np.asfortranarray(dy)),
        (np.broadcast_to(x[:1], x.shape), np.broadcast_to(dy[:, :, :1], dy.shape)),
        frozen,
        (x.tolist(), dy.tolist()),
    ]:
        dx = linear.backward(linear.forward(given_x)[1], given_dy)
        plain = [np.array(array, np.float32, order="C") for array in (given_x, given_dy)]
        assert_same_bits(linear(given_x), other(plain[0]))
        assert_same_bits(dx, other.backward(other.forward(plain[0])[1], plain[1]))
        assert_same_arrays(linear.grads, other.grads)
    wide = np.zeros((*shape, outputs + 3), np.float32)
    wide[..., :outputs] = dy
    part = wide[..., :outputs]  # rows that do not follow one another
    assert_same_bits(linear.backward(linear.forward(x)[1], part), other.backward(other.forward(x)[1], dy))
    assert_same_arrays(linear.grads, other.grads)
    assert_same_bits(frozen[0], x)


def test_linear_without_bias(rng):
    """There is no parameter `bias`, and y is the one of a bias of zeros."""
    linear, other = fr.Linear(3, 4, bias=False, seed=0), fr.Linear(3, 4, seed=0)
    assert list(linear.params) == list(linear.grads) == ["weight"]
    other.load_state_dict(linear.state_dict() | {"bias": np.zeros(4)})
    x = rng.standard_normal((5, 3)).astype(np.float32)
    assert_same_bits(linear(x), other(x))


@pytest.mark.parametrize("inputs", [1, 9, 400])
def test_initial_parameters_of_linear_are_uniform(inputs):
    """Within 1/sqrt(I), as in PyTorch, and they fill that range."""
    linear, bound = fr.Linear(inputs, 500, seed=0), 1 / math.sqrt(inputs)
    for array in linear.params.values():
        assert 0.98 * bound < np.abs(array).max() <= bound
        assert abs(array.mean()) < 5 * bound / math.sqrt(3 * array.size)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.float32(1), ValueError, ["x: expected (..., 3)", "got ()"]),
        (np.ones((2, 4), np.float32), ValueError, ["x: expected (..., 3)", "got (2, 4)"]),
        (np.ones((2, 3)), TypeError, ["x: expected float32", "float64", "x.astype(np.float32)"]),
        (np.ones((2, 3), int), TypeError, ["x: expected float32", "got int64"]),
        (None, TypeError, ["x: expected float32", "got None"]),
        ([[1.0, 2.0, 3.0], [1.0]], TypeError, ["x: expected", "got list"]),
    ],
    ids=["scalar", "last axis", "double", "integers", "None", "ragged"],
)
def test_bad_input_of_linear_is_refused(x, error, words):
    linear = fr.Linear(3, 4)
    with refused(error, *words):
        linear(x)
    with refused(error, *words):
        linear.forward(x)


def test_after_a_refused_gradient_the_tape_of_linear_still_works():
    linear, ones = fr.Linear(3, 4, seed=0), np.ones((2, 4), np.float32)
    tape = linear.forward(np.ones((2, 3), np.float32))[1]
    with refused(ValueError, "dy: expected (2, 4)", "got (4, 2)"):
        linear.backward(tape, ones.T)
    with refused(TypeError, "dy: expected float32", "got float64"):
        linear.backward(tape, ones.astype(np.float64))
    assert not linear.grads["weight"].any()
    linear.backward(tape, ones)
    assert (linear.grads["bias"] == 2).all()
    with refused(ValueError, "tape", "a tape can be used once"):
        linear.backward(tape, ones)


@pytest.mark.parametrize("name", ["in_features", "out_features"])
def test_bad_sizes_of_linear_are_refused(name):
    for value, error in [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("3", TypeError)]:
        with refused(error, f"{name}: expected", f"got {value!r}"):
            fr.Linear(**({"in_features": 3, "out_features": 4} | {name: value}))


@pytest.mark.parametrize("kind", [fr.Linear, fr.Embedding])
def test_bad_options_are_refused(kind):
    for value in (int, np.float16, "abc", None):
        with refused(TypeError, "dtype: expected np.float32 or np.float64", f"got {value!r}"):
            kind(3, 4, dtype=value)
    with refused(ValueError, "seed: expected an integer", "got -1"):
        kind(3, 4, seed=-1)
    with refused(TypeError, "seed: expected an integer", "got 'a'"):
        kind(3, 4, seed="a")


class Doubled(fr.Linear):
    """Its backward is another."""

    def _backward(self, saved, dy):
        return 2 * super()._backward(saved, dy)


@pytest.mark.parametrize("kind", [fr.Linear, Doubled])
@pytest.mark.parametrize("rows", [3, 30_000])
@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_of_many_calls_can_be_added_at_once(kind, rows, frozen, dtype, rng):
    """Of small calls and of others; a subclass with a backward of its own adds them in it."""
    linear = kind(3, 4, dtype=dtype, seed=0)
    linear._frozen = frozen
    x, dy = (rng.standard_normal((5, rows, n)).astype(dtype) for n in (3, 4))
    expected = [linear.backward(linear.forward(x_t)[1], dy_t) for x_t, dy_t in zip(x, dy, strict=True)]
    grads = {name: grad.copy() for name, grad in linear.grads.items()}
    linear.zero_grad()
    for x_t, dy_t, dx_t in zip(x, dy, expected, strict=True):
        assert_same_bits(linear.input_gradient(linear._forward(x_t, True)[1], dy_t), dx_t)
    assert kind is Doubled or not any(grad.any() for grad in linear.grads.values())
    linear.add_gradients(x, dy)
    for name, grad in linear.grads.items():
        assert grad.any() != frozen
        assert_close(grad, grads[name], dtype, backward=True, terms=5 * rows, steps=1, what=name)
