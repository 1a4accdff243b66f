# SPDX-License-Identifier: BSD-3-Clause
"""Training that saves states and computes the gates again equals training that saves everything."""

import numpy as np
import pytest
from support.recurrent import as_state, as_tuple, make_layer, random_lengths, random_state
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn._engine import recomputation


def train(layer, x, state, lengths, dy, dstate):
    """Every result of a forward and a backward pass, and the parameters' gradients by name."""
    y, final, tape = layer.forward(x, state, lengths)
    nbytes = tape.nbytes
    dx, dinitial = layer.backward(tape, dy, dstate)
    grads = {name: layer.grads[name].copy() for name in layer.grads}
    return [y, *as_tuple(final), dx, *as_tuple(dinitial)], grads, nbytes


def test_blocks_cover_time_once_in_the_order_of_running():
    for T, N in ((0, 3), (1, 1), (16, 4000), (2048, 1), (2049, 1), (5000, 7)):
        forth, back = (recomputation.blocks(T, N, reverse) for reverse in (False, True))
        assert [t for block in forth for t in range(block.start, block.stop)] == list(range(T))
        assert back == forth[::-1]
        assert all(block.stop - block.start >= recomputation.BLOCK_STEPS for block in forth[:-1])


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    ("num_layers", "options"), [(1, {}), (2, {"bidirectional": True}), (2, {"batch_first": True})], ids=str
)
def test_recomputing_changes_no_bit_but_of_sums_over_time(cell, dtype, ragged, num_layers, options, rng):
    """y, states, dx and dstate have the same bits; the parameters' gradients are sums in another order."""
    T, N, I, H = 900, 5, 3, 9  # three blocks
    layers = [
        make_layer(cell, I, H, num_layers, dtype=dtype, seed=2, recompute=mode, **options) for mode in (False, True)
    ]
    D = layers[0].num_directions
    x = (0.5 * rng.standard_normal((T, N, I))).astype(dtype)
    dy = rng.standard_normal((T, N, D * H)).astype(dtype)
    if layers[0].batch_first:
        x, dy = x.swapaxes(0, 1), dy.swapaxes(0, 1)
    if cell in ("rnn_relu", "rnn_selu", "rnn_identity"):  # 900 steps of a cell that does not saturate
        for layer in layers:
            for name in layer.params:
                layer.params[name] *= 0.5
    lengths = random_lengths(T, N, rng) if ragged else None
    state, dstate = random_state(layers[0], N, rng), random_state(layers[0], N, rng)
    plain, grads, all_bytes = train(layers[0], x, state, lengths, dy, dstate)
    again, grads_again, few_bytes = train(layers[1], x, state, lengths, dy, dstate)
    for ours, expected in zip(again, plain, strict=True):
        np.testing.assert_array_equal(ours, expected)
    for name in grads:
        assert_close(grads_again[name], grads[name], dtype, backward=True, terms=T * N, steps=1, what=name)
    between = (D - 1) * (num_layers - 1) * plain[0].nbytes  # two directions keep what passes between their layers
    assert few_bytes - between < (all_bytes - between) / 50


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"zoneout": 0.2, "recurrent_dropout": 0.3}], ids=str)
def test_packed_rows_have_the_bits_of_padded_ones(cell, dtype, options, rng):
    """The blocks are the same, whose rows end where they do; of a tape that is as small."""
    I, lengths = 3, [900, 3, 400, 411, 900]
    padded, packed = (make_layer(cell, I, 9, 2, dtype=dtype, seed=2, recompute=True, **options) for _ in range(2))
    for layer in (padded, packed):
        for name in layer.params:
            layer.params[name] *= 0.5
    rows = [(0.5 * rng.standard_normal((T, I))).astype(dtype) for T in lengths]
    x = np.zeros((max(lengths), len(lengths), I), dtype)
    state, dstate = random_state(padded, len(lengths), rng), random_state(padded, len(lengths), rng)
    for n, row in enumerate(rows):
        x[: len(row), n] = row
    y, final, tape = padded.forward(x, state, lengths)
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx, dinitial = padded.backward(tape, dy, dstate)
    y_packed, end, tape = packed.forward(fr.pack_sequence(rows), state)
    whole = make_layer(cell, I, 9, 2, dtype=dtype, seed=2, **options).forward(fr.pack_sequence(rows), state)[2]
    assert tape.nbytes < 0.8 * whole.nbytes
    dys = fr.pack_sequence([dy[:T, n] for n, T in enumerate(lengths)])
    dx_packed, begin = packed.backward(tape, dys, dstate)
    for ours, expected in zip((*as_tuple(end), *as_tuple(begin)), (*as_tuple(final), *as_tuple(dinitial)), strict=True):
        np.testing.assert_array_equal(ours, expected)
    for ours, expected in ((y_packed, y), (y_packed._replace(data=dx_packed), dx)):
        for n, row in enumerate(ours.unpack()):
            np.testing.assert_array_equal(row, expected[: lengths[n], n])
    for name in padded.grads:
        np.testing.assert_array_equal(packed.grads[name], padded.grads[name], err_msg=name)


