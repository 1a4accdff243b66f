# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the optimizers in C: to the bit what NumPy computes line by line, on every engine and any threads."""

import numpy as np
import pytest

from fastrnn import _core

NUMBERS = {"rate": 0.3, "beta1": 0.9, "beta2": 0.75, "root": 0.7, "eps": 1e-3}
DECAYS = {"plain": {}, "penalty": {"decay": 0.125}, "decoupled": {"keep": 0.99}}
MOMENTA = {"no momentum": {}, "momentum": {"momentum": 0.7}, "nesterov": {"momentum": 0.7, "nesterov": True}}
MOMENTS = {"plain": "", "adagrad": "s", "rmsprop": "s", "rmsprop_centered": "ms", "adam": "ms"}


def in_numpy(rule, p, g, m, s, v, rate, beta1, beta2, root, eps, keep=1.0, decay=0.0, momentum=0.0, nesterov=False):
    """One step, in place. Python's floats leave the arrays their dtype: each operation is rounded to it."""
    g = g + p * decay
    if rule == "adagrad":
        s += g * g
    elif s is not None:
        s[...] = s * beta2 + g * g * (1 - beta2)
    if m is not None:
        m[...] = m * beta1 + g * (1 - beta1)
    u = {
        "plain": lambda: g,
        "adagrad": lambda: g / (np.sqrt(s) + eps),
        "rmsprop": lambda: g / (np.sqrt(s) + eps),
        "rmsprop_centered": lambda: g / (np.sqrt(np.maximum(s - m * m, 0)) + eps),
        "adam": lambda: m / (np.sqrt(s) / root + eps),
    }[rule]()
    if v is not None:
        v[...] = v * momentum + u
        u = v * momentum + u if nesterov else v
    p[...] = p * keep - u * rate


def arrays(rule, n, dtype, velocity, rng):
    """p, g and what the rule remembers: a mean, a mean of squares that is more than its square or less, a velocity."""
    p, g, m, v = (rng.standard_normal(n).astype(dtype) for _ in range(4))
    has = MOMENTS[rule]
    return [
        p,
        g,
        m if "m" in has else None,
        rng.random(n).astype(dtype) if "s" in has else None,
        v if velocity else None,
    ]


def update(rule, given, threads, **numbers):
    """One step of one parameter."""
    assert _core.update([(_core.Rule(rule, **numbers), *given)], threads)


def copies(given):
    return [None if array is None else array.copy() for array in given]


def assert_same_bits(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a.view(f"i{a.itemsize}"), b.view(f"i{b.itemsize}"))


@pytest.mark.parametrize("momentum", MOMENTA.values(), ids=MOMENTA)
@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
@pytest.mark.parametrize("rule", MOMENTS)
def test_it_is_what_numpy_computes(rule, decay, momentum, isa, dtype, rng):
    """Three steps, of sizes around those of the vectors."""
    assert MOMENTS.keys() == _core.RULES.keys()
    for n in (0, 1, 3, 16, 17, 70):
        given = arrays(rule, n, dtype, momentum, rng)
        wanted = copies(given)
        for _ in range(3):
            update(rule, given, 1, **NUMBERS, **decay, **momentum)
            in_numpy(rule, *wanted, **NUMBERS, **decay, **momentum)
        assert_same_bits(given, wanted)


@pytest.mark.parametrize("rule", MOMENTS)
def test_the_same_bits_on_any_number_of_threads(rule, isa, dtype, rng):
    """With more elements than a thread needs to be worth its while."""
    given = arrays(rule, 2**17 + 5, dtype, True, rng)
    ways = [copies(given) for _ in range(3)]
    for threads, way in enumerate(ways, start=1):
        update(rule, way, threads, **NUMBERS, momentum=0.7)
    assert_same_bits(ways[1], ways[0])
    assert_same_bits(ways[2], ways[0])


def test_the_bits_of_a_parameter_do_not_depend_on_the_others(isa, rng):
    """Parameters of both number types, of no element, of few and of many, each with a rule and numbers of its own."""
    parameters = []
    for k, n in enumerate((3, 2**16 + 1, 0, 40, 70, 2**16, 1, 17)):
        rule, dtype = [*MOMENTS][k % len(MOMENTS)], (np.float32, np.float64)[k // 3 % 2]
        numbers = NUMBERS | {"rate": 0.1 + k, "momentum": 0.7, "nesterov": bool(k % 2)}
        parameters.append((_core.Rule(rule, **numbers), *arrays(rule, n, dtype, True, rng)))
    alone = [(rule, *copies(given)) for rule, *given in parameters]
    for one in alone:
        assert _core.update([one], 1)
    for threads in (1, 2, 3):
        together = [(rule, *copies(given)) for rule, *given in parameters]
        assert _core.update(together, threads)
        for one, other in zip(together, alone, strict=True):
            assert_same_bits(one[1:], other[1:])


def test_all_parameters_are_updated_or_none(dtype, rng):
    given = arrays("adam", 40, dtype, False, rng)
    before, rule = copies(given), _core.Rule("adam", **NUMBERS)
    for odd in (None, given[3][::2], given[3][:-1], given[3].astype(np.float16)):
        assert not _core.update([(rule, *given), (rule, *given[:3], odd, None)], 1)
        assert_same_bits(given, before)
    assert _core.update([], 1)


def test_a_rule_has_numbers_that_there_are():
    with pytest.raises(TypeError, match="^Rule: expected rate and some of keep, decay, .*, got eps"):
        _core.Rule("adam", eps=1e-3)
    with pytest.raises(TypeError, match="^Rule: expected rate and some of keep, .*, got rate, gamma"):
        _core.Rule("adam", rate=1.0, gamma=1.0)
    with pytest.raises(KeyError, match="adamw"):
        _core.Rule("adamw", rate=1.0)
    with pytest.raises(TypeError):
        _core.update([("adam", *np.ones((5, 3)))], 1)


def test_nothing_beside_the_arrays_is_touched(isa, dtype, rng):
    for n in range(1, 40):
        buffers = [rng.standard_normal(n + 64).astype(dtype) for _ in range(5)]
        given, before = [buffer[32:-32] for buffer in buffers], copies(buffers)
        np.abs(given[3], out=given[3])
        update("adam", given, 1, **NUMBERS)
        for buffer, old in zip(buffers, before, strict=True):
            np.testing.assert_array_equal(np.delete(buffer, np.s_[32:-32]), np.delete(old, np.s_[32:-32]))


def test_nan_and_infinity_stay_with_their_elements(isa, dtype, rng):
    """In the gradient and in the parameter, every neighbour has the bits that it has without them."""
    given = arrays("adam", 40, dtype, False, rng)
    clean = copies(given)
    given[1][7], given[1][20], given[0][33] = np.nan, np.inf, -np.inf
    for way in (given, clean):
        update("adam", way, 1, **NUMBERS)
    others = np.delete(np.arange(40), [7, 20, 33])
    assert not np.isfinite(given[0][[7, 20, 33]]).any()
    assert_same_bits(
        [a[others] for a in (given[0], given[2], given[3])], [a[others] for a in (clean[0], clean[2], clean[3])]
    )


def test_denormals_are_flushed(isa, dtype):
    """A mean that has decayed to nothing is 0 and not ever smaller numbers, which would cost a hundred cycles each."""
    tiny = np.finfo(dtype).tiny
    p, g, m, s = np.ones(20, dtype), np.zeros(20, dtype), np.full(20, tiny, dtype), np.full(20, tiny, dtype)
    update("adam", (p, g, m, s, None), 1, **NUMBERS)
    assert not m.any() and not s.any() and (p == 1).all()
