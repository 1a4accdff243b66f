# SPDX-License-Identifier: BSD-3-Clause
"""Clipping by norms of every order, not only 2. PyTorch's are in test_clipping."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from support.optimizers import RTOL_NORM, RTOL_SCALED, both_dtypes, flat, model_with_gradients

from fastrnn.optim import clip_grad_norm


@both_dtypes
@pytest.mark.parametrize("p", [0.5, 1, 2, 3.5, np.float32(7), math.inf])
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_norms_of_every_order(dtype, p, size):
    """Of any size: the powers would leave the numbers of float64, not only those of float32."""
    model = model_with_gradients(dtype)
    for grad in model.grads.values():
        grad *= dtype(size)
    before, p = flat(model), float(p)
    scaled = np.abs(before) / size
    expected = size * (scaled.max() if p == math.inf else math.fsum(scaled**p) ** (1 / p))
    norm = clip_grad_norm(model, math.inf, p)
    assert type(norm) is float and norm == pytest.approx(expected, rel=RTOL_NORM)
    np.testing.assert_array_equal(flat(model), before)


@both_dtypes
@pytest.mark.parametrize("p", [0.5, 1, 3.5, math.inf])
@pytest.mark.parametrize("each", [False, True])
def test_scales_to_a_norm_of_every_order(dtype, p, each):
    model = model_with_gradients(dtype)
    before = {name: grad.astype(np.float64) for name, grad in model.grads.items()}
    total = clip_grad_norm(model, 0.5, p, each=each)
    for name, grad in model.grads.items():
        norm = np.linalg.norm(before[name].ravel(), p) if each else total
        np.testing.assert_allclose(grad, before[name] * (0.5 / (norm + 1e-6)), rtol=RTOL_SCALED[dtype])


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, math.inf])
def test_no_gradients_have_norm_zero_of_any_order(p):
    assert clip_grad_norm(SimpleNamespace(grads={}), 1.0, p) == 0.0
    assert clip_grad_norm(SimpleNamespace(grads={"w": np.zeros((0, 3)), "b": np.zeros(2)}), 1.0, p) == 0.0


@pytest.mark.parametrize("p", [1e-3, 1.0, 3.0, math.inf])
@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_norms_that_are_not_finite_change_nothing(p, bad):
    model = model_with_gradients()
    model.grads["bias"][1] = bad
    before = flat(model)
    with pytest.raises(FloatingPointError, match=r"^grads\['(bias|weight)'\]: expected a finite norm, got "):
        clip_grad_norm(model, 0.5, p)
    np.testing.assert_array_equal(flat(model), before)


def test_a_norm_of_finite_norms_may_not_be_finite():
    model = SimpleNamespace(grads={"w": np.array([1.5e308]), "b": np.array([1.5e308])})
    with pytest.raises(FloatingPointError, match="^grads: expected a finite norm of all of them, got inf$"):
        clip_grad_norm(model, 1.0, 1.0)
    assert model.grads["w"][0] == model.grads["b"][0] == 1.5e308


@pytest.mark.parametrize(
    "norm_type, error", [(0, ValueError), (-1.0, ValueError), (math.nan, ValueError), ("2", TypeError)]
)
def test_bad_norm_type(norm_type, error):
    with pytest.raises(error, match=f"^norm_type: expected a number above 0, got {norm_type!r}$"):
        clip_grad_norm(model_with_gradients(), 1.0, norm_type)
