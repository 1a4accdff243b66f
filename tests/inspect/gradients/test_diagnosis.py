# SPDX-License-Identifier: BSD-3-Clause
"""The report in words states what the test built in."""

import re

import numpy as np
import pytest
from support.layers import mixed_model, refused

import fastrnn as fr
from fastrnn.inspect import diagnose, jacobian_norms

T = 60


def linear(gain):
    """Gradients of which a step leaves exactly `gain`."""
    return fr.init.orthogonal(fr.RNN(2, 8, nonlinearity="identity", bias=False, dtype=np.float64), gain=gain, seed=0)


@pytest.fixture
def x(rng):
    return rng.standard_normal((T, 3, 2))


@pytest.mark.parametrize(
    "gain, verdict, passed", [(0.8, "vanish", 31), (0.95, "fade", None), (1.0, "last", None), (1.3, "explode", 27)]
)
def test_the_verdict_and_where(gain, verdict, passed, x):
    """0.8**31 < 1e-3 < 0.8**30, and 1.3**27 > 1e3 > 1.3**26."""
    (result,) = diagnose(linear(gain), x).findings
    assert (result.name, result.kind, result.verdict, result.passed) == ("l0", "RNN", verdict, passed)
    np.testing.assert_allclose(result.norms, gain ** np.arange(T + 1.0), rtol=1e-10)
    np.testing.assert_allclose(result.factor, gain, rtol=1e-12)
    np.testing.assert_allclose(result.memory, -1 / np.log(gain) if gain < 1 else np.inf, rtol=1e-10)


def test_the_words(x):
    assert str(diagnose(linear(0.8), x)).splitlines() == [
        "l0 (RNN): gradients vanish.",
        "    60 steps back a gradient has kept 1.5e-06 of its norm, a factor of 0.8 per step; "
        "it has fallen to 1/e after 4.5 steps, to a thousandth after 31.",
        "    - fr.LSTM or fr.GRU instead: a state that is kept until a gate clears it",
        "    - fr.init.orthogonal(layer): recurrent weights that preserve the norm of a gradient",
        "    - omega=1.0: a regularizer that asks gradients to keep their norm",
        "    - leak=0.033: leaky units, which keep most of a state at every step",
        "    - fr.MeanPool or fr.Attention after it: a path to the output from every step",
    ]
    assert str(diagnose(linear(0.95), x)).splitlines() == [
        "l0 (RNN): gradients fade.",
        "    60 steps back a gradient has kept 0.046 of its norm, a factor of 0.95 per step; "
        "it has fallen to 1/e after 19.5 steps.",
    ]
    assert str(diagnose(linear(1.0), x)).splitlines() == [
        "l0 (RNN): gradients last.",
        "    60 steps back a gradient has kept 1 of its norm, a factor of 1 per step; it never falls to 1/e.",
    ]
    assert str(diagnose(linear(1.3), x)).splitlines()[:3] == [
        "l0 (RNN): gradients explode.",
        "    60 steps back a gradient has grown 6.9e+06 times, a factor of 1.3 per step; "
        "it has grown a thousand times after 27 steps.",
        "    - fr.clip_grad_norm(model, max_norm=1.0) before the optimizer's step",
    ]


def test_every_remedy_exists(x):
    """Names of functions that exist, and options that the layers take."""
    options = {"input_size": 2, "hidden_size": 8, "dtype": np.float64, "seed": 0}
    layers = [
        fr.RNN(**options), fr.RNN(nonlinearity="relu", **options), fr.LSTM(**options), fr.GRU(**options),
        linear(1.3), linear(30.0),
    ]  # fmt: skip
    layers[-1].params["weight_hh_l0"][:] *= 1e10
    seen = [remedy for layer in layers for remedy in diagnose(layer, x).findings[0].remedies]
    assert len(set(seen)) >= 11
    for remedy in seen:
        for name in re.findall(r"fr\.([\w.]+)", remedy):
            thing = fr
            for part in name.split("."):
                thing = getattr(thing, part)
            assert callable(thing)
        if option := re.match(r"(\w+)=([^:]+):", remedy):
            fr.RNN(2, 3, **{option[1]: eval(option[2])})


@pytest.mark.parametrize("kind", [fr.LSTM, fr.GRU])
def test_the_remedy_helps(kind, x):
    """New gated layers forget; with the first remedy their gradients last."""
    layer = kind(2, 16, dtype=np.float64, seed=0)
    before = diagnose(layer, x).findings[0]
    assert before.verdict == "vanish" and before.remedies[0].startswith("fr.init.chrono(layer, T_max=60)")
    after = diagnose(fr.init.chrono(layer, T_max=60, seed=0), x).findings[0]
    assert after.verdict != "vanish" and after.memory > 3 * before.memory


def test_gradients_that_vanish_between_layers():
    x = np.random.default_rng(0).standard_normal((5, 3, 2))
    deep = diagnose(fr.LSTM(2, 8, 12, dtype=np.float64, seed=0), x)
    assert deep.depth < 1e-3 and f"{deep.depth:.1e} of the gradient at l11 arrives at l0" in str(deep)
    assert "fr.Residual(layer)" in str(deep)
    shallow = diagnose(fr.LSTM(2, 8, 2, dtype=np.float64, seed=0), x)
    assert 1e-3 < shallow.depth < 1 and "Between" not in str(shallow)


def test_states_that_overflow(x):
    layer = linear(1.0)
    layer.params["weight_hh_l0"][:] *= 1e9
    (result,) = diagnose(layer, x).findings
    assert (
        result.verdict == "overflow"
        and np.isnan(result.factor)
        and str(result).startswith("l0 (RNN): the states overflow")
    )


def test_the_longest_rows_are_used(rng):
    """The finding has their geometric mean."""
    model, x = mixed_model(np.float64), rng.standard_normal((T, 4, 3))
    lengths = [T, 5, 0, T]
    result = diagnose(model, x, lengths).findings
    norms = jacobian_norms(model, x, lengths)
    assert [finding.name for finding in result] == list(norms)
    for finding in result:
        expected = np.sqrt(norms[finding.name][:, 0] * norms[finding.name][:, 3])
        np.testing.assert_allclose(finding.norms, expected, rtol=1e-12)


def test_bad_input_is_refused(x):
    with refused(ValueError, "model: expected one with a recurrent layer in it"):
        diagnose(fr.Linear(2, 2), x)
    with refused(ValueError, "x: expected finite values, got nan or inf"):
        diagnose(linear(1.0), np.where(np.arange(T)[:, None, None] == 7, np.nan, x))
    with refused(ValueError, "x: expected finite values, got rows of length 0"):
        diagnose(linear(1.0), x, [0, 0, 0])
    with refused(ValueError, "x: expected at least one step"):
        diagnose(linear(1.0), x[:0])
