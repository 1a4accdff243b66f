# SPDX-License-Identifier: BSD-3-Clause
"""Attention. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes
from support.tolerance import assert_close

import fastrnn as fr

SCORES = ("additive", "dot", "general", "concat", "scaled_dot")
LENGTHS = {"full": None, "ragged": [5, 0, 2, 4]}  # of a memory of 5 steps
S, N, Q, T = 3, 4, 6, 5
# S, N, Q, T, M; some where NumPy would add up along time in blocks, some where an axis has one element
SIZES = [(2, 3, 4, 5, 4), (1, 5, 3, 40, 3), (4, 2, 8, 17, 8), (2, 3, 1, 30, 1), (3, 1, 5, 1, 5)]


@pytest.fixture(params=SCORES)
def score(request):
    return request.param


def make(score, query_size=Q, memory_size=None, **options):
    if memory_size is None:
        memory_size = query_size if score.endswith("dot") else query_size + 1
    return fr.Attention(query_size, memory_size, score=score, **{"seed": 0, **options})


def draw(layer, rng, S=S, N=N, T=T):
    """A query, a memory, and gradients of context and weights."""
    shapes = (S, N, layer.query_size), (T, N, layer.memory_size), (S, N, layer.memory_size), (S, N, T)
    return [rng.standard_normal(shape).astype(layer.dtype) for shape in shapes]


def score_of(layer, q, m):
    """The papers' formulas, of two vectors."""
    p = {name: array.astype(np.float64) for name, array in layer.state_dict().items()}
    if layer.score.endswith("dot"):
        return q @ m / (np.sqrt(len(q)) if layer.score == "scaled_dot" else 1)
    if layer.score == "general":
        return q @ p["memory.weight"] @ m
    if layer.score == "concat":
        W = np.hstack([p["query.weight"], p["memory.weight"]])
        return p["v.weight"][0] @ np.tanh(W @ np.concatenate([q, m]))
    return p["v.weight"][0] @ np.tanh(p["query.weight"] @ q + p["memory.weight"] @ m)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_it_is_the_weighted_mean_of_the_papers(score, lengths, dtype, rng):
    """Row by row and pair by pair, in float64."""
    layer = make(score, dtype=dtype)
    query, memory, *_ = draw(layer, rng)
    context, weights = layer(query, memory, lengths)
    assert context.dtype == weights.dtype == dtype
    for n, end in enumerate(lengths or [T] * N):
        rows = memory[:end, n].astype(np.float64)
        for s in range(S):
            e = np.exp([score_of(layer, query[s, n].astype(np.float64), m) for m in rows])
            expected = np.zeros(T)
            expected[:end] = e / e.sum() if end else 0
            assert_close(weights[s, n], expected, dtype, terms=3 * Q, steps=1)
            assert_close(context[s, n], expected[:end] @ rows, dtype, terms=3 * Q, steps=1)
    if not lengths:
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_gradients_match_central_differences(score, lengths, batch_first, rng):
    layer = make(score, attention_size=3 if score in ("additive", "concat") else None, batch_first=batch_first,
                 dtype=np.float64)  # fmt: skip
    query, memory, dcontext, dweights = draw(layer, rng)
    if batch_first:
        query, memory, dcontext, dweights = (a.swapaxes(0, 1).copy() for a in (query, memory, dcontext, dweights))

    def loss():
        context, weights = layer(query, memory, lengths)
        return (context * dcontext).sum() + (weights * dweights).sum()

    dquery, dmemory = layer.backward(layer.forward(query, memory, lengths)[2], dcontext, dweights)
    assert_slopes(dquery, loss, query, "query")
    assert_slopes(dmemory, loss, memory, "memory")
    for name, array in layer.params.items():
        assert_slopes(layer.grads[name], loss, array, name)


