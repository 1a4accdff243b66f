# SPDX-License-Identifier: BSD-3-Clause
"""Packed sequences: the bits of padded rows, in every layer that takes them, and PyTorch's own."""

import numpy as np
import pytest
from support.every_layer import LAYERS
from support.layers import argument_refused, assert_same_bits, refused
from support.recurrent import RECURRENT_CELLS, as_tuple, make_layer, random_state

import fastrnn as fr
from fastrnn.nn._packed import opened

LENGTHS, I, H = [4, 9, 1, 9, 6], 5, 17


@pytest.fixture
def sequences(rng):
    return [rng.standard_normal((T, I)).astype(np.float32) for T in LENGTHS]


def padded(sequences):
    array = np.full((max(LENGTHS), len(LENGTHS), sequences[0].shape[1]), np.nan, sequences[0].dtype)
    for n, one in enumerate(sequences):
        array[: len(one), n] = one
    return array


def test_packing_and_unpacking(sequences):
    packed = fr.pack_sequence(sequences)
    assert packed.lengths.tolist() == LENGTHS
    assert packed.batch_sizes.tolist() == [5, 4, 4, 4, 3, 3, 2, 2, 2]
    assert packed.shape == (sum(LENGTHS), I)
    for one, again in zip(sequences, packed.unpack(), strict=True):
        np.testing.assert_array_equal(again, one)


def test_the_order_is_that_of_pytorch(sequences):
    torch = pytest.importorskip("torch")
    ours = fr.pack_sequence(sequences)
    theirs = torch.nn.utils.rnn.pack_sequence([torch.from_numpy(one) for one in sequences], enforce_sorted=False)
    np.testing.assert_array_equal(ours.batch_sizes, theirs.batch_sizes.numpy())
    for one, again in zip(fr.PackedSequence(*(part.numpy() for part in theirs)).unpack(), sequences, strict=True):
        np.testing.assert_array_equal(one, again)
    gru = fr.GRU(I, H, seed=0)
    y, h = gru(theirs)
    expected, same = gru(ours)
    assert_same_bits(h, same)
    for one, again in zip(y.unpack(), expected.unpack(), strict=True):
        assert_same_bits(one, again)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", RECURRENT_CELLS)
def test_the_bits_of_padded_rows(isa, rng, sequences, cell, bidirectional):
    layer = make_layer(cell, I, H, num_layers=2, bidirectional=bidirectional, seed=0)
    state, dstate = (random_state(layer, len(LENGTHS), rng) for _ in range(2))
    y, final, tape = layer.forward(fr.pack_sequence(sequences), state)
    dys = [rng.standard_normal((T, y.shape[1])).astype(np.float32) for T in LENGTHS]
    dx, dinitial = layer.backward(tape, fr.pack_sequence(dys), dstate)
    grads = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.zero_grad()
    expected, same, tape = layer.forward(padded(sequences), state, LENGTHS)
    dx_padded, dstate_padded = layer.backward(tape, padded(dys), dstate)
    assert_same_bits((final, dinitial), (same, dstate_padded))
    for n, (T, out, back) in enumerate(zip(LENGTHS, y.unpack(), y._replace(data=dx).unpack(), strict=True)):
        assert_same_bits(out, expected[:T, n])
        assert_same_bits(back, dx_padded[:T, n])
    for name, grad in grads.items():
        assert_same_bits(grad, layer.grads[name], name)
    again, end = layer(fr.pack_sequence(sequences), state)
    assert_same_bits((again.data, *as_tuple(end)), (y.data, *as_tuple(final)))


def test_masks_of_training_are_drawn_as_for_padded_rows(sequences):
    options = {"zoneout": 0.3, "recurrent_dropout": 0.4, "seed": 0}
    plain, packed = (fr.LSTM(I, H, **options) for _ in range(2))
    y, _, _ = plain.forward(padded(sequences), lengths=LENGTHS)
    z, _, _ = packed.forward(fr.pack_sequence(sequences))
    for n, one in enumerate(z.unpack()):
        assert_same_bits(one, y[: len(one), n])


