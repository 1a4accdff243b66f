# SPDX-License-Identifier: BSD-3-Clause
"""Dropout. What it shares with every layer is in test_layer.py."""

import copy
import math
import pickle

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes, refused

import fastrnn as fr

SHAPES = [(), (4,), (5, 4), (6, 5, 4), (2, 3, 4, 5), (0,), (3, 0, 4)]


def training(layer, x):
    return layer.forward(x)[0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("p", [0, 0.25, 0.9])
def test_an_element_is_dropped_or_scaled(p, shape, dtype, rng):
    """By 1 / (1 - p), in y and, the same ones, in dx."""
    layer = fr.Dropout(p, dtype=dtype, seed=0)
    x, dy = (rng.uniform(1, 2, shape).astype(dtype) for _ in range(2))
    y, tape = layer.forward(x)
    dx = layer.backward(tape, dy)
    stays, scale = y != 0, dtype.type(1 / (1 - p))
    assert_same_bits(y, np.where(stays, x * scale, 0).astype(dtype))
    assert_same_bits(dx, np.where(stays, dy * scale, 0).astype(dtype))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_part_that_is_dropped_is_p(p):
    """Within five standard deviations of the share of 10**6 draws."""
    dropped = training(fr.Dropout(p, seed=0), np.ones((1000, 1000), np.float32)) == 0
    assert abs(dropped.mean() - p) < 5 * math.sqrt(p * (1 - p) / dropped.size)


def test_without_probability_nothing_changes(dtype, rng):
    layer, x = fr.Dropout(0, dtype=dtype), rng.standard_normal((5, 4)).astype(dtype)
    y, tape = layer.forward(x)
    assert_same_bits(y, x)
    assert_same_bits(layer.backward(tape, x), x)


def test_inference_gives_x_and_draws_nothing(dtype, rng):
    """Without a copy, so y cannot be written to; x can, as before."""
    layer, other = (fr.Dropout(0.5, dtype=dtype, seed=0) for _ in range(2))
    x = rng.standard_normal((50, 4)).astype(dtype)
    y = layer(x)
    assert_same_bits(y, x)
    assert np.shares_memory(y, x) and x.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        y[0] = 0
    assert_same_bits(training(layer, x), training(other, x))


LAYOUTS = {  # name -> (shape, batch_first, axis of time)
    "time first": ((7, 3, 64), False, 0),
    "batch first": ((3, 7, 64), True, 1),
    "unbatched": ((7, 64), False, 0),
    "unbatched, batch first": ((7, 64), True, 0),
}


@pytest.mark.parametrize(("shape", "batch_first", "time"), LAYOUTS.values(), ids=LAYOUTS)
def test_a_mask_shared_by_the_steps(shape, batch_first, time):
    """Each feature of each row is present at every step or at none; rows differ, and so does the next sequence."""
    layer = fr.Dropout(0.5, shared_steps=True, batch_first=batch_first, seed=0)
    x = np.ones(shape, np.float32)
    y, tape = layer.forward(x)
    first = y.take([0], time)
    assert_same_bits(y, np.repeat(first, 7, time))
    assert set(first.ravel().tolist()) == {0.0, 2.0}
    if len(shape) == 3:
        rows = first.squeeze(time)
        assert (rows[0] != rows[1]).any() and (rows[1] != rows[2]).any()
    assert_same_bits(layer.backward(tape, x), y)
    assert (training(layer, x) != y).any()


def test_a_mask_for_each_step():
    """The default: two steps have different masks."""
    y = training(fr.Dropout(0.5, seed=0), np.ones((2, 3, 64), np.float32))
    assert (y[0] != y[1]).any()


def test_an_empty_sequence_shares_a_mask():
    layer = fr.Dropout(0.5, shared_steps=True)
    y, tape = layer.forward(np.ones((0, 3, 4), np.float32))
    assert y.shape == layer.backward(tape, y).shape == (0, 3, 4)


@pytest.mark.parametrize("shared_steps", [False, True])
def test_gradients_match_central_differences(shared_steps, rng):
    """Under one mask: a copy draws what the original is about to draw."""
    layer = fr.Dropout(0.5, shared_steps=shared_steps, dtype=np.float64, seed=0)
    x, dy = rng.standard_normal((2, 4, 3, 5))
    unused = copy.deepcopy(layer)
    dx = layer.backward(layer.forward(x)[1], dy)
    assert 0 < np.count_nonzero(dx) < dx.size
    assert_slopes(dx, lambda: (training(copy.deepcopy(unused), x) * dy).sum(), x, "x")


def test_what_is_not_finite_is_not_hidden():
    """NaN stays NaN, a dropped infinity becomes NaN, the other elements do not change, and nothing warns."""
    x = np.array([np.nan, np.inf, -np.inf, 1] * 100, np.float32)
    nan, up, down, one = training(fr.Dropout(0.5, seed=0), x).reshape(100, 4).T
    assert np.isnan(nan).all()
    for result, stays in ((up, np.inf), (down, -np.inf)):
        assert 20 < np.isnan(result).sum() < 80 and (result[~np.isnan(result)] == stays).all()
    assert set(one.tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a Sequential"])
def test_a_copy_draws_the_next_masks(duplicate, inside):
    """It continues with the numbers of the original, and neither takes numbers from the other."""
    make = lambda: fr.Sequential(fr.Dropout(seed=0)) if inside else fr.Dropout(seed=0)  # noqa: E731
    layer, other, x = make(), make(), np.ones((5, 8), np.float32)
    expected = [training(other, x) for _ in range(3)]
    assert (expected[0] != expected[1]).any() and (expected[1] != expected[2]).any()
    assert_same_bits(training(layer, x), expected[0])
    clone = duplicate(layer)
    for k in (1, 2):
        assert_same_bits(training(clone, x), expected[k])
    for k in (1, 2):
        assert_same_bits(training(layer, x), expected[k])


def test_the_seed_decides_the_masks():
    """The same seed gives the same masks; without a seed they differ each time. Two layers never share a generator."""
    x = np.ones((8, 8), np.float32)
    one, same, other = (training(fr.Dropout(seed=seed), x) for seed in (0, 0, 1))
    assert_same_bits(one, same)
    assert (one != other).any()
    assert (training(fr.Dropout(), x) != training(fr.Dropout(), x)).any()
    generator = np.random.default_rng(0)
    assert (training(fr.Dropout(seed=generator), x) != training(fr.Dropout(seed=generator), x)).any()


def test_pytorch_scales_alike():
    """The elements that stay and their gradients are the same; which ones stay is random."""
    torch = pytest.importorskip("torch")
    x = np.linspace(1, 2, 1000, dtype=np.float32)
    provided = torch.from_numpy(x.copy()).requires_grad_()
    theirs = torch.nn.Dropout(0.3)(provided)
    theirs.sum().backward()
    layer = fr.Dropout(0.3, seed=0)
    y, tape = layer.forward(x)
    dx, theirs = layer.backward(tape, np.ones_like(x)), theirs.detach().numpy()
    both = (y != 0) & (theirs != 0)
    assert both.sum() > 300
    np.testing.assert_array_max_ulp(y[both], theirs[both], 2)  # a quotient and a product
    np.testing.assert_array_max_ulp(dx[both], provided.grad.numpy()[both], 2)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"p": 1}, ValueError, ["p: expected a probability in [0, 1)", "got 1"]),
        ({"p": -0.1}, ValueError, ["p: expected a probability", "got -0.1"]),
        ({"p": float("nan")}, ValueError, ["p: expected a probability", "got nan"]),
        ({"p": "0.5"}, TypeError, ["p: expected a probability", "got '0.5'"]),
        ({"p": None}, TypeError, ["p: expected a probability", "got None"]),
        ({"shared_steps": 1}, TypeError, ["shared_steps: expected True or False", "got 1"]),
        ({"batch_first": None}, TypeError, ["batch_first: expected True or False", "got None"]),
        ({"seed": -1}, ValueError, ["seed: expected an integer", "got -1"]),
        ({"dtype": int}, TypeError, ["dtype: expected np.float32 or np.float64"]),
    ],
    ids=str,
)
def test_bad_options_are_refused(options, error, words):
    with refused(error, *words):
        fr.Dropout(**options)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.ones((2, 3)), TypeError, ["x: expected float32", "got float64"]),
        (np.ones((2, 3), int), TypeError, ["x: expected float32", "got int64"]),
        (None, TypeError, ["x: expected float32", "got None"]),
        (np.ones(3, np.float32), ValueError, ["x: expected (T, N, F) or (T, F)", "got (3,)"]),
        (np.ones((2, 2, 2, 3), np.float32), ValueError, ["x: expected (T, N, F) or (T, F)", "got (2, 2, 2, 3)"]),
    ],
    ids=["double", "integers", "None", "vector", "four axes"],
)
def test_bad_input_is_refused(x, error, words):
    layer = fr.Dropout(shared_steps=True)
    for method in (layer, layer.forward):
        with refused(error, *words):
            method(x)


def test_batch_first_is_in_the_message():
    with refused(ValueError, "x: expected (N, T, F) or (T, F), got (3,)"):
        fr.Dropout(shared_steps=True, batch_first=True)(np.ones(3, np.float32))


def test_after_a_refused_gradient_the_tape_still_works():
    layer, x = fr.Dropout(seed=0), np.ones((2, 4), np.float32)
    y, tape = layer.forward(x)
    with refused(ValueError, "dy: expected (2, 4)", "got (4, 2)"):
        layer.backward(tape, x.T)
    with refused(TypeError, "dy: expected float32", "got float64"):
        layer.backward(tape, x.astype(np.float64))
    assert_same_bits(layer.backward(tape, x), y)
