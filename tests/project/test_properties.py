# SPDX-License-Identifier: BSD-3-Clause
"""The contracts that hold bit for bit, for any cell, engine, size and division of the work (hypothesis draws them)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.layers import flat
from support.recurrent import RECURRENT_CELLS, as_state, as_tuple, make_layer, random_state
from support.resets import random_resets, train_apart
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn import _core


@st.composite
def problems(draw, bidirectional=None):
    """A layer and a ragged batch for it, on one of the machine's engines."""
    T, N, I = draw(st.integers(1, 12)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layer = make_layer(
        draw(st.sampled_from(RECURRENT_CELLS)),
        I,
        draw(st.integers(1, 70)),
        draw(st.integers(1, 3)),
        bias=draw(st.booleans()),
        bidirectional=draw(st.booleans()) if bidirectional is None else bidirectional,
        dtype=draw(st.sampled_from([np.float32, np.float64])),
        seed=rng,
    )
    x = rng.standard_normal((T, N, I)).astype(layer.dtype)
    lengths = np.array(draw(st.lists(st.integers(0, T), min_size=N, max_size=N)))
    state = random_state(layer, N, rng)
    return draw(st.sampled_from(fr.isas())), layer, x, lengths, state, rng


@pytest.fixture(autouse=True, scope="module")
def restore_engine():
    before = _core.get_isa()
    yield
    _core.set_isa(before)


def train(layer, x, state, lengths, dy, dstate):
    """Everything that a training step computes, in one list."""
    y, final, tape = layer.forward(x, state, lengths)
    layer.zero_grad()
    dx, dinitial = layer.backward(tape, dy, dstate)
    return [y, *as_tuple(final), dx, *as_tuple(dinitial)], [g.copy() for g in layer.grads.values()]


def upstream(layer, x, rng):
    D, H = layer.num_directions, layer.hidden_size
    dy = rng.standard_normal((*x.shape[:2], D * H)).astype(layer.dtype)
    return dy, random_state(layer, x.shape[1], rng)


def row_of(arrays, row):
    """One row of the batch of y, states, dx, states; they all have it on axis 1."""
    return [array[:, row : row + 1] for array in arrays]


def same(actual, expected):
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(problems())
def test_a_row_alone_is_the_row_in_the_batch(problem):
    isa, layer, x, lengths, state, rng = problem
    _core.set_isa(isa)
    dy, dstate = upstream(layer, x, rng)
    whole, _ = train(layer, x, state, lengths, dy, dstate)
    for row in range(x.shape[1]):
        pick = lambda part: as_state(row_of(as_tuple(part), row))  # noqa: B023, E731
        alone, _ = train(layer, pick(x), pick(state), lengths[[row]], pick(dy), pick(dstate))
        same(alone, row_of(whole, row))


@given(problems(bidirectional=False), st.data())
def test_a_sequence_is_its_pieces_with_carried_state(problem, data):
    isa, layer, x, lengths, state, _ = problem
    _core.set_isa(isa)
    T = len(x)
    y, final = layer(x, state, lengths)
    cuts = sorted(data.draw(st.sets(st.integers(0, T))) | {0, T})
    pieces = []
    for start, stop in zip(cuts, cuts[1:], strict=False):
        piece, state = layer(x[start:stop], state, np.clip(lengths - start, 0, stop - start))
        pieces.append(piece)
    same([np.concatenate(pieces), *as_tuple(state)], [y, *as_tuple(final)])


@given(problems())
def test_resets_cut_rows_into_sequences_of_their_own(problem):
    isa, layer, x, lengths, state, rng = problem
    _core.set_isa(isa)
    dy, dstate = upstream(layer, x, rng)
    resets = random_resets(*x.shape[:2], rng)
    y, final, tape = layer.forward(x, state, lengths, resets=resets)
    cut = [y, final, *layer.backward(tape, dy, dstate)]
    same(flat(cut), flat(train_apart(layer, x, state, lengths, resets, dy, dstate)))


@given(problems())
def test_packed_sequences_are_padded_rows(problem):
    isa, layer, x, lengths, state, rng = problem
    _core.set_isa(isa)
    dy, dstate = upstream(layer, x, rng)
    lengths = np.maximum(lengths, 1)
    padded, grads = train(layer, x, state, lengths, dy, dstate)
    pack = lambda array: fr.pack_sequence([array[:T, n] for n, T in enumerate(lengths)])  # noqa: E731
    y, final, tape = layer.forward(pack(x), state)
    layer.zero_grad()
    dx, dinitial = layer.backward(tape, pack(dy), dstate)
    expected = padded.copy()
    for place in (0, 1 + len(as_tuple(state))):  # y and dx
        expected[place] = pack(padded[place]).data
    same([y.data, *as_tuple(final), dx, *as_tuple(dinitial)], expected)
    same(layer.grads.values(), grads)


@given(problems())
def test_what_lies_beyond_a_row_s_length_never_matters(problem):
    isa, layer, x, lengths, state, rng = problem
    _core.set_isa(isa)
    dy, dstate = upstream(layer, x, rng)
    beyond = np.arange(len(x))[:, None] >= lengths
    clean, grads = train(layer, x, state, lengths, dy, dstate)
    x, dy = x.copy(), dy.copy()
    x[beyond], dy[beyond] = np.nan, np.inf
    dirty, dirty_grads = train(layer, x, state, lengths, dy, dstate)
    same(dirty + dirty_grads, clean + grads)
    assert not clean[0][beyond].any() and not dirty[1 + len(as_tuple(state))][beyond].any()


@given(problems(bidirectional=True))
def test_reversed_input_with_swapped_directions(problem):
    """The reverse direction is the forward direction of the reversed rows."""
    isa, layer, x, _, state, rng = problem
    _core.set_isa(isa)
    L, H = layer.num_layers, layer.hidden_size
    y, final = layer(x, state)
    swap = lambda array: np.concatenate([array[..., H:], array[..., :H]], -1)  # noqa: E731
    turn = lambda part: part.reshape(L, 2, -1, H)[:, ::-1].reshape(part.shape)  # noqa: E731
    swapped = {}
    for name, value in layer.state_dict().items():
        # layers above the first read both directions, which change places too
        value = swap(value) if "weight_ih" in name and "_l0" not in name else value
        swapped[name.removesuffix("_reverse") if name.endswith("_reverse") else f"{name}_reverse"] = value
    layer.load_state_dict(swapped)
    y_back, final_back = layer(x[::-1], as_state(map(turn, as_tuple(state))))
    if L == 1:
        np.testing.assert_array_equal(swap(y_back)[::-1], y)
        same(map(turn, as_tuple(final_back)), as_tuple(final))
    else:  # above the first layer the sums run over the directions in another order
        sizes = {"terms": max(layer.input_size, 2 * H) + H, "steps": len(x) * L}
        assert_close(swap(y_back)[::-1], y, layer.dtype, bidirectional=True, **sizes)


@given(problems(), st.integers(2, 4))
def test_any_number_of_threads_gives_the_same_bits(problem, n):
    isa, layer, x, lengths, state, rng = problem
    _core.set_isa(isa)
    x, lengths = np.tile(x, (1, 40, 1)), np.tile(lengths, 40)  # enough work to be divided
    state = random_state(layer, x.shape[1], rng)
    dy, dstate = upstream(layer, x, rng)
    with fr.threads(1):
        expected, grads = train(layer, x, state, lengths, dy, dstate)
    with fr.threads(n):
        got, got_grads = train(layer, x, state, lengths, dy, dstate)
    same(got + got_grads, expected + grads)


@given(problems())
def test_rows_in_another_order_give_their_results_in_that_order(problem):
    isa, layer, x, lengths, state, rng = problem
    _core.set_isa(isa)
    dy, dstate = upstream(layer, x, rng)
    order = rng.permutation(x.shape[1])
    pick = lambda part: as_state(array[:, order] for array in as_tuple(part))  # noqa: E731
    whole, _ = train(layer, x, state, lengths, dy, dstate)
    mixed, _ = train(layer, pick(x), pick(state), lengths[order], pick(dy), pick(dstate))
    same(mixed, [array[:, order] for array in whole])
