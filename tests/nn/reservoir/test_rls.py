# SPDX-License-Identifier: BSD-3-Clause
"""Recursive least squares."""

import pickle

import numpy as np
import pytest
from support.layers import assert_same_bits, refused, snapshot

import fastrnn as fr

T, WASHOUT = 120, 20


def make(**options):
    return fr.EchoState(2, 15, output_size=3, **({"washout": WASHOUT, "dtype": np.float64, "seed": 0} | options))


@pytest.fixture
def series(rng):
    x = rng.uniform(-1, 1, (T, 2))
    return x, np.stack([x[:, 0] * x[:, 1], np.roll(x[:, 0], 1), np.roll(x[:, 1], 2)], axis=1)


@pytest.mark.parametrize("delta", [1e-6, 1e-2, 10.0])
def test_without_forgetting_it_arrives_at_ridge_regression(delta, series):
    """The same normal equations: P is (X^T X + delta I)^-1 all the way."""
    x, y = series
    online, expected = make(), make().fit(x, y, ridge=delta).params
    fr.RLS(online, delta=delta).update(x, y)
    for name in expected:
        error = np.abs(online.params[name] - expected[name]).max()
        assert error <= 1e-6 * np.abs(expected["weight"]).max(), name  # a condition of up to 1e8, in float64


def test_it_starts_from_the_current_weights(series):
    """delta keeps them there: with a large one hardly any changes. The bias is free to follow the targets."""
    x, y = series
    esn = make().fit(x, y)
    before = snapshot(esn.params)
    error = (esn.predict(x) - y)[WASHOUT:].mean(axis=0)
    fr.RLS(esn, delta=1e9).update(x, y + 1)
    assert 0 < np.abs(esn.params["weight"] - before["weight"]).max() < 1e-6
    np.testing.assert_allclose(esn.params["bias"], before["bias"] + 1 - error, atol=1e-6)


def test_an_output_comes_from_the_readout_before_it_learns(series):
    """The first steps, too, which are washed out and change nothing."""
    x, y = series
    esn = make().fit(x, y)
    expected, before = esn.predict(x), snapshot(esn.params)
    rls = fr.RLS(esn)
    first = rls.update(x[: WASHOUT + 1], 2 * y[: WASHOUT + 1])
    np.testing.assert_allclose(first, expected[: WASHOUT + 1], atol=1e-9)
    assert (esn.params["bias"] != before["bias"]).any()
    assert_same_bits(esn.params["weight"], before["weight"])  # a single sample says nothing about slopes
    expected = esn.predict(x)[WASHOUT + 1]
    np.testing.assert_allclose(rls.update(x[WASHOUT + 1], 2 * y[WASHOUT + 1]), expected, atol=1e-9)
    assert (esn.params["weight"] != before["weight"]).any()


def test_steps_and_blocks_teach_the_same_bits(dtype, series):
    """One by one or together; the state continues."""
    x, y = (array.astype(dtype) for array in series)
    whole, stepwise = make(dtype=dtype), make(dtype=dtype)
    expected, rls = fr.RLS(whole).update(x, y), fr.RLS(stepwise)
    result = np.stack([rls.update(x[t], y[t]) for t in range(50)] + list(rls.update(x[50:], y[50:])))
    assert_same_bits(result, expected)
    for name in whole.params:
        assert_same_bits(stepwise.params[name], whole.params[name])


def test_reset_begins_another_sequence(series):
    """A state of zero and a washout: two sequences one after another are a list of two."""
    x, y = series
    online, expected = make(), make().fit([x[:70], x[70:]], [y[:70], y[70:]], ridge=1e-3).params
    rls = fr.RLS(online, delta=1e-3)
    rls.update(x[:70], y[:70])
    rls.reset()
    rls.update(x[70:], y[70:])
    np.testing.assert_allclose(online.params["weight"], expected["weight"], atol=1e-8)


