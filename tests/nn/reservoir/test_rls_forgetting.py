# SPDX-License-Identifier: BSD-3-Clause
"""Recursive least squares that forgets, against the exact solution of the problem that its docstring states."""

import math
from decimal import Decimal

import numpy as np
import pytest
from support.least_squares import exact_ridge

import fastrnn as fr

STEPS, QUIET = 400, 350
# Of the largest weight. float64: correlations have a condition of up to 1e10 (100 steps over a ridge of 1e-6 / e), its
# root costs five of 16 digits. float32: the readout is computed in float64 and rounded once.
CLOSE = {np.float64: 1e-10, np.float32: 1e-7}


def after(steps, values):
    """Values, after a quiet time."""
    return np.where(np.arange(STEPS) < steps, 0.3, values)


SIGNALS = {
    "zero": np.zeros(STEPS),
    "constant": np.full(STEPS, 0.5),
    "two levels": np.where(np.arange(STEPS) // 50 % 2, 0.7, -0.3),
    "a change after quiet": after(QUIET, np.sin(0.3 * np.arange(STEPS))),
    "a step after quiet": after(QUIET, -0.8),
    "sine": np.sin(0.2 * np.arange(STEPS)),
    "noise with an offset": 100 + np.random.default_rng(0).standard_normal(STEPS),
}


def ridges(steps, features, forgetting, delta):
    """Of each weight, as the docstring says: forgotten, and set back to delta for m of them in turn."""
    ridge, turns = [Decimal(delta)] * features, min(features, math.ceil(features * math.log(1 / forgetting)))
    for step in range(1, steps):
        ridge = [Decimal(forgetting) * value for value in ridge]
        for turn in range((step - 1) * turns, step * turns):
            ridge[turn % features] = Decimal(delta)
    return ridge


def exact(esn, x, y, forgetting, delta):
    """The readout after all steps."""
    features = esn.features(x)[0][esn.washout :]
    steps = len(features)
    counts = [Decimal(forgetting) ** k for k in reversed(range(steps))]
    return exact_ridge(features, y[esn.washout :], ridges(steps, features.shape[1], forgetting, delta), counts)


def assert_exact(esn, expected, what):
    result = np.concatenate([esn.params["bias"][:, None], esn.params["weight"]], axis=1)
    assert np.abs(result - expected).max() <= CLOSE[esn.dtype.type] * np.abs(expected).max(), what


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=SIGNALS)
@pytest.mark.parametrize("forgetting", [0.5, 0.9, 0.99, 0.999, 1.0])
@pytest.mark.parametrize("dtype", CLOSE)
def test_weights_are_exact_all_along(dtype, forgetting, signal):
    """At the first steps, in quiet, just after it and at the end; predictions too come from weights of such sizes."""
    x = signal[:, None].astype(dtype)
    y = np.stack([np.roll(signal, 1), np.cos(signal)], axis=1).astype(dtype)
    esn = fr.EchoState(1, 3, output_size=2, washout=5, dtype=dtype, seed=0)
    rls, done = fr.RLS(esn, forgetting), 0
    for stop in (8, QUIET, QUIET + 3, STEPS):
        assert np.isfinite(rls.update(x[done:stop], y[done:stop])).all()
        assert_exact(esn, exact(esn, x[:stop], y[:stop], forgetting, 1e-6), f"after {stop} steps")
        done = stop


@pytest.mark.parametrize("forgetting", [0.9, 0.99])
@pytest.mark.parametrize("dtype", CLOSE)
def test_a_long_quiet_time_leaves_no_trace(dtype, forgetting):
    """8000 constant steps, by which an unbounded P would have grown by 10^35 and more, then a sine."""
    x = np.concatenate([np.full(8000, 0.3), np.sin(0.3 * np.arange(60))])[:, None].astype(dtype)
    esn = fr.EchoState(1, 2, dtype=dtype, seed=0)
    rls, y = fr.RLS(esn, forgetting), np.roll(x, 2, axis=0)
    outputs = rls.update(x[:8000], y[:8000])
    np.testing.assert_allclose(outputs[-1000:], 0.3, rtol=1e-6)
    rls.update(x[8000:], y[8000:])
    recent, ages = slice(-2000, None), ridges(len(x), 3, forgetting, 1e-6)
    counts = [Decimal(forgetting) ** k for k in reversed(range(2000))]  # earlier ones repeat what these say
    assert_exact(esn, exact_ridge(esn.features(x)[0][recent], y[recent], ages, counts), "after the sine")


@pytest.mark.parametrize("forgetting", [0.05, 0.5, 0.9, 0.99, 0.9999])
@pytest.mark.parametrize("units", [1, 6, 40])
def test_the_ridge_stays_within_a_factor_of_e(units, forgetting, rng):
    """After every step, of every weight."""
    rls = fr.RLS(fr.EchoState(1, units, seed=0), forgetting, delta=2.0)
    for x in rng.uniform(-1, 1, (100, 1)).astype(np.float32):
        rls.update(x, x)
        assert 2 / math.e < rls._ridge.min() <= rls._ridge.max() <= 2


def test_the_ridge_holds_the_first_weights_and_not_0(rng):
    """Started from weights of its own, it is the solution for the rest of the targets, which is added to them."""
    x, y = rng.uniform(-1, 1, (200, 1)), rng.standard_normal((200, 2))
    esn = fr.EchoState(1, 3, output_size=2, dtype=np.float64, seed=0)
    first = rng.standard_normal((2, 4))
    esn.params["weight"] = first
    rest = y - esn.features(x)[0] @ first.T
    expected = exact(esn, x, rest, 0.98, 0.5)
    expected[:, 1:] += first
    fr.RLS(esn, 0.98, 0.5).update(x, y)
    assert_exact(esn, expected, "weights")
