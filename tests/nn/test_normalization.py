# SPDX-License-Identifier: BSD-3-Clause
"""LayerNorm. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes, refused, snapshot
from support.tolerance import assert_close

import fastrnn as fr


def random_norm(features, rng, **options):
    """A LayerNorm with a scale and a shift that are not one and zero."""
    norm = fr.LayerNorm(features, **options)
    for array in norm.params.values():
        array[...] = rng.standard_normal(features)
    return norm


def test_each_position_has_mean_0_and_variance_1(dtype, rng):
    """Whatever its own were; weight and bias act after that."""
    norm, x = fr.LayerNorm(50, dtype=dtype), (100 * rng.standard_normal((4, 3, 50)) + 7).astype(dtype)
    y = norm(x).astype(np.float64)
    assert_close(1 + y.mean(axis=-1), np.ones((4, 3)), dtype, terms=50, steps=1)
    variance = x.astype(np.float64).var(axis=-1)
    assert_close(y.var(axis=-1), variance / (variance + 1e-5), dtype, terms=50, steps=4)
    norm.params["weight"], norm.params["bias"] = np.full(50, 3.0), np.full(50, 0.5)
    assert_close(norm(x), 3 * y + 0.5, dtype, terms=50, steps=1)


@pytest.mark.parametrize("shape", [(7,), (5, 16), (4, 3, 33), (2, 1, 3, 8), (0, 4), (3, 0, 4), (600, 64)], ids=str)
def test_pytorch_has_the_same_numbers(shape, dtype, rng):
    """y and every gradient."""
    torch = pytest.importorskip("torch")
    norm = random_norm(shape[-1], rng, eps=1e-3, dtype=dtype)
    theirs = torch.nn.LayerNorm(shape[-1], eps=1e-3, dtype=getattr(torch, str(dtype)))
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in norm.state_dict().items()})
    x, dy = rng.uniform(0.1, 1, (2, *shape)).astype(dtype)
    provided = torch.from_numpy(x).requires_grad_()
    out = theirs(provided)
    out.backward(torch.from_numpy(dy))
    y, tape = norm.forward(x)
    dx = norm.backward(tape, dy)
    assert y.dtype == dx.dtype == dtype
    terms = 2 * shape[-1]
    assert_close(y, out.detach().numpy(), dtype, terms=terms, steps=4)
    assert_close(dx, provided.grad.numpy(), dtype, backward=True, terms=terms, steps=4)
    for name, parameter in theirs.named_parameters():
        count = max(2, x.size)
        assert_close(norm.grads[name], parameter.grad.numpy(), dtype, backward=True, terms=count, steps=4, what=name)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 5)], ids=str)
def test_gradients_match_central_differences(shape, rng):
    norm = random_norm(shape[-1], rng, dtype=np.float64)
    x, dy = rng.standard_normal((2, *shape))
    dx = norm.backward(norm.forward(x)[1], dy)
    loss = lambda: (norm(x) * dy).sum()  # noqa: E731
    assert_slopes(dx, loss, x, "x")
    for name, grad in snapshot(norm.grads).items():
        assert_slopes(grad, loss, norm.params[name], name)


@pytest.mark.parametrize("features", [1, 2, 7, 8, 9, 127, 128, 129, 500])
def test_a_row_alone_is_the_row_in_a_batch(features, dtype, rng):
    """Bit for bit, in y and dx, in every layout."""
    norm = random_norm(features, rng, dtype=dtype)
    x, dy = rng.standard_normal((2, 6, 5, features)).astype(dtype)
    y, tape = norm.forward(x)
    dx = norm.backward(tape, dy)
    turned, tape = norm.forward(np.asfortranarray(x))
    assert_same_bits(turned, y)
    assert_same_bits(norm.backward(tape, np.asfortranarray(dy)), dx)
    for at in np.ndindex(6, 5):
        alone, tape = norm.forward(x[at])
        assert_same_bits(alone, y[at])
        assert_same_bits(norm.backward(tape, dy[at]), dx[at])


def test_a_constant_row_gives_the_bias():
    norm = fr.LayerNorm(4)
    norm.params["bias"] = np.arange(4.0)
    np.testing.assert_array_equal(norm(np.full((2, 4), 5, np.float32)), [[0, 1, 2, 3]] * 2)


def test_what_is_not_finite_stays_in_its_row():
    """NaN in, NaN out, without a warning; also where squares overflow."""
    norm, x = fr.LayerNorm(4), np.ones((5, 4), np.float32)
    x[0, 1], x[1, 2], x[2, 3] = np.nan, np.inf, 3e38
    y, tape = norm.forward(x)
    assert np.isnan(y[:2]).any(axis=1).all() and not np.isnan(y[3:]).any()
    dx = norm.backward(tape, np.ones_like(y))
    assert np.isnan(dx[0]).all() and not np.isnan(dx[3:]).any()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"features": 0}, ValueError, ["features: expected at least 1", "got 0"]),
        ({"features": 2.5}, TypeError, ["features: expected an integer", "got 2.5"]),
        ({"features": (3, 4)}, TypeError, ["features: expected an integer", "got (3, 4)"]),
        ({"features": 10**15}, MemoryError, ["features: the parameters would need"]),
        ({"eps": 0}, ValueError, ["eps: expected a finite number above 0", "got 0"]),
        ({"eps": -1e-5}, ValueError, ["eps: expected a finite number above 0", "got -1e-05"]),
        ({"eps": float("nan")}, ValueError, ["eps: expected a finite number above 0", "got nan"]),
        ({"eps": float("inf")}, ValueError, ["eps: expected a finite number above 0", "got inf"]),
        ({"eps": "1e-5"}, TypeError, ["eps: expected a finite number above 0", "got '1e-5'"]),
        ({"eps": True}, TypeError, ["eps: expected a finite number above 0", "got True"]),
        ({"eps": None}, TypeError, ["eps: expected a finite number above 0", "got None"]),
        ({"dtype": np.float16}, TypeError, ["dtype: expected np.float32 or np.float64"]),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments, error, words):
    with refused(error, *words):
        fr.LayerNorm(**({"features": 3} | arguments))


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.float32(1), ValueError, ["x: expected (..., 3)", "got ()"]),
        (np.ones((2, 4), np.float32), ValueError, ["x: expected (..., 3)", "got (2, 4)"]),
        (np.ones((2, 3)), TypeError, ["x: expected float32", "got float64"]),
        (None, TypeError, ["x: expected float32", "got None"]),
    ],
    ids=["scalar", "last axis", "double", "None"],
)
def test_bad_input_is_refused(x, error, words):
    norm = fr.LayerNorm(3)
    for method in (norm, norm.forward):
        with refused(error, *words):
            method(x)


def test_after_a_refused_gradient_the_tape_still_works():
    norm, x = fr.LayerNorm(4), np.arange(8, dtype=np.float32).reshape(2, 4)
    tape = norm.forward(x)[1]
    with refused(ValueError, "dy: expected (2, 4)", "got (4, 2)"):
        norm.backward(tape, x.T)
    with refused(TypeError, "dy: expected float32", "got float64"):
        norm.backward(tape, x.astype(np.float64))
    norm.grads["bias"].flags.writeable = False
    with refused(ValueError, "grads['bias']", "read-only"):
        norm.backward(tape, x)
    norm.grads["bias"].flags.writeable = True
    assert not any(grad.any() for grad in norm.grads.values())
    norm.backward(tape, x)
    np.testing.assert_array_equal(norm.grads["bias"], x.sum(axis=0))
