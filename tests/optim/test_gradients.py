# SPDX-License-Identifier: BSD-3-Clause
"""Clipping by norm and by value, and penalties: the numbers, and what is refused."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.optim._gradients import add_penalty, clip_grad_norm, clip_grad_value

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


# -- each by itself --------------------------------------------------------------------------------


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


# -- values ----------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="^limit: expected a number >= 0, got -1$"):
        clip_grad_value(model_with_gradients(), -1)
    with pytest.raises(TypeError, match="^limit: expected a number, got NoneType$"):
        clip_grad_value(model_with_gradients(), None)
    with pytest.raises(TypeError, match="^model: expected an object with grads, got dict$"):
        clip_grad_value({}, 1.0)


# -- penalties -------------------------------------------------------------------------------------


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
        ({"l1": -0.1}, ValueError, "l1: expected a finite number >= 0, got -0.1"),
        ({"l1": math.nan}, ValueError, "l1: expected a finite number >= 0, got nan"),
        ({"l2": math.inf}, ValueError, "l2: expected a finite number >= 0, got inf"),
        ({"l2": "1"}, TypeError, "l2: expected a number, got str"),
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


# -- PyTorch ---------------------------------------------------------------------------------------


def torch_parameters(torch, model):
    parameters = []
    for grad in model.grads.values():
        parameters.append(torch.nn.Parameter(torch.zeros_like(torch.tensor(grad))))
        parameters[-1].grad = torch.tensor(grad)
    return parameters


@both_dtypes
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
@pytest.mark.parametrize("each", [False, True])
def test_torch_agrees(dtype, max_norm, each):
    torch = pytest.importorskip("torch")
    model = model_with_gradients(dtype)
    parameters = torch_parameters(torch, model)
    clip = torch.nn.utils.clip_grad_norm_
    groups = [[p] for p in parameters] if each else [parameters]
    expected = math.hypot(*(clip(group, max_norm).item() for group in groups))
    assert clip_grad_norm(model, max_norm, each=each) == pytest.approx(expected, rel=RTOL_SCALED[dtype])
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
