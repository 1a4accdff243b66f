# SPDX-License-Identifier: BSD-3-Clause
"""sigmoid, tanh, selu and exp(-|x|) of every engine: error in ULP, special values, tails.

The oracle is the textbook formula in a wider type: float64 for float32, long double for float64.
Its own error is below 1e-3 ULP of the narrow type and is not allowed for. One ULP is the distance
of the numbers of the narrow type in the binade of the exact result. As the contract has it, only
results that are normal numbers count; a smaller input or result may be flushed to zero.
"""

import functools

import numpy as np
import pytest

from fastrnn import _core

MAX_ULP = 3
WIDE = {"float32": np.float64, "float64": np.longdouble}
INTEGER = {"float32": np.int32, "float64": np.int64}
SATURATED = {"float32": 100, "float64": 750}  # beyond it e^-x is not a normal number
LAMBDA, ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
HARD = [-87.3, -86.99, -708.3, -0.3182164523725324]  # each was once more than 3 ULP off somewhere
ACTS = tuple(_core.ACTS)


def activation(name, x):
    """The engine's result, from an input that cannot be written to."""
    x, y = x.view(), np.full_like(x, 7)
    x.flags.writeable = False
    _core.activation(name, x, y)
    return y


def exact(name, x):
    """The activation in the wider type; inputs that are not normal numbers count as zero."""
    wide = WIDE[x.dtype.name]
    v = np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0, x).astype(wide)
    if name == "sigmoid":
        return 1 / (1 + np.exp(-v))  # nothing cancels; where exp overflows the result is 0
    if name == "tanh":
        return np.tanh(v)
    if name == "exp":
        return np.exp(-np.abs(v))
    scale = wide(LAMBDA)
    return np.where(v > 0, scale * v, scale * wide(ALPHA) * np.expm1(np.minimum(v, 0)))


def ulp(expected, dtype):
    """The distance of neighbouring numbers of dtype at |wanted|."""
    if expected.dtype == np.float64:
        exponent = expected.view(np.int64) & np.int64(0x7FF0_0000_0000_0000)
        return exponent.view(np.float64) * 2.0 ** -np.finfo(dtype).nmant
    one, exponent = expected.dtype.type(1), np.frexp(expected)[1]
    return np.ldexp(one, exponent - 1 - np.finfo(dtype).nmant)


def largest_error(name, x, y, expected):
    """The largest error in ULP and its x. Asserts what holds for every x."""
    assert_in_range(name, x, y)
    info, size = np.finfo(x.dtype), np.abs(expected)
    top = expected.dtype.type(info.max)
    flushed, counts = size < info.tiny, (size >= info.tiny) & (size <= top)
    beyond = size > top * (1 + 4 * float(info.eps))  # nearer to it, rounding decides
    assert not (np.abs(y[flushed]) > 2 * info.tiny).any()  # 2: selu of a denormal, where it is kept
    np.testing.assert_array_equal(y[beyond], np.copysign(np.inf, expected[beyond]))
    x, y, expected = x[counts], y[counts], expected[counts]
    if not x.size:
        return 0.0, None
    error = np.abs(y - expected) / ulp(expected, x.dtype)
    worst = error.argmax()
    return float(error[worst]), x[worst]


def assert_in_range(name, x, y):
    """NaN where and only where x is NaN; no value beyond the limits of the function."""
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    if name == "sigmoid":
        assert not ((y < 0) | (y > 1)).any()
    if name == "tanh":
        assert not (np.abs(y) > 1).any()
    if name == "exp":
        assert not ((y < 0) | (y > 1)).any()


@functools.cache
def sample(dtype_name):
    """About 1e6 numbers: every magnitude, dense where the functions bend, and the seams.

    Every range reduction of an exponential of x or 2x ends at a multiple of ln 2 / 4, and so do
    the thresholds at which e^-x stops being a normal number.
    """
    dtype, integer = np.dtype(dtype_name), INTEGER[dtype_name]
    info, limit, rng = np.finfo(dtype), SATURATED[dtype_name], np.random.default_rng(0)
    low, high = (int(np.array(value, dtype).view(integer)) for value in (info.tiny, info.max))
    magnitudes = np.linspace(low, high, 150_000).astype(integer)  # equally spaced in the logarithm
    magnitudes = np.clip(magnitudes + rng.integers(0, 2000, magnitudes.size, integer), low, high)
    seams = np.arange(1, int(4 * limit / np.log(2))) * np.log(np.longdouble(2)) / 4
    seams = seams.astype(dtype).view(integer)[:, None] + np.arange(-8, 9, dtype=integer)
    spread = rng.uniform(0, limit, 200_000), rng.uniform(0, 4, 200_000)
    parts = [HARD, [info.tiny, info.max], magnitudes.view(dtype), seams.reshape(-1).view(dtype)]
    x = np.concatenate([*parts, *(part.astype(dtype) for part in spread)]).astype(dtype)
    return np.concatenate([x, -x])


@functools.cache
def sample_exact(name, dtype_name):
    with np.errstate(all="ignore"):
        return exact(name, sample(dtype_name))


