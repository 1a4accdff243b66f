# SPDX-License-Identifier: BSD-3-Clause
"""clip_grad_norm: the norm, the scaling, and what it refuses."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from fastrnn.gradients import clip_grad_norm

# Relative. The norm is summed in float64 whatever the dtype, in sums of a few dozen terms; scaling
# rounds the scale and the product once each, in the dtype of the gradient.
RTOL_NORM = 16 * 2.0**-53
RTOL_SCALED = {np.float32: 4 * 2.0**-24, np.float64: 16 * 2.0**-53}
# The small constant beside the norm lowers the clipped norm by 1e-6 / norm; norms here are > 1.
RTOL_CLIPPED = 2e-6

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def model_with_gradients(dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = {"weight": (4, 3), "bias": (4,), "scale": ()}
    grads = {name: np.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}
    return SimpleNamespace(grads=grads)


def flat(model):
    return np.concatenate([g.ravel() for g in model.grads.values()]).astype(np.float64)


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
        (-1.0, ValueError, "max_norm: expected a number >= 0, got -1.0"),
        (math.nan, ValueError, "max_norm: expected a number >= 0, got nan"),
        ("1", TypeError, "max_norm: expected a number, got str"),
        (None, TypeError, "max_norm: expected a number, got NoneType"),
    ],
)
def test_bad_max_norm(max_norm, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        clip_grad_norm(model_with_gradients(), max_norm)


def test_bad_model():
    with pytest.raises(TypeError, match="model: expected an object with grads, got dict"):
        clip_grad_norm({}, 1.0)


@both_dtypes
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_torch_agrees(dtype, max_norm):
    torch = pytest.importorskip("torch")
    model = model_with_gradients(dtype)
    parameters = []
    for grad in model.grads.values():
        parameters.append(torch.nn.Parameter(torch.zeros_like(torch.tensor(grad))))
        parameters[-1].grad = torch.tensor(grad)
    expected = torch.nn.utils.clip_grad_norm_(parameters, max_norm).item()
    assert clip_grad_norm(model, max_norm) == pytest.approx(expected, rel=RTOL_SCALED[dtype])
    for grad, parameter in zip(model.grads.values(), parameters, strict=True):
        np.testing.assert_allclose(grad, parameter.grad.numpy(), rtol=2 * RTOL_SCALED[dtype])