def test_a_whole_model_reads_them(rng):
    tokens = [rng.integers(0, 7, T) for T in LENGTHS]
    model = fr.Sequential(
        fr.Embedding(7, I, seed=0), fr.LSTM(I, H, 2, seed=1), fr.LayerNorm(H), fr.Dropout(0.5), fr.Linear(H, 7, seed=2)
    )
    logits, state, tape = model.forward(fr.pack_sequence(tokens))
    loss, dlogits = fr.cross_entropy(logits.data, fr.pack_sequence(tokens).data)
    dx, _ = model.backward(tape, dlogits)
    assert dx is None and np.isfinite(loss)
    y, _ = model(fr.pack_sequence(tokens))
    alone, _ = model(tokens[1][:, None])
    assert_same_bits(y.unpack()[1], alone[:, 0])


@pytest.mark.parametrize(("steps", "features"), [(1, ()), (5, (3,)), (60, (2,)), (20, (40, 2))])
def test_short_and_long_sequences_are_packed_alike(steps, features, rng):
    """All steps are gathered at once, or sequence by sequence: each step lies where its definition says."""
    sequences = [rng.standard_normal((T, *features)) for T in rng.integers(1, steps + 1, 20)]
    packed = fr.pack_sequence(sequences)
    longest_first = sorted(range(20), key=lambda n: -len(sequences[n]))
    expected = [sequences[n][s] for s in range(steps) for n in longest_first if s < len(sequences[n])]
    np.testing.assert_array_equal(packed.data, np.array(expected))
    np.testing.assert_array_equal(packed.sorted_indices, longest_first)
    assert packed.data.flags.c_contiguous
    for one, other in zip(packed.unpack(), sequences, strict=True):
        np.testing.assert_array_equal(one, other)


def test_sorted_sequences_need_no_indices(sequences):
    packed = fr.pack_sequence(sorted(sequences, key=len, reverse=True))
    gru = fr.GRU(I, H, seed=0)
    y, h = gru(packed)
    z, same = gru(fr.PackedSequence(packed.data, packed.batch_sizes))
    assert_same_bits((z.data, same), (y.data, h))
    assert z.sorted_indices is None and [len(one) for one in z.unpack()] == sorted(LENGTHS, reverse=True)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"batch_sizes": [5, 4]}, ValueError, ["x.data", "expected 9 steps"]),
        ({"batch_sizes": [3, 4, 22]}, ValueError, ["x.batch_sizes", "none larger"]),
        ({"batch_sizes": [29, 0]}, ValueError, ["x.batch_sizes", "positive"]),
        ({"batch_sizes": [[29]]}, ValueError, ["x.batch_sizes"]),
        ({"batch_sizes": [29.0]}, TypeError, ["x.batch_sizes", "integers"]),
        ({"sorted_indices": [0, 1, 2, 3, 3]}, ValueError, ["x.sorted_indices", "0..4"]),
        ({"sorted_indices": [0, 1]}, ValueError, ["x.sorted_indices"]),
        ({"sorted_indices": [[0], [1], [2], [3], [4]]}, ValueError, ["x.sorted_indices"]),
        ({"sorted_indices": [0, 1, 2, 3, 9]}, ValueError, ["x.sorted_indices", "0..4"]),
        (
            {"data": np.zeros((29, I + 1), np.float32)},
            ValueError,
            ["x.data", f"expected (R, {I})", f"got (29, {I + 1})"],
        ),
        ({"data": np.zeros((29, I))}, TypeError, ["x", "float32", "float64"]),
        ({"data": np.zeros((29, 1, I), np.float32)}, ValueError, ["x.data"]),
    ],
)
def test_bad_packed_sequences(sequences, changes, error, words):
    x = fr.pack_sequence(sequences)._replace(**changes)
    with argument_refused(error, words[0], *words[1:]):
        fr.GRU(I, H)(x)