def test_no_row_at_all(monkeypatch):
    """In blocks of which the last is shorter."""
    monkeypatch.setattr(recomputation, "BLOCK_ROWS", 4)
    monkeypatch.setattr(recomputation, "BLOCK_STEPS", 4)
    for options in ({}, {"reverse": True}, {"bidirectional": True}):
        layer = fr.GRU(3, 4, 2, recompute=True, seed=0, **options)
        y, _, tape = layer.forward(np.zeros((9, 0, 3), np.float32))
        assert layer.backward(tape, y)[0].shape == (9, 0, 3)


def test_a_short_sequence_is_kept_as_it_is(cell, rng):
    """One block would be computed twice for nothing."""
    layer = make_layer(cell, 3, 4, recompute=True, seed=0)
    plain = make_layer(cell, 3, 4, seed=0)
    x = rng.standard_normal((recomputation.BLOCK_STEPS, 2, 3)).astype(np.float32)
    assert layer.forward(x)[2].nbytes == plain.forward(x)[2].nbytes


def test_backward_recomputes_with_the_weights_of_forward(rng):
    """A parameter that is written between the two passes acts on neither."""
    x = rng.standard_normal((3000, 1, 3)).astype(np.float32)
    results = []
    for write in (False, True):
        layer = fr.LSTM(3, 4, recompute=True, seed=0)
        y, _, tape = layer.forward(x)
        if write:
            layer.params["weight_hh_l0"] += 1
        results.append(layer.backward(tape, np.ones_like(y))[0])
    np.testing.assert_array_equal(*results)


def test_a_tape_that_recomputes_is_used_once(rng):
    layer = fr.GRU(3, 4, recompute=True, seed=0)
    x = rng.standard_normal((3000, 1, 3)).astype(np.float32)
    y, _, tape = layer.forward(x)
    layer.backward(tape, np.zeros_like(y))
    with pytest.raises(ValueError, match="a tape can be used once"):
        layer.backward(tape, np.zeros_like(y))


def test_recompute_is_a_flag():
    with pytest.raises(TypeError, match="recompute: expected True or False, got 3"):
        fr.LSTM(3, 4, recompute=3)


@pytest.mark.slow
def test_a_hundred_thousand_steps_train_in_bounded_memory(rng):
    """The tape of an LSTM is a twentieth of its output, and the gradient reaches the first step's state."""
    T, H = 100_000, 32
    lstm = fr.LSTM(2, H, recompute=True, seed=0)
    x = rng.standard_normal((T, 1, 2)).astype(np.float32)
    y, _, tape = lstm.forward(x)
    assert tape.nbytes < y.nbytes / 20
    dx, dstate = lstm.backward(tape, np.ones_like(y))
    assert np.isfinite(dx).all() and as_state(dstate)[0].any()
