# SPDX-License-Identifier: BSD-3-Clause
"""Penalties of parameters: the numbers, and what is refused."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from support.optimizers import RTOL_NORM, RTOL_SCALED, both_dtypes, flat, model_with_gradients

import fastrnn as fr
from fastrnn.optim import add_penalty


def model_with_parameters(dtype=np.float64):
    """Beside the gradients; the first weight is 0."""
    model, rng = model_with_gradients(dtype), np.random.default_rng(1)
    model.params = {name: np.asarray(rng.normal(size=g.shape), dtype) for name, g in model.grads.items()}
    model.params["weight"][0, 0] = 0
    return model


def penalty_of(params, l1, l2):
    numbers = [float(p) for name in params for p in params[name].ravel()]
    return l1 * math.fsum(map(abs, numbers)) + l2 / 2 * math.fsum(p * p for p in numbers)


@both_dtypes
@pytest.mark.parametrize("names", ["*weight*", "*", "[bs]*"])
@pytest.mark.parametrize("l1, l2", [(0.5, 0.0), (0.0, 0.25), (0.3, 0.7), (np.float64(0.3), np.float32(0.5)), (0, 0)])
def test_a_penalty_and_its_gradient(dtype, l1, l2, names):
    model = model_with_parameters(dtype)
    before, arrays = {name: g.astype(np.float64) for name, g in model.grads.items()}, dict(model.grads)
    params = {name: p.copy() for name, p in model.params.items()}
    chosen = {"*weight*": ["weight"], "*": ["weight", "bias", "scale"], "[bs]*": ["bias", "scale"]}[names]
    value = add_penalty(model, l1=l1, l2=l2, names=names)
    assert type(value) is float
    l1, l2 = float(l1), float(l2)
    assert value == pytest.approx(penalty_of({n: params[n] for n in chosen}, l1, l2), rel=RTOL_NORM)
    for name, g in model.grads.items():
        np.testing.assert_array_equal(model.params[name], params[name])  # only read
        assert g is arrays[name] and g.dtype == dtype
        p = params[name].astype(np.float64)
        added = l1 * np.sign(p) + l2 * p if name in chosen else 0.0
        scale = np.abs(before[name]).max() + np.abs(added).max()
        np.testing.assert_allclose(g, before[name] + added, rtol=0, atol=RTOL_SCALED[dtype] * scale)


def test_the_gradient_is_that_of_the_value():
    """Central differences of the value, by which the gradient is known to 1e-9 or so."""
    model, step = model_with_parameters(), 1e-6
    model.params["weight"][0, 0] = 0.5  # away from the kink
    for g in model.grads.values():
        g[...] = 0
    add_penalty(model, l1=0.3, l2=0.7, names="*")
    for name, p in model.params.items():
        for at in np.ndindex(p.shape):
            here, found = p[at].copy(), []
            for sign in (1, -1):
                p[at] = here + sign * step
                found.append(add_penalty(SimpleNamespace(params=model.params, grads=blank(model)), 0.3, 0.7, "*"))
            p[at] = here
            assert (found[0] - found[1]) / (2 * step) == pytest.approx(model.grads[name][at], abs=1e-8)


def blank(model):
    return {name: np.zeros_like(p) for name, p in model.params.items()}


def test_a_penalty_of_a_real_model():
    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 2, seed=1))
    value = add_penalty(model, l2=2.0)
    params = model.state_dict()
    weights = {name: p for name, p in params.items() if "weight" in name}
    assert value == pytest.approx(penalty_of(weights, 0, 2.0), rel=RTOL_NORM)
    for name, g in model.grads.items():
        np.testing.assert_array_equal(g, 2 * params[name] if name in weights else 0 * g)


@both_dtypes
@pytest.mark.parametrize("part", ["params", "grads"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_penalty_of_what_is_not_finite_names_the_parameter(dtype, part, bad):
    model = model_with_parameters(dtype)
    getattr(model, part)["bias"][1] = bad
    before = flat(model)
    text = f"{part}['bias']: expected finite values, got {abs(bad)}"
    with pytest.raises(FloatingPointError, match=f"^{re.escape(text)}$"):
        add_penalty(model, l1=0.1, l2=0.1, names="*")
    np.testing.assert_array_equal(flat(model), before)


def test_a_penalty_that_overflows_names_the_parameter():
    model = model_with_parameters(np.float32)
    model.params["bias"][...] = 2e38
    before = flat(model)
    text = "grads['bias']: expected a sum that fits float32, got one up to "
    with pytest.raises(FloatingPointError, match=f"^{re.escape(text)}"):
        add_penalty(model, l2=2.0, names="*")
    np.testing.assert_array_equal(flat(model), before)
    model.params["bias"][...] = 1e38
    add_penalty(model, l2=2.0, names="*")
    assert np.isfinite(flat(model)).all()


def test_a_penalty_may_be_infinite_where_its_gradient_is_not():
    model = SimpleNamespace(params={"weight": np.array([1e200])}, grads={"weight": np.zeros(1)})
    assert add_penalty(model, l2=0.5) == math.inf
    np.testing.assert_array_equal(model.grads["weight"], [0.5e200])


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"l1": -0.1}, ValueError, "l1: expected a finite number of at least 0, got -0.1"),
        ({"l1": math.nan}, ValueError, "l1: expected a finite number of at least 0, got nan"),
        ({"l2": math.inf}, ValueError, "l2: expected a finite number of at least 0, got inf"),
        ({"l2": "1"}, TypeError, "l2: expected a finite number of at least 0, got '1'"),
        ({"names": ["weight"]}, TypeError, "names: expected a pattern of parameter names, got list"),
        ({"names": "kernel"}, ValueError, "names: expected a match among weight, bias, scale, got none for 'kernel'"),
    ],
)
def test_bad_penalties(options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        add_penalty(model_with_parameters(), **options)


def test_a_penalty_needs_parameters():
    with pytest.raises(TypeError, match="^model: expected an object with params and grads, got SimpleNamespace$"):
        add_penalty(model_with_gradients())
