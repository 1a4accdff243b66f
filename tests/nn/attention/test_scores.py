# SPDX-License-Identifier: BSD-3-Clause
"""Memories of attention, and their gradients. Attention itself is tested in test_attention.py."""

import numpy as np
import pytest
from support import attention as oracle
from support.layers import assert_same_bits

from fastrnn._engine.attention import Memory, attend
from fastrnn.nn._attention import scores
from fastrnn.nn._attention.scores import AttentionMemory, MemoryGradients

N, T, F = 3, 4, 5


def memory(rng, hidden=True, lengths=None):
    keys, values = rng.standard_normal((2, N, T, F))
    return AttentionMemory(Memory(keys, values, rng.standard_normal(F) if hidden else None, lengths), None)


def test_a_repeated_memory_has_its_rows_side_by_side(rng):
    lengths = np.array([4, 0, 2])
    once = memory(rng, lengths=lengths)
    twice = once.repeated(2).of
    rows = [0, 0, 1, 1, 2, 2]
    assert_same_bits(twice.values, once.of.values[rows])
    assert_same_bits(twice.keys, once.of.keys[rows])
    assert_same_bits(twice.lengths, lengths[rows])
    assert once.repeated(1).of is once.of
    assert memory(rng).repeated(3).of.lengths is None


def test_keys_that_are_the_values_are_repeated_once(rng):
    values = rng.standard_normal((N, T, F))
    plain = AttentionMemory(Memory(values, values, None, None), None)
    twice = plain.repeated(2).of
    assert twice.keys is twice.values
    assert plain.nbytes == values.nbytes and memory(rng).nbytes == 2 * values.nbytes + F * 8


@pytest.mark.parametrize("lengths", [None, np.array([4, 1, 2])], ids=["full", "ragged"])
def test_rows_that_do_not_run_have_no_steps(lengths, rng):
    given = memory(rng, lengths=lengths)
    assert given.among(None) is given
    some = given.among(np.array([True, False, True])).of
    np.testing.assert_array_equal(some.lengths, [4, 0, 4 if lengths is None else 2])
    assert some.lengths.dtype == np.intp and some.keys is given.of.keys


@pytest.mark.parametrize("hidden", [False, True], ids=["products", "hidden"])
@pytest.mark.parametrize("queries", [0, 1, 3])
def test_gradients_of_single_queries_add_up(queries, hidden, rng):
    """Whatever the calls, those of the memory are sums over all queries."""
    given = memory(rng, hidden, np.array([4, 0, 2])).of
    query, dcontext = rng.standard_normal((2, queries, N, F))
    context, weights, dscores = np.empty_like(dcontext), np.empty((queries, N, T)), np.empty((queries, N, T))
    attend(query, given, context, weights)
    gradients, dquery = MemoryGradients(given), np.empty_like(query)
    for s in reversed(range(queries)):
        part = slice(s, s + 1)
        dquery[part] = gradients.back((query[part], weights[part]), (dcontext[part], None), dscores[part])
    expected = oracle.backward((query, weights), (dcontext, None), *given)
    results = dscores, dquery, gradients.of_keys(dscores, query), gradients.of_values(weights, dcontext), gradients.dv
    for ours, theirs in zip(results, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_memory_by_rows_is_whole_and_zero_beyond_a_row_s_end(batch_first, rng):
    given = rng.standard_normal((N, T, F)).swapaxes(0, 1) if batch_first else rng.standard_normal((T, N, F))
    assert_same_bits(scores.by_rows(given, None), np.ascontiguousarray(given.swapaxes(0, 1)))
    assert np.shares_memory(scores.by_rows(given, None), given) == batch_first
    rows = scores.by_rows(given, np.array([4, 0, 2]))
    for n, end in enumerate([4, 0, 2]):
        np.testing.assert_array_equal(rows[n, :end], given[:end, n])
        assert not rows[n, end:].any() and not np.shares_memory(rows, given)
