# SPDX-License-Identifier: BSD-3-Clause
"""The way back of attention, where some queries have no gradient: they are not there, whatever they hold."""

import numpy as np
import pytest
from support import attention as oracle
from support.attention import KINDS, problem, same_bits
from support.tolerance import assert_close

SIZES = [(9, 4, 10, 18, 7), (3, 3, 6, 5, 33), (40, 2, 5, 16, 16)]  # S, N, T, K, M
NAMES = "dscores", "dquery", "dkeys", "dvalues", "dv"


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def without_some(given, rng):
    """The queries (S, N) of a problem that have no gradient from now on; their zeros have either sign."""
    gone = rng.random(given.sizes[:2]) < 0.5
    gone[:, 1] = gone[0, 0] = gone[-1, 0] = True  # all of a row, and in another the first and the last
    gone[1, 0] = False
    for upstream in (given.dcontext, given.dweights):
        upstream[gone] = np.where(rng.random(upstream[gone].shape) < 0.5, 0.0, -0.0)
    for n, end in enumerate(given.lengths):
        given.dweights[:, n, end:] = np.nan  # which is not read
    return gone


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_what_they_hold_is_not_read(sizes, kind, isa, dtype, rng):
    """Neither the query nor its weights, which are NaN then: the bits of zeros, on one thread and two."""
    given = problem(rng, sizes, kind, "ragged", dtype)
    gone = without_some(given, rng)
    given.query[gone] = 0
    weights = given.forward()[1]
    expected = given.backward(weights)
    assert not expected[0][gone].any() and not expected[1][gone].any()
    oracles = oracle.backward((given.query, weights), (given.dcontext, given.dweights), *given.memory)
    for name, ours, theirs in zip(NAMES, expected, oracles, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert_close(ours, theirs, dtype, backward=True, terms=np.prod(sizes), steps=2, what=name)
    for value in (np.nan, np.inf, -np.inf):
        given.query[gone] = value
        spoilt = given.forward()[1]
        spoilt[gone] = np.nan
        for threads in (1, 2):
            same_bits(given.backward(spoilt, threads), expected)


def test_the_others_have_the_bits_that_they_have_alone(kind, isa, dtype, rng):
    """Wherever those without a gradient stand between them."""
    given = problem(rng, SIZES[0], kind, "ragged", dtype)
    gone = without_some(given, rng)
    given.query[gone] = np.nan
    results = given.backward(given.forward()[1])
    for n in range(SIZES[0][1]):
        there, row = ~gone[:, n], slice(n, n + 1)
        one = problem(rng, (there.sum(), 1, *SIZES[0][2:]), kind, "full", dtype)
        one.keys, one.values, one.v, one.lengths = given.keys[row], given.values[row], given.v, given.lengths[row]
        one.query, one.dcontext, one.dweights = (a[there, row] for a in (given.query, given.dcontext, given.dweights))
        dscores, dquery, *others = one.backward(one.forward()[1])
        same_bits((dscores, dquery), [a[there, row] for a in results[:2]])
        same_bits(others, [None if a is None else a[row] for a in results[2:]])


def test_a_gradient_of_either_is_one(kind, isa, dtype):
    """Of the context alone, of the weights alone, and in the last element alone; NaN is one, too."""
    given = problem(np.random.default_rng(0), (6, 1, 5, 20, 21), kind, "full", dtype)
    given.dcontext[:4], given.dweights[[0, 2, 3, 4]] = 0, 0
    given.dcontext[2, 0, -1], given.dweights[3, 0, -1] = 1, 1
    given.dcontext[5, 0, -1] = np.nan
    dscores, dquery, *_ = given.backward(given.forward()[1])
    np.testing.assert_array_equal(dscores.any(axis=(1, 2)), [False, True, True, True, True, True])
    np.testing.assert_array_equal(dquery.any(axis=(1, 2)), [False, True, True, True, True, True])
    np.testing.assert_array_equal(np.isnan(dquery).any(axis=(1, 2)), [False] * 5 + [True])
