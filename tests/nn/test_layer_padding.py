# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of parameters do not depend on how much padding there is, nor on what is in it."""

import numpy as np
import pytest
from support.every_layer import WITH_PARAMETERS
from support.layers import assert_same_arrays, assert_same_bits, snapshot

import fastrnn as fr
from fastrnn._engine.ragged import rows_with_gradient
from fastrnn.nn._attention.scores import SCORES

N, LONGEST = 30, 40  # more rows than the engine adds up at once, and than it goes back through at once


def tagger(batch_first, **kw):
    layers = fr.Embedding(10, 8, **kw), fr.LSTM(8, 6, batch_first=batch_first, **kw), fr.LayerNorm(6, dtype=kw["dtype"])
    return fr.Sequential(*layers, fr.Linear(6, 5, **kw))


OF_ONE_SEQUENCE = {name: make for name, (make, x) in WITH_PARAMETERS.items() if not isinstance(x, tuple)}
LAYERS = OF_ONE_SEQUENCE | {
    "tagger": lambda **kw: tagger(False, **kw),
    "tagger, batch first": lambda **kw: tagger(True, **kw),
    "Linear, many features": lambda **kw: fr.Linear(3, 150, **kw),  # beyond the fast path
    "Embedding, one feature": lambda **kw: fr.Embedding(10, 1, **kw),
    "Conv1d, batch first": lambda **kw: fr.Conv1d(3, 4, 3, batch_first=True, **kw),
}


def turned(array, layer):
    """A sequence (T, N, ...) in the layer's layout, or back."""
    return np.ascontiguousarray(array.swapaxes(0, 1)) if getattr(layer, "batch_first", False) else array


def ended(array, lengths, value):
    """With a value in the padding."""
    array = array.copy()
    array[np.arange(len(array))[:, None] >= lengths] = value
    return array


class Batch:
    """Rows of a batch, and upstream gradients, for a layer."""

    def __init__(self, layer, rng):
        self.layer, self.rng = layer, rng
        self.lengths = np.concatenate([[LONGEST], rng.integers(1, LONGEST, N - 1)])
        self.tokens = "Embedding" in str(layer)
        self.x = self.random(LONGEST, 3, layer.dtype)
        y = layer(turned(self.x, layer))
        y = y[0] if isinstance(y, tuple) else y
        self.pooled = self.after(self.lengths) is None
        self.dy = rng.standard_normal(y.shape if self.pooled else turned(y, layer).shape).astype(y.dtype)

    def random(self, T, features, dtype):
        if self.tokens:
            return self.rng.integers(0, 10, (T, N))
        return self.rng.standard_normal((T, N, features)).astype(dtype)

    def after(self, lengths):
        return self.layer.lengths_after(lengths)

    def train(self, T, value, with_lengths=True):
        """The gradients of the parameters, and that of x without padding, of rows padded to T steps."""
        x, dy = (np.concatenate([a, np.zeros((T, *a.shape[1:]), a.dtype)]) for a in (self.x, self.dy))
        x = ended(x[:T], self.lengths, 3 if self.tokens else value)
        dy = self.dy if self.pooled else ended(dy[: self.after(np.array(T))], self.after(self.lengths), 0)
        self.layer.zero_grad()
        lengths = {"lengths": self.lengths} if self.layer.takes_lengths and with_lengths else {}
        *_, tape = self.layer.forward(turned(x, self.layer), **lengths)
        dx = self.layer.backward(tape, dy if self.pooled else turned(dy, self.layer))
        dx = dx[0] if isinstance(dx, tuple) else dx
        dx = np.zeros(()) if dx is None else ended(turned(dx, self.layer)[:LONGEST], self.lengths, 0)
        return snapshot(self.layer.grads), dx


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_do_not_depend_on_padding(name, isa, dtype, rng):
    """Of every layer: no padding behind the longest row, and more, which holds NaN; on one thread and two."""
    batch = Batch(LAYERS[name](dtype=dtype, seed=0), rng)
    expected, dx = batch.train(LONGEST, 0)
    assert any(grad.any() for grad in expected.values())
    for T in (LONGEST, LONGEST + 1, 60):
        for threads in (1, 2):
            with fr.threads(threads):
                grads, padded_dx = batch.train(T, np.nan)
            assert_same_arrays(grads, expected)
            assert_same_bits(padded_dx, dx)


@pytest.mark.parametrize("name", ["CausalConv1d", "Conv1d", "Conv1d, groups", "Conv1d, batch first"])
def test_convolutions_need_no_lengths(name, isa, dtype, rng):
    """Where the caller's padding holds zeros, which the last windows of a row read."""
    batch = Batch(LAYERS[name](dtype=dtype, seed=0), rng)
    expected, dx = batch.train(LONGEST, 0, with_lengths=False)
    for T in (LONGEST + 1, 60):
        grads, padded_dx = batch.train(T, 0, with_lengths=False)
        assert_same_arrays(grads, expected)
        assert_same_bits(padded_dx, dx)


def train(layer, inputs, dy, lengths=()):
    """The gradients of the parameters."""
    layer.zero_grad()
    *_, tape = layer.forward(*inputs, *lengths)
    dx = layer.backward(tape, dy)
    return snapshot(layer.grads), dx


OF_ROWS = {
    "Linear": lambda features, **kw: fr.Linear(features, 4, **kw),
    "Linear, many features": lambda features, **kw: fr.Linear(features, 150, **kw),
    "LayerNorm": lambda features, dtype, seed: fr.LayerNorm(features, dtype=dtype),
    "Embedding": lambda features, **kw: fr.Embedding(10, features, **kw),
}