def test_forgetting_follows_a_change(series):
    """When the target changes its sign, the one that forgets has learned it some steps later."""
    x, _ = series
    y = np.tile(x[:, :1], (6, 1)) * np.repeat([1.0, -1.0], 3 * T)[:, None]
    error = {}
    for forgetting in (1.0, 0.95):
        rls = fr.RLS(fr.EchoState(2, 15, output_size=1, dtype=np.float64, seed=0), forgetting)
        error[forgetting] = np.abs(rls.update(np.tile(x, (6, 1)), y) - y)[-10:].max()
    assert error[0.95] < 1e-2 < 0.5 < error[1.0]


@pytest.mark.parametrize("forgetting", [1.0, 0.99])
def test_inputs_that_leave_directions_open_do_no_harm(forgetting):
    """A sine, and an input that is always 0, for 6000 steps: what is left of the error is the work of the ridge."""
    x = np.stack([np.sin(0.2 * np.arange(6001)), np.zeros(6001)], axis=1)
    esn = fr.EchoState(2, 40, washout=WASHOUT, dtype=np.float64, seed=0)
    y = fr.RLS(esn, forgetting, delta=1e-9).update(x[:-1], x[1:])
    assert np.abs(y - x[1:])[-1000:].max() < 1e-5
    assert np.abs(esn.params["weight"]).max() < 10


def test_an_empty_update_changes_nothing(series):
    esn = make()
    assert fr.RLS(esn).update(np.empty((0, 2)), np.empty((0, 3))).shape == (0, 3)
    assert not esn.params["weight"].any()


BAD = {
    "another layer": (lambda: fr.RLS(fr.RNN(2, 3)), TypeError, "layer: expected an EchoState, got RNN"),
    "forgetting all": (lambda: fr.RLS(make(), 0.0), ValueError, "forgetting_factor: expected a number in (0, 1]"),
    "growing": (lambda: fr.RLS(make(), 1.01), ValueError, "forgetting_factor: expected a number in (0, 1], got 1.01"),
    "no delta": (lambda: fr.RLS(make(), delta=0), ValueError, "delta: expected a finite number above 0"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD)
def test_bad_arguments_are_refused(case):
    make, error, message = case
    with refused(error, message):
        make()


def test_bad_steps_are_refused_and_teach_nothing(series):
    """Shapes, dtypes, NaN: the readout, P and the state are as before."""
    x, y = series
    esn = make()
    rls, clean = fr.RLS(esn), fr.RLS(make())
    for bad_x, bad_y, error, message in (
        (x[:, :1], y, ValueError, "x: expected (T, 2) or (2,), got (120, 1)"),
        (x[None], y[None], ValueError, "x: expected (T, 2) or (2,), got (1, 120, 2)"),
        (x, y[1:], ValueError, "y: expected (120, 3), a target for each step of x, got (119, 3)"),
        (x[0], y[:1], ValueError, "y: expected (3,), a target for each step of x, got (1, 3)"),
        (x.astype(np.float32), y, TypeError, "x: expected float64"),
        (x, y + np.nan, ValueError, "y: expected finite numbers"),
        (np.where(x == x[30], np.inf, x), y, ValueError, "x: expected finite numbers"),
        (x * 1e101, y, ValueError, "x: expected numbers up to 1e+100, got larger ones"),
        (x, y * 1e101, ValueError, "y: expected numbers up to 1e+100, got larger ones"),
    ):
        with refused(error, message):
            rls.update(bad_x, bad_y)
    assert_same_bits(rls.update(x, y), clean.update(x, y))


def test_it_shows_its_options():
    layer = fr.EchoState(1, 3)
    assert repr(fr.RLS(layer, delta=0.5)) == f"RLS({layer!r}, forgetting_factor=1.0, delta=0.5)"


def test_an_update_during_another_is_refused():
    """From a second thread, whatever it was given; afterwards it goes on, and so does a copy."""
    esn = fr.EchoState(1, 10, seed=0)
    rls, x = fr.RLS(esn), np.ones((3, 1), np.float32)
    with rls._exclusive, refused(RuntimeError, "RLS: expected one update at a time, got another from a second thread"):
        rls.update(x, x)
    first = rls.update(x, x)
    assert_same_bits(pickle.loads(pickle.dumps(rls)).update(x, x), rls.update(x, x))
    assert first.shape == x.shape