@pytest.mark.parametrize("lengths", [None, [5, 1, 2, 4]], ids=["full", "ragged"])
def test_pytorch_has_the_same_gradients(score, lengths, dtype, rng):
    """Written with PyTorch's operations; the expected values are those in float64."""
    torch = pytest.importorskip("torch")
    layer = make(score, dtype=dtype)
    query, memory, dcontext, dweights = draw(layer, rng)
    tensor = lambda a: torch.tensor(a, dtype=torch.float64)  # noqa: E731
    q, m = (tensor(a).requires_grad_() for a in (query, memory))
    p = {name: tensor(a).requires_grad_() for name, a in layer.state_dict().items()}
    if score.endswith("dot"):
        scores = torch.einsum("snq,tnq->snt", q, m) / (Q**0.5 if score == "scaled_dot" else 1)
    elif score == "general":
        scores = torch.einsum("snq,qm,tnm->snt", q, p["memory.weight"], m)
    elif score == "additive":
        hidden = (q @ p["query.weight"].T)[:, None] + m @ p["memory.weight"].T  # (S, T, N, A)
        scores = (hidden.tanh() @ p["v.weight"][0]).transpose(1, 2)
    else:
        pairs = torch.cat([q[:, None].expand(-1, T, -1, -1), m[None].expand(S, -1, -1, -1)], dim=-1)
        hidden = pairs @ torch.cat([p["query.weight"], p["memory.weight"]], dim=1).T
        scores = (hidden.tanh() @ p["v.weight"][0]).transpose(1, 2)
    if lengths:
        scores = scores.masked_fill(torch.arange(T) >= torch.tensor(lengths)[:, None], -torch.inf)
    theirs_weights = scores.softmax(dim=-1)
    theirs = torch.einsum("snt,tnm->snm", theirs_weights, m)
    torch.autograd.backward([theirs, theirs_weights], [tensor(dcontext), tensor(dweights)])

    context, weights, tape = layer.forward(query, memory, lengths)
    assert_close(weights, theirs_weights.detach(), dtype, terms=3 * Q, steps=1)
    assert_close(context, theirs.detach(), dtype, terms=3 * Q, steps=1)
    dquery, dmemory = layer.backward(tape, dcontext, dweights)
    close = lambda ours, t, what: assert_close(  # noqa: E731
        ours, t.grad, dtype, backward=True, terms=S * T * N, steps=2, what=what
    )
    close(dquery, q, "dquery")
    close(dmemory, m, "dmemory")
    for name, array in layer.grads.items():
        close(array, p[name], name)


@pytest.mark.parametrize("lengths", [None, [5, 1, 2, 4]], ids=["full", "ragged"])
def test_scaled_dot_is_the_attention_of_pytorch(lengths, dtype, rng):
    torch = pytest.importorskip("torch")
    layer = make("scaled_dot", dtype=dtype)
    query, memory, *_ = draw(layer, rng)
    q, m = (torch.from_numpy(a).transpose(0, 1) for a in (query, memory))
    mask = None if lengths is None else (torch.arange(T) < torch.tensor(lengths)[:, None])[:, None]
    expected = torch.nn.functional.scaled_dot_product_attention(q, m, m, attn_mask=mask).transpose(0, 1)
    assert_close(layer(query, memory, lengths)[0], expected.numpy(), dtype, terms=3 * Q, steps=1)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_row_alone_is_the_row_in_a_batch(score, sizes, dtype, rng):
    """Bit for bit, in outputs and gradients: in either layout, padded or cut, unbatched, all queries or one."""
    S, N, Q, T, M = sizes
    layer, turned = make(score, Q, M, dtype=dtype), make(score, Q, M, batch_first=True, dtype=dtype)
    query, memory, dcontext, dweights = draw(layer, rng, S, N, T)
    lengths = rng.integers(0, T + 1, N)
    context, weights, tape = layer.forward(query, memory, lengths)
    back = layer.backward(tape, dcontext, dweights)
    assert_same_bits(layer(query, memory, lengths)[0], context)

    flip = lambda a: np.ascontiguousarray(a.swapaxes(0, 1))  # noqa: E731
    *out, tape = turned.forward(flip(query), flip(memory), lengths)
    for a, b in zip(
        [*out, *turned.backward(tape, flip(dcontext), flip(dweights))], [context, weights, *back], strict=True
    ):
        assert_same_bits(flip(a), b)
    assert_same_bits(layer(np.asfortranarray(query), memory[:, ::1], lengths)[0], context)

    for n, end in enumerate(lengths):
        alone, alone_weights, tape = layer.forward(query[:, n], memory[:end, n])
        assert_same_bits(alone, context[:, n])
        assert_same_bits(alone_weights, weights[:, n, :end])
        dquery, dmemory = layer.backward(tape, dcontext[:, n], dweights[:, n, :end])
        assert_same_bits(dquery, back[0][:, n])
        assert_same_bits(dmemory, back[1][:end, n])
        assert not weights[:, n, end:].any() and not back[1][end:, n].any()
    for s in range(S):
        assert_same_bits(layer(query[s : s + 1], memory, lengths)[0][0], context[s])