@pytest.mark.parametrize("name", OF_ROWS)
@pytest.mark.parametrize("features", [1, 3])
@pytest.mark.parametrize("used", [0, 7, 700])
def test_rows_without_a_gradient_are_not_there(name, features, used, isa, dtype, rng):
    """Wherever they lie, and of either sign: the others have the bits that they have alone."""
    layer, there = OF_ROWS[name](features, dtype=dtype, seed=0), np.sort(rng.permutation(900)[:used])
    tokens = name == "Embedding"
    x = rng.integers(0, 10, 900) if tokens else rng.standard_normal((900, features)).astype(dtype)
    dy = rng.standard_normal((900, layer.features_after(features))).astype(dtype)
    expected, expected_dx = train(layer, [x[there]], dy[there])
    gone = np.delete(np.arange(900), there)
    dy[gone] = np.where(gone % 2, 0.0, -0.0)[:, None]
    if not tokens:
        x[gone] = np.nan
    grads, dx = train(layer, [x], dy)
    assert_same_arrays(grads, expected)
    if not tokens:
        assert_same_bits(dx[there], expected_dx)
        assert not dx[gone].any()


def test_a_row_of_one_number_that_is_not_zero_counts(dtype):
    """Wherever it stands, however small, and NaN."""
    dy = np.zeros((6, 5), dtype)
    dy[[0, 2, 3, 5], [0, 4, 2, 3]] = 1, np.finfo(dtype).smallest_subnormal, np.nan, -1
    assert rows_with_gradient(dy).tolist() == [0, 2, 3, 5]
    assert rows_with_gradient(dy[[0, 2]]) is None


def in_time(array, T):
    """With so many more steps of zeros, or of token 3."""
    behind = np.full((T, *array.shape[1:]), 0 if array.dtype.kind == "f" else 3, array.dtype)
    return np.concatenate([array, behind])


@pytest.mark.parametrize("name", ["AttentionDecoder", "AttentionDecoder, fed", "Seq2Seq", "Seq2Seq, fed"])
def test_sequences_that_attend_to_others(name, dtype, rng):
    """Padding of either has no part in the gradients; where it is of numbers, they may be NaN, as those of dy."""
    layer, translates = WITH_PARAMETERS[name][0](dtype=dtype, seed=0), name.startswith("Seq2Seq")
    lengths = rng.integers(0, 13, 50)
    lengths[:2] = 12
    shape, others = (12, 50), rng.integers(0, 13, 50)
    if translates:
        inputs, order = [rng.integers(0, 10, shape) for _ in range(2)], (others, lengths)
    else:
        inputs, order = [rng.standard_normal((*shape, 3)).astype(dtype) for _ in range(2)], (lengths, others)
    dy = rng.standard_normal((*shape, 10 if translates else 5)).astype(dtype)
    state, results = (() if translates else (None,)), []
    for more, value in ((0, 0), (5, 0), (5, 7 if translates else np.nan)):
        layer.zero_grad()
        padded = (ended(in_time(array, more), order[k], value) for k, array in enumerate(inputs))
        *_, tape = layer.forward(*padded, *state, *order)
        layer.backward(tape, ended(in_time(dy, more), lengths, 0 if translates else value))
        results.append(snapshot(layer.grads))
    for result in results[1:]:
        assert_same_arrays(result, results[0])


@pytest.mark.parametrize("features", [3, 20])
@pytest.mark.parametrize("score", SCORES)
def test_attention_of_padded_queries(score, features, isa, dtype, rng):
    """Padding of queries and memory, rows of which have no step: none, zeros, and what is not finite, in all of it."""
    layer = fr.Attention(features, features, score=score, dtype=dtype, seed=0)
    query, memory, dy = (rng.standard_normal((25, 30, features)).astype(dtype) for _ in range(3))
    dweights = rng.standard_normal((25, 30, 40)).astype(dtype)
    lengths, steps = rng.integers(0, 26, (2, 30))
    dy, dweights, results = ended(dy, lengths, 0), ended(dweights, lengths, 0), []
    dweights[..., np.arange(40) >= steps[:, None]] = np.nan
    for more, value in ((0, 0), (15, 0), (15, np.nan), (15, np.inf), (15, -np.inf)):
        padded = ended(in_time(query, more), lengths, value), ended(in_time(memory, more), steps, value)
        upstream = ended(in_time(dy, more), np.where(steps, len(dy) + more, 0), value), in_time(dweights, more)
        layer.zero_grad()
        context, weights, tape = layer.forward(*padded, steps)
        dquery, dmemory = layer.backward(tape, upstream[0], upstream[1][..., : 25 + more])
        assert not dquery[25:].any() and not dmemory[25:].any()
        context, weights = (ended(a[:25], lengths, 0) for a in (context, weights[..., :25]))
        arrays = {"context": context, "weights": weights, "dquery": dquery[:25], "dmemory": dmemory[:25]}
        results.append(snapshot(layer.grads) | arrays)
    for result in results[1:]:
        assert_same_arrays(result, results[0])


def test_packed_rows_have_the_same_sums(dtype, rng):
    """If the longest row comes first, packing leaves out the padding and nothing else."""
    model = tagger(False, dtype=dtype, seed=0)
    batch = Batch(model, rng)
    batch.lengths = np.sort(batch.lengths)[::-1]
    expected, _ = batch.train(60, 0)
    x, dy = ([a[:n, k] for k, n in enumerate(batch.lengths)] for a in (batch.x, batch.dy))
    grads, _ = train(model, [fr.pack_sequence(x)], fr.pack_sequence(dy))
    assert_same_arrays(grads, expected)
