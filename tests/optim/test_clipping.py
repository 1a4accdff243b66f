# SPDX-License-Identifier: BSD-3-Clause
"""Clipping by norm and by value: the numbers, and what is refused."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from support.optimizers import RTOL_NORM, RTOL_SCALED, both_dtypes, flat, model_with_gradients

from fastrnn.optim import clip_grad_norm, clip_grad_value

# The small constant beside the norm lowers the clipped norm by 1e-6 / norm; norms here are > 1.
RTOL_CLIPPED = 2e-6


@both_dtypes
def test_returns_the_norm_before_clipping(dtype):
    model = model_with_gradients(dtype)
    expected = math.sqrt(math.fsum(g * g for g in flat(model)))
    norm = clip_grad_norm(model, 0.5)
    assert type(norm) is float
    assert norm == pytest.approx(expected, rel=RTOL_NORM)


@both_dtypes
def test_scales_to_the_norm_and_keeps_the_direction(dtype):
    model = model_with_gradients(dtype)
    arrays, before = dict(model.grads), flat(model)
    norm = clip_grad_norm(model, 0.5)
    assert np.linalg.norm(flat(model)) == pytest.approx(0.5, rel=RTOL_CLIPPED)
    expected = before * (0.5 / (norm + 1e-6))
    np.testing.assert_allclose(flat(model), expected, rtol=RTOL_SCALED[dtype])
    assert all(model.grads[name] is array for name, array in arrays.items())  # in place


@both_dtypes
@pytest.mark.parametrize("room", [1.01, np.float32(50), math.inf])
def test_leaves_small_gradients_alone(dtype, room):
    model = model_with_gradients(dtype)
    before = flat(model)
    clip_grad_norm(model, room * np.linalg.norm(before))
    np.testing.assert_array_equal(flat(model), before)


def test_zero_allows_nothing():
    model = model_with_gradients()
    clip_grad_norm(model, 0)
    assert not flat(model).any()


def test_no_gradients_have_norm_zero():
    assert clip_grad_norm(SimpleNamespace(grads={}), 1.0) == 0.0
    assert clip_grad_norm(SimpleNamespace(grads={"w": np.zeros((0, 3))}), 1.0) == 0.0


def test_strided_gradients():
    wide = np.arange(24.0).reshape(4, 6)
    expected = np.linalg.norm(wide[:, ::2])
    model = SimpleNamespace(grads={"w": wide[:, ::2]})
    assert clip_grad_norm(model, 1.0) == pytest.approx(expected, rel=RTOL_NORM)
    assert np.linalg.norm(wide[:, ::2]) == pytest.approx(1.0, rel=RTOL_CLIPPED)
    assert wide[3, 5] == 23.0  # between the columns nothing changes


def test_float32_gradients_whose_squares_overflow_float32():
    model = SimpleNamespace(grads={"w": np.full(4, 1e30, np.float32)})
    assert clip_grad_norm(model, 1.0) == pytest.approx(2e30, rel=RTOL_SCALED[np.float32])
    np.testing.assert_allclose(model.grads["w"], 0.5, rtol=RTOL_SCALED[np.float32])


@both_dtypes
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_names_the_parameter(dtype, bad):
    model = model_with_gradients(dtype)
    model.grads["bias"][1] = model.grads["scale"][...] = bad
    before = flat(model)
    got = abs(bad)
    with pytest.raises(FloatingPointError, match=re.escape(f"grads['bias']: expected a finite norm, got {got}")):
        clip_grad_norm(model, 0.5)
    np.testing.assert_array_equal(flat(model), before)


@pytest.mark.parametrize(
    "max_norm, error, text",
    [
        (-1.0, ValueError, "max_norm: expected a number of at least 0, got -1.0"),
        (math.nan, ValueError, "max_norm: expected a number of at least 0, got nan"),
        ("1", TypeError, "max_norm: expected a number of at least 0, got '1'"),
        (None, TypeError, "max_norm: expected a number of at least 0, got None"),
    ],
)
def test_bad_max_norm(max_norm, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        clip_grad_norm(model_with_gradients(), max_norm)


def test_bad_model():
    with pytest.raises(TypeError, match="^model: expected an object with grads, got str$"):
        clip_grad_norm("model", 1.0)


# -- each by itself --------------------------------------------------------------------------------------------------


@both_dtypes
def test_each_gradient_is_scaled_by_itself(dtype):
    model = model_with_gradients(dtype)
    before = {name: g.astype(np.float64) for name, g in model.grads.items()}
    limit = 1.5  # between the norms: those of weight, bias and scale
    norms = {name: np.linalg.norm(g) for name, g in before.items()}
    assert min(norms.values()) < limit < max(norms.values())
    total = clip_grad_norm(model, limit, each=True)
    assert total == pytest.approx(math.hypot(*norms.values()), rel=RTOL_NORM)
    for name, g in model.grads.items():
        scale = limit / (norms[name] + 1e-6) if norms[name] > limit else 1
        np.testing.assert_allclose(g, before[name] * scale, rtol=RTOL_SCALED[dtype] if scale < 1 else 0)


def test_each_refuses_before_it_changes_anything():
    model = model_with_gradients()
    model.grads["scale"][...] = math.nan
    before = flat(model)
    with pytest.raises(FloatingPointError, match=re.escape("grads['scale']: expected a finite norm, got nan")):
        clip_grad_norm(model, 0.1, each=True)
    np.testing.assert_array_equal(flat(model), before)


# -- values ----------------------------------------------------------------------------------------------------------


@both_dtypes
@pytest.mark.parametrize("limit", [0.25, 0, np.float32(0.5), math.inf, 1e300])
def test_values_are_clipped_in_place(dtype, limit):
    model = model_with_gradients(dtype)
    arrays, before = dict(model.grads), flat(model)
    largest = clip_grad_value(model, limit)
    assert type(largest) is float and largest == np.abs(before).max()
    np.testing.assert_array_equal(flat(model), np.clip(before, -limit, limit))
    assert all(model.grads[name] is array and array.dtype == dtype for name, array in arrays.items())


def test_values_of_two_dtypes():
    """A limit that float32 cannot hold clips no float32 gradient."""
    model = SimpleNamespace(grads={"single": np.ones(2, np.float32), "double": np.array([1e200, -1e200])})
    assert clip_grad_value(model, 1e100) == 1e200
    np.testing.assert_array_equal(model.grads["double"], [1e100, -1e100])
    np.testing.assert_array_equal(model.grads["single"], [1, 1])


def test_values_of_no_gradients():
    assert clip_grad_value(SimpleNamespace(grads={}), 1.0) == 0.0
    assert clip_grad_value(SimpleNamespace(grads={"w": np.zeros((0, 3))}), 1.0) == 0.0


@both_dtypes
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_names_the_parameter(dtype, bad):
    model = model_with_gradients(dtype)
    model.grads["bias"][1] = model.grads["scale"][...] = bad
    before = flat(model)
    with pytest.raises(FloatingPointError, match=re.escape(f"grads['bias']: expected finite values, got {abs(bad)}")):
        clip_grad_value(model, 0.5)
    np.testing.assert_array_equal(flat(model), before)


def test_bad_limit():
    with pytest.raises(ValueError, match="^limit: expected a number of at least 0, got -1$"):
        clip_grad_value(model_with_gradients(), -1)
    with pytest.raises(TypeError, match="^limit: expected a number of at least 0, got None$"):
        clip_grad_value(model_with_gradients(), None)
    with pytest.raises(TypeError, match=r"^model\['w'\]: expected an object with grads, got ndarray$"):
        clip_grad_value({"w": np.ones(3)}, 1.0)


# -- PyTorch ---------------------------------------------------------------------------------------------------------


def torch_parameters(torch, model):
    parameters = []
    for grad in model.grads.values():
        parameters.append(torch.nn.Parameter(torch.zeros_like(torch.tensor(grad))))
        parameters[-1].grad = torch.tensor(grad)
    return parameters


@both_dtypes
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("p", [2.0, 1.0, 3.5, math.inf])
def test_torch_agrees(dtype, max_norm, each, p):
    torch = pytest.importorskip("torch")
    model = model_with_gradients(dtype)
    parameters = torch_parameters(torch, model)
    clip = torch.nn.utils.clip_grad_norm_
    groups = [[p] for p in parameters] if each else [parameters]
    norms = [clip(group, max_norm, p).item() for group in groups]
    expected = np.linalg.norm(norms, p)
    assert clip_grad_norm(model, max_norm, p, each=each) == pytest.approx(expected, rel=RTOL_SCALED[dtype])
    for grad, parameter in zip(model.grads.values(), parameters, strict=True):
        np.testing.assert_allclose(grad, parameter.grad.numpy(), rtol=2 * RTOL_SCALED[dtype])


@both_dtypes
def test_torch_agrees_on_values(dtype):
    torch = pytest.importorskip("torch")
    model = model_with_gradients(dtype)
    parameters = torch_parameters(torch, model)
    torch.nn.utils.clip_grad_value_(parameters, 0.3)
    clip_grad_value(model, 0.3)
    for grad, parameter in zip(model.grads.values(), parameters, strict=True):
        np.testing.assert_array_equal(grad, parameter.grad.numpy())