def test_arguments_that_do_not_go_with_them(sequences):
    x, gru = fr.pack_sequence(sequences), fr.GRU(I, H)
    for name, value in (("lengths", LENGTHS), ("mask", np.ones(29, bool)), ("resets", np.ones(29, bool))):
        with argument_refused(TypeError, name, "packed"):
            gru(x, **{name: value})
    echo, shared = fr.EchoState(I, 20, output_size=2), fr.Sequential(gru, fr.Dropout(0.5, shared_steps=True))
    for layer, words in (
        (echo, "EchoState takes no packed sequence"),
        (fr.RNN(I, H, omega=0.5), "RNN with omega=0.5 takes no packed sequence"),
        (shared, "Sequential, which holds Dropout with shared_steps=True, takes no packed sequence"),
    ):
        with argument_refused(TypeError, "x", words, f"got one of shape (29, {I})"):
            layer(x)
    _, _, tape = gru.forward(x)
    with argument_refused(ValueError, "dy", f"expected (29, {H})"):
        gru.backward(tape, np.zeros((9, 5, H), np.float32))


@pytest.mark.parametrize(
    ("sequences", "error", "words"),
    [
        ([], ValueError, ["at least one"]),
        ([np.ones((2, 3)), np.ones((2, 4))], ValueError, ["sequences[1]", "(2, 4)"]),
        ([np.ones((2, 3)), np.ones((2, 3), np.float32)], ValueError, ["sequences[1]", "float32"]),
        ([np.ones((0, 3))], ValueError, ["sequences[0]", "at least one step"]),
        ([np.float64(1)], ValueError, ["sequences[0]", "at least one step"]),
    ],
)
def test_sequences_that_cannot_be_packed(sequences, error, words):
    with argument_refused(error, "sequences", *words):
        fr.pack_sequence(sequences)


ALONE = [
    name
    for name, (make, x) in LAYERS.items()
    if not isinstance(x, tuple)
    and not (layer := make(dtype=np.float32, seed=0)).stateful
    and not layer.children()
    and not layer.takes_lengths
]


@pytest.mark.parametrize("name", ALONE)
def test_a_layer_without_a_state_asks_for_the_array(name):
    """Which it reads as it is, where it treats all steps alike."""
    make, x = LAYERS[name]
    layer = make(dtype=np.float32, seed=0)
    kind = np.intp if layer.reads_tokens else np.float32
    packed = fr.pack_sequence([x[:2, 0].astype(kind), x[:, 1].astype(kind)])
    argument = "tokens" if layer.reads_tokens else "x"
    for method in (layer, layer.forward):
        with argument_refused(TypeError, argument, "got a packed sequence", f"use {argument}.data"):
            method(packed)
    if layer.keeps_axes:
        assert len(layer(packed.data)) == 7


def test_a_single_token_is_no_array_either():
    """Though NumPy makes one of its four parts, all (1,)."""
    one = fr.pack_sequence([np.array([1])])
    assert np.asarray(one).shape == (4, 1)
    with argument_refused(TypeError, "tokens", "use tokens.data"):
        fr.Embedding(5, 3)(one)


def test_the_rows_are_those_of_the_engine(sequences):
    """No table has to be computed, and no step copied: the data are read where they are."""
    x = fr.pack_sequence(sequences)
    data, rows, _ = opened(x)
    assert data is x.data
    order = rows.order(1)
    np.testing.assert_array_equal(np.diff(order.first), x.batch_sizes)
    np.testing.assert_array_equal(order.rows, x.sorted_indices)


def test_the_order_is_that_of_sorted_indices(sequences):
    """One that is made by hand may lack the inverse; layers and `unpack` read the same order."""
    packed = fr.pack_sequence(sequences)
    by_hand = packed._replace(unsorted_indices=None)
    assert by_hand.lengths.tolist() == LENGTHS
    for one, other in zip(by_hand.unpack(), sequences, strict=True):
        assert_same_bits(one, other)
    with refused(ValueError, "x.sorted_indices: expected"):
        opened(packed._replace(sorted_indices=None))


@pytest.mark.parametrize("value", [None, 3, "ab"])
def test_what_is_no_list_of_sequences_is_named(value):
    with argument_refused(TypeError, "sequences", "expected several arrays"):
        fr.pack_sequence(value)