def test_what_lies_beyond_a_row_s_end_is_not_read(score, rng):
    """It may be NaN or infinite; nothing warns. A row of length 0 has weights, context and gradients of 0."""
    layer = make(score)
    query, memory, dcontext, dweights = draw(layer, rng)
    lengths, spoilt = [5, 0, 2, 4], memory.copy()
    for n, end in enumerate(lengths):
        spoilt[end:, n] = np.nan
        spoilt[end + 1 :, n] = np.inf
    expected, tape = layer.forward(query, memory, lengths)[::2]
    expected_gradients = layer.backward(tape, dcontext, dweights)
    context, weights, tape = layer.forward(query, spoilt, lengths)
    assert_same_bits(context, expected)
    for a, b in zip(layer.backward(tape, dcontext, dweights), expected_gradients, strict=True):
        assert_same_bits(a, b)
    assert not context[:, 1].any() and not weights[:, 1].any() and not expected_gradients[0][:, 1].any()


@pytest.mark.parametrize("sizes", [(0, 2, 3), (2, 0, 3), (2, 2, 0), (0, 0, 0)], ids=str)
def test_empty_axes_give_results_of_their_shapes(score, sizes):
    """No queries, no rows, no memory: outputs and gradients of their shapes, all 0."""
    S, N, T = sizes
    layer = make(score)
    query, memory = np.ones((S, N, Q), np.float32), np.ones((T, N, layer.memory_size), np.float32)
    for lengths in (None, np.full(N, T)):
        context, weights, tape = layer.forward(query, memory, lengths)
        assert context.shape == (S, N, layer.memory_size) and weights.shape == (S, N, T)
        assert not context.any() or T
        dquery, dmemory = layer.backward(tape, np.ones_like(context), np.ones_like(weights))
        assert dquery.shape == query.shape and dmemory.shape == memory.shape
        assert not dquery.any()


def test_scores_of_any_size_are_safe():
    """They are taken relative to the largest; nothing warns."""
    layer = fr.Attention(1, 1, score="dot")
    memory = np.array([[[1e4], [-1e4]], [[-1e4], [-1e4]]], np.float32)
    context, weights = layer(np.full((1, 2, 1), 1e30, np.float32), memory)
    np.testing.assert_array_equal(weights, [[[1, 0], [0.5, 0.5]]])
    np.testing.assert_array_equal(context, [[[1e4], [-1e4]]])


def test_what_is_not_finite_stays_in_its_row(score):
    layer = make(score)
    query, memory = np.ones((2, 3, Q), np.float32), np.ones((4, 3, layer.memory_size), np.float32)
    memory[1, 1, 0], query[1, 2, 0] = np.inf, np.nan
    context, _, tape = layer.forward(query, memory)
    finite = np.isfinite(context).all(axis=-1)
    np.testing.assert_array_equal(finite, [[True, False, True], [True, False, False]])
    dquery, dmemory = layer.backward(tape, np.ones_like(context))
    assert np.isfinite(dquery[:, 0]).all() and np.isfinite(dmemory[:, 0]).all() and np.isnan(dquery[1, 2]).any()


def test_concat_is_additive_with_its_matrix_cut_in_two(rng):
    """Only the first parameters differ: in +-1/sqrt(Q + M)."""
    additive, concat = make("additive", 30, 50, seed=3), make("concat", 30, 50, seed=3)
    assert {name: a.shape for name, a in concat.params.items()} == {
        name: a.shape for name, a in additive.params.items()
    }
    for name in ("query.weight", "memory.weight"):
        largest = np.abs(concat.params[name]).max() * np.sqrt(80)
        assert 0.9 < largest <= 1.00001
    query, memory, *_ = draw(concat, rng)
    additive.load_state_dict(concat.state_dict())
    for a, b in zip(additive(query, memory), concat(query, memory), strict=True):
        assert_same_bits(a, b)


def test_parameters_may_be_written_at_any_time(rng):
    layer = make("additive")
    query, memory, *_ = draw(layer, rng)
    _, before = layer(query, memory)
    layer.params["memory.weight"][...] = 0  # then all steps are equal
    _, weights = layer(query, memory)
    assert (before != weights).any()
    np.testing.assert_allclose(weights, 1 / T, rtol=1e-6)
