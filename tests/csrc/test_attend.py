# SPDX-License-Identifier: BSD-3-Clause
"""Attention in C, on every engine: against NumPy in float64, for any lengths, strides and threads."""

import numpy as np
import pytest
from support import attention as oracle
from support.attention import KINDS, problem, same_bits
from support.tolerance import assert_close, slopes_of

from fastrnn import _core

# S, N, T, K, M: parts of vectors and tiles of every size, and axes of one element or none
SIZES = [
    (1, 1, 1, 1, 1), (2, 3, 5, 4, 6), (5, 2, 9, 17, 33), (3, 4, 18, 16, 64), (37, 2, 35, 31, 5), (4, 2, 3, 130, 144),
    (0, 2, 3, 4, 5), (2, 0, 3, 4, 5), (2, 3, 0, 4, 5),
]  # fmt: skip
LENGTHS = ["full", "ragged"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def copies(given):
    return [array.copy() for array in vars(given).values() if isinstance(array, np.ndarray)]


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_matches_numpy(sizes, kind, lengths, isa, dtype, rng):
    """Forward and back, with and without a gradient of the weights; nothing is written into what is only read."""
    given = problem(rng, sizes, kind, lengths, dtype)
    before = copies(given)
    result = given.forward()
    for ours, theirs in zip(result, oracle.forward(given.query, *given.memory), strict=True):
        assert_close(ours, theirs, dtype, terms=sum(sizes[2:]), steps=1)
    for dweights in (True, False):
        upstream = given.dcontext, given.dweights if dweights else None
        expected = oracle.backward((given.query, result[1]), upstream, *given.memory)
        for name, ours, theirs in zip(
            ("dscores", "dquery", "dkeys", "dvalues", "dv"),
            given.backward(result[1], dweights=dweights),
            expected,
            strict=True,
        ):
            assert (ours is None) == (theirs is None)
            if ours is not None and ours.size:
                assert_close(ours, theirs, dtype, backward=True, terms=np.prod(sizes), steps=2, what=name)
    same_bits(copies(given), before)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_gradients_match_central_differences(kind, lengths, isa, rng):
    given = problem(rng, (3, 3, 5, 6, 4), kind, lengths, np.float64)

    def loss():
        context, weights = given.forward()
        return (context * given.dcontext).sum() + (weights * given.dweights).sum()

    _, dquery, dkeys, dvalues, dv = given.backward(given.forward()[1])
    pairs = [(given.query, dquery), (given.keys, dkeys), (given.values, dvalues)]
    if dv is not None:
        pairs.append((given.v, dv.sum(axis=0)))
    for array, gradient in pairs:
        np.testing.assert_allclose(gradient, slopes_of(loss, array), rtol=0, atol=1e-8)


@pytest.mark.parametrize("sizes", [(40, 13, 37, 30, 65), (1, 300, 50, 33, 12)], ids=str)
def test_the_same_bits_on_any_number_of_threads(sizes, kind, isa, dtype, rng):
    """With more work than a thread needs to be worth its while, and rows of length 0."""
    given = problem(rng, sizes, kind, "ragged", dtype)
    result = given.forward()
    gradients = given.backward(result[1])
    for threads in (2, 3, 5):
        same_bits(given.forward(threads), result)
        same_bits(given.backward(result[1], threads), gradients)


def test_a_row_alone_has_its_bits(kind, isa, dtype, rng):
    """Cut at its end instead of padded."""
    given = problem(rng, (6, 7, 11, 21, 19), kind, "ragged", dtype)
    context, weights = given.forward()
    dscores, dquery, dkeys, dvalues, dv = given.backward(weights)
    for n, end in enumerate(given.lengths):
        one = problem(rng, (6, 1, int(end), 21, 19), kind, "full", dtype)
        one.keys, one.values, one.v = given.keys[n : n + 1, :end].copy(), given.values[n : n + 1, :end].copy(), given.v
        one.query, one.dcontext = given.query[:, n : n + 1], given.dcontext[:, n : n + 1]
        one.dweights = given.dweights[:, n : n + 1, :end]
        out = one.forward()
        same_bits(out, (context[:, n : n + 1], weights[:, n : n + 1, :end]))
        expected = dscores[:, n : n + 1, :end], dquery[:, n : n + 1], dkeys[n : n + 1, :end], dvalues[n : n + 1, :end]
        same_bits(one.backward(out[1])[:4], expected)
        assert not any(a.any() for a in (weights[:, n, end:], dscores[:, n, end:], dkeys[n, end:], dvalues[n, end:]))


def test_a_query_alone_has_its_bits(kind, isa, dtype, rng):
    """Forward and in the gradients of the queries; those of the memory are sums over the queries, in any calls."""
    given = problem(rng, (9, 3, 10, 18, 7), kind, "ragged", dtype)
    context, weights = given.forward()
    dscores, dquery, *_ = given.backward(weights)
    for s in range(9):
        one = problem(rng, (1, 3, 10, 18, 7), kind, "ragged", dtype)
        one.keys, one.values, one.v, one.lengths = given.memory
        one.query, one.dcontext, one.dweights = (a[s : s + 1] for a in (given.query, given.dcontext, given.dweights))
        out = one.forward()
        same_bits(out, (context[s : s + 1], weights[s : s + 1]))
        same_bits(one.backward(out[1])[:2], (dscores[s : s + 1], dquery[s : s + 1]))


def test_what_lies_behind_a_rows_end_is_not_read(kind, isa, dtype, rng):
    """In the memory, the weights and their gradients; nor does NaN in one row reach another."""
    given = problem(rng, (5, 6, 9, 20, 18), kind, "ragged", dtype)
    result = given.forward()
    gradients = given.backward(result[1])
    spoilt = result[1].copy()
    for n, end in enumerate(given.lengths):
        given.keys[n, end:] = given.values[n, end:] = given.dweights[:, n, end:] = np.nan
        spoilt[:, n, end:] = np.nan
    same_bits(given.forward(), result)
    again = given.backward(spoilt)
    same_bits(again[:2], gradients[:2])
    same_bits(again[3:], gradients[3:])
    given.query[:, 1] = np.nan
    context, _ = given.forward()
    assert np.isnan(context[:, 1]).all()
    same_bits([np.delete(context, 1, axis=1)], [np.delete(result[0], 1, axis=1)])


def test_arrays_may_have_strides(kind, isa, dtype, rng):
    """Batch first, inside of wider arrays and backwards; nothing beside them is touched."""
    given = problem(rng, (4, 3, 6, 19, 21), kind, "ragged", dtype)
    result = given.forward()
    gradients = given.backward(result[1])

    def wide(array):
        S, N, F = array.shape
        around = np.full((N, S, F + 3), 7, array.dtype)
        view = around[::-1, :, 2:-1].swapaxes(0, 1)
        view[...] = array
        return around, view

    names = "query", "dcontext", "dweights"
    for name in names:
        setattr(given, name, wide(getattr(given, name))[1])
    (around, context), (beside, weights) = wide(result[0] * 0), wide(result[1] * 0)
    _core.attention(given.memory, given.query, context, weights, 1)
    same_bits((context, weights), result)
    for edge in (around, beside):
        assert (edge[..., :2] == 7).all() and (edge[..., -1:] == 7).all()
    same_bits(given.backward(weights), gradients)


def test_scores_of_any_size(isa, dtype):
    """They are taken relative to the largest; infinite ones give NaN, and -inf alone zeros, as no step does."""
    large, inf = float(np.sqrt(np.finfo(dtype).max)) / 4, np.inf
    keys = np.array([[[large], [-large]], [[-large], [-large]], [[inf], [0]], [[-inf], [-inf]]], dtype)
    query, values = np.full((1, 4, 1), large, dtype), np.ones((4, 2, 1), dtype)
    context, weights = np.empty((1, 4, 1), dtype), np.empty((1, 4, 2), dtype)
    _core.attention((keys, values, None, None), query, context, weights, 1)
    np.testing.assert_array_equal(weights[0], [[1, 0], [0.5, 0.5], [np.nan] * 2, [0, 0]])


@pytest.mark.parametrize("length", [-1, 5])
def test_a_length_beyond_the_memory_is_refused(length):
    """C would read and write there."""
    given = np.ones((1, 4, 3), np.float32), np.ones((1, 4, 3), np.float32), None, np.array([length])
    query, weights = np.ones((2, 1, 3), np.float32), np.ones((2, 1, 4), np.float32)
    with pytest.raises(ValueError, match=rf"^lengths: expected 0\.\.4, got {length}"):
        _core.attention(given, query, query.copy(), weights, 1)
    with pytest.raises(ValueError, match=rf"^lengths: expected 0\.\.4, got {length}"):
        _core.attention_outer(weights, query, given[3], np.ones((1, 4, 3), np.float32), 1)


@pytest.mark.slow
def test_pieces_have_the_bits_of_one_call(kind, rng):
    """More than is computed between two looks at Ctrl-C: 2^27 elements of (S, N, T, K)."""
    S, few = 5000, problem(rng, (50, 3, 160, 64, 8), kind, "ragged", np.float32)
    context, weights = few.forward()
    dscores, dquery, *_ = few.backward(weights)
    many = problem(rng, (1, 3, 160, 64, 8), kind, "ragged", np.float32)
    many.keys, many.values, many.v, many.lengths = few.memory
    many.sizes = S, *few.sizes[1:]
    for name in ("query", "dcontext", "dweights"):
        setattr(many, name, np.resize(getattr(few, name), (S, *getattr(few, name).shape[1:])))
    out = many.forward(2)
    same_bits(out, [np.resize(a, (S, *a.shape[1:])) for a in (context, weights)])
    back = many.backward(out[1], 2)
    same_bits(back[:2], [np.resize(a, (S, *a.shape[1:])) for a in (dscores, dquery)])
