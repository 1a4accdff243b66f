# SPDX-License-Identifier: BSD-3-Clause
"""The sum of squares: in double, in one order, nothing lost."""

import math

import numpy as np
import pytest

from fastrnn import _core


def sum_of_squares(x):
    """As the second of two."""
    first, second = _core.sums_of_squares([np.ones(3), x])
    assert first == 3
    return second


@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 1000, 12345])
def test_it_is_the_sum_of_squares(n, isa, dtype, rng):
    """Against exact arithmetic. Lanes have at most n / 2 terms, each rounded twice."""
    x = rng.standard_normal(n).astype(dtype)
    exact = math.fsum(float(value) ** 2 for value in x)
    assert sum_of_squares(x) == pytest.approx(exact, rel=(n + 2) * 2.0**-53, abs=0)


def test_it_is_accumulated_in_double(isa):
    """In float32 the ones would be lost beside 2^24, and a square of 2^100 is no float32 at all."""
    x = np.ones(2**10 + 1, np.float32)
    x[0] = 2**14
    assert sum_of_squares(x) == 2**28 + 2**10
    assert sum_of_squares(np.full(3, 2.0**100, np.float32)) == 3 * 2.0**200


def test_the_smallest_numbers_count(isa, dtype):
    """A gradient of denormal numbers has a norm: they are not flushed here."""
    tiny = float(np.float32(1e-40)) if dtype == np.float32 else 1e-160
    assert sum_of_squares(np.full(5, tiny, dtype)) == pytest.approx(5 * tiny**2, rel=1e-6, abs=0)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 17, 39])
def test_what_is_not_finite_is_seen(odd, at, isa, dtype):
    x = np.ones(40, dtype)
    x[at] = odd
    assert not math.isfinite(sum_of_squares(x))