def need_wider_type(dtype):
    if np.finfo(WIDE[dtype.name]).nmant < np.finfo(dtype).nmant + 10:
        pytest.skip("long double is no wider than float64 here: there is no oracle for float64")


@pytest.mark.parametrize("name", ACTS)
def test_error_in_ulp(isa, dtype, name):
    """At most 3 ULP over a dense sample of all magnitudes and both signs."""
    need_wider_type(dtype)
    x = sample(dtype.name)
    error, where = largest_error(name, x, activation(name, x), sample_exact(name, dtype.name))
    assert error <= MAX_ULP, f"{name} {dtype} on {isa}: {error:.3f} ULP at {where!r}"


def largest_of_all(isa, name, chunks):
    """Assert the bound over many arrays; prints the largest error (shown by pytest -rP)."""
    error, where = 0.0, None
    for x in chunks:
        with np.errstate(all="ignore"):
            expected = exact(name, x)
        result = largest_error(name, x, activation(name, x), expected)
        error, where = max((error, where), result, key=lambda pair: pair[0])
    print(f"{name} {x.dtype} {isa}: {error:.3f} ULP at {where!r}")
    assert error <= MAX_ULP, f"{name} {x.dtype} on {isa}: {error:.3f} ULP at {where!r}"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ACTS)
def test_every_float32(isa, name):
    """At most 3 ULP for every float32 there is."""
    size = 1 << 14  # the arrays of a piece stay in L2
    starts = range(0, 1 << 32, size)
    bits = (np.arange(start, start + size, dtype=np.uint32) for start in starts)
    largest_of_all(isa, name, (part.view(np.float32) for part in bits))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ACTS)
def test_many_float64(isa, name, rng):
    """At most 3 ULP for 10^7 random float64, half of them where the functions bend."""
    need_wider_type(np.dtype(np.float64))
    limits = [SATURATED["float64"], 4] * 20
    largest_of_all(isa, name, (rng.uniform(-limit, limit, 250_000) for limit in limits))


def test_special_values(isa, dtype):
    """Infinities and large numbers saturate exactly, zeros keep their sign, NaN stays NaN."""
    inf, large = np.inf, np.finfo(dtype).max
    x = np.array([0, -0.0, inf, -inf, large, -large, 1000, -1000, np.nan], dtype)
    expected = {
        "sigmoid": [0.5, 0.5, 1, 0, 1, 0, 1, 0, np.nan],
        "tanh": [0, -0.0, 1, -1, 1, -1, 1, -1, np.nan],
        "exp": [1, 1, 0, 0, 0, 0, 0, 0, np.nan],
    }
    for name, values in expected.items():
        y = activation(name, x)
        np.testing.assert_array_equal(y, np.array(values, dtype), err_msg=name)
        np.testing.assert_array_equal(np.signbit(y[:-1]), np.signbit(values[:-1]), err_msg=name)
    y, bottom = activation("selu", x), dtype.type(-float(LAMBDA) * float(ALPHA))
    assert y[0] == y[1] == 0 and not np.signbit(y[0]) and np.signbit(y[1])
    assert y[2] == inf and np.isnan(y[8])
    assert (np.abs(y[[3, 5, 7]] - bottom) <= np.spacing(np.abs(bottom))).all()


@pytest.mark.parametrize("name", ACTS)
def test_denormal_input_counts_as_zero_and_the_mode_is_restored(isa, dtype, name):
    """A kernel flushes denormals, and the thread that called it still computes with them."""
    tiny = np.finfo(dtype).tiny
    y = activation(name, np.array([tiny / 2, -tiny / 2, tiny / 8], dtype))
    np.testing.assert_allclose(y, {"sigmoid": 0.5, "exp": 1}.get(name, 0), rtol=0, atol=tiny)
    assert np.array([tiny], dtype)[0] / dtype.type(4) > 0


@pytest.mark.parametrize("name", ACTS)
def test_tails_have_the_bits_of_the_long_run(isa, dtype, name, rng):
    """Every length 0..129 at every alignment gives the same bits, and nothing beyond is written."""
    x = rng.uniform(-20, 20, 160).astype(dtype)
    x[rng.integers(0, x.size, 6)] = np.nan, np.inf, -np.inf, 0, 90, -90
    long = activation(name, x)
    for n in range(2 * 64 + 2):
        start = n % 17
        y = np.full(n + 34, 7, dtype)
        _core.activation(name, x[start : start + n], y[17 : 17 + n])
        assert y[17 : 17 + n].tobytes() == long[start : start + n].tobytes(), f"length {n}"
        assert (y[:17] == 7).all() and (y[17 + n :] == 7).all(), f"length {n}: written beyond"


@pytest.mark.parametrize("name", ACTS)
def test_in_place(isa, dtype, name, rng):
    """x and y may be the same memory."""
    x = rng.uniform(-20, 20, 77).astype(dtype)
    expected = activation(name, x)
    _core.activation(name, x, x)
    assert x.tobytes() == expected.tobytes()
