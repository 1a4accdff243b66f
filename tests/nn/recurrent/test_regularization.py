# SPDX-License-Identifier: BSD-3-Clause
"""What acts on a state between two steps: leaky units, zoneout, recurrent dropout, weight drop, clipped deltas.

The masks of a call are read from its tape, and the same call is run with them in the reference, which central
differences check in turn (test_reference.py).
"""

import itertools

import numpy as np
import pytest
from support.layers import assert_same_bits
from support.recurrent import REGULARIZATION, as_tuple, make_layer, random_lengths, random_state, run_reference
from support.regularization import drawn, masked_parameters
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn._engine import passes

T, N, I, H = 7, 5, 3, 17
each_option = pytest.mark.parametrize("options", REGULARIZATION.values(), ids=REGULARIZATION)


def check(cell, layer, rng, lengths=None, steps=T):
    """y, the final state and every gradient of one training step against the reference."""
    x = rng.standard_normal((steps, N, I)).astype(layer.dtype)
    state, dstate = random_state(layer, N, rng), random_state(layer, N, rng)
    D, G = layer.num_directions, layer.cell.gates
    dy = rng.standard_normal((steps, N, D * H)).astype(layer.dtype)
    y, final, tape = layer.forward(x, state, lengths)
    updates, masks = drawn(tape, layer)
    parameters = masked_parameters(layer, masks)
    layer.zero_grad()
    dx, dinitial = layer.backward(tape, dy, dstate)
    expected = run_reference(cell, layer, x, state, lengths, dy, dstate, parameters=parameters, updates=updates)
    through = {"bidirectional": D == 2, "steps": steps * layer.num_layers}
    assert_close(y, expected[0], layer.dtype, terms=I + H, **through, what="y")
    for part, ours, theirs in zip("hc", as_tuple(final), as_tuple(expected[1]), strict=False):
        assert_close(ours, theirs, layer.dtype, terms=I + H, **through, what=part)
    through["backward"] = True
    assert_close(dx, expected[2], layer.dtype, terms=G * H * D, **through, what="dx")
    for part, ours, theirs in zip("hc", as_tuple(dinitial), as_tuple(expected[3]), strict=False):
        assert_close(ours, theirs, layer.dtype, terms=G * H, **through, what=f"d{part}_0")
    names = [layer.parameter_names(*k)[1] for k in itertools.product(range(layer.num_layers), range(D))]
    for name, theirs in expected[4].items():
        drop = masks[names.index(name)] if name in names else None
        theirs = theirs if drop is None else theirs * drop
        assert_close(layer.grads[name], theirs, layer.dtype, terms=steps * N, **through, what=name)


@each_option
def test_outputs_and_gradients_equal_the_reference(isa, dtype, cell, options, rng):
    layer = make_layer(cell, I, H, dtype=dtype, seed=1, **options)
    check(cell, layer, rng)
    check(cell, layer, rng, random_lengths(T, N, rng))


def test_layers_and_directions_equal_the_reference(isa, dtype, cell, rng):
    layer = make_layer(cell, I, H, 2, bidirectional=True, dtype=dtype, seed=1, **REGULARIZATION["all"])
    check(cell, layer, rng, random_lengths(T, N, rng))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "sigmoid", "selu", "identity"])
def test_leaky_units_equal_the_reference(isa, dtype, nonlinearity, rng):
    layer = fr.RNN(I, H, 2, nonlinearity=nonlinearity, leak=0.3, dtype=dtype, seed=1)
    check(f"rnn_{nonlinearity}", layer, rng, random_lengths(T, N, rng))
    check(f"rnn_{nonlinearity}", fr.RNN(I, H, nonlinearity=nonlinearity, leak=0.3, zoneout=0.5, dtype=dtype), rng)


def test_separate_zoneout_of_h_and_c_equals_the_reference(isa, dtype, rng):
    check("lstm", fr.LSTM(I, H, zoneout=(0.1, 0.6), dtype=dtype, seed=1), rng)
    check("lstm", fr.LSTM(I, H, zoneout=(0.6, 0), dtype=dtype, seed=1), rng)


def test_recomputing_in_blocks_uses_the_same_masks(isa, cell, rng):
    """`recompute` reads the masks of a call twice, block by block."""
    layer = make_layer(
        cell, I, H, bidirectional=True, recompute=True, dtype=np.float64, seed=1, **REGULARIZATION["all"]
    )
    plain = make_layer(cell, I, H, bidirectional=True, dtype=np.float64, seed=1, **REGULARIZATION["all"])
    x = rng.standard_normal((900, N, I))
    for lengths in (None, random_lengths(900, N, rng)):
        y, _, tape = layer.forward(x, lengths=lengths)
        y_plain, _, tape_plain = plain.forward(x, lengths=lengths)
        assert_same_bits(y, y_plain)
        assert tape.nbytes < tape_plain.nbytes
        dy = rng.standard_normal(y.shape)
        assert_same_bits(layer.backward(tape, dy)[0], plain.backward(tape_plain, dy)[0])


def test_threads_do_not_change_the_bits(isa, cell, rng):
    """One row of many units, which are divided among threads, and many rows, which are as well."""
    for rows, units in ((1, 512), (40, 64)):
        x = rng.standard_normal((30, rows, I)).astype(np.float32)
        results = []
        for threads in (1, 2, 3):
            layer = make_layer(cell, I, units, seed=1, **REGULARIZATION["all"])
            with fr.threads(threads):
                y, _, tape = layer.forward(x)
                dx, _ = layer.backward(tape, np.ones_like(y))
            results.append((y, dx, layer.grads["weight_hh_l0"]))
        for other in results[1:]:
            for ours, theirs in zip(other, results[0], strict=True):
                assert_same_bits(ours, theirs)


def drawn_by(layer, rows=200, steps=50):
    """What one call of `forward` draws, for each layer and direction, and for w_hh."""
    _, _, tape = layer.forward(np.zeros((steps, rows, layer.input_size), layer.dtype))
    return drawn(tape, layer)


def assert_share_of_zeros(mask, p):
    """Within five standard deviations of the binomial distribution."""
    assert abs((mask == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / mask.size)


def test_masks_of_recurrent_dropout(dtype):
    """One for each row, the same at every step; zeros with probability p, the rest 1/(1-p)."""
    result, _ = drawn_by(fr.LSTM(2, 30, 2, bidirectional=True, recurrent_dropout=0.2, dtype=dtype, seed=0))
    assert len(result) == 4
    for update in result:
        assert update.mask.shape == (200, 30)
        assert set(np.unique(update.mask)) == {0, dtype.type(1 / 0.8)}
        assert_share_of_zeros(update.mask, 0.2)
    assert all((a.mask != b.mask).any() for a, b in itertools.combinations(result, 2))


def test_masks_of_zoneout(dtype):
    """One for each step, row and unit; zeros and ones, and zeros with the probability of each part."""
    (update,), _ = drawn_by(fr.LSTM(2, 30, zoneout=(0.1, 0.5), dtype=dtype, seed=0))
    for share, p in ((update.fraction_h, 0.1), (update.fraction_c, 0.5)):
        assert share.shape == (50, 200, 30)
        assert set(np.unique(share)) == {0, 1}
        assert_share_of_zeros(share, p)


def test_masks_of_weight_drop(dtype):
    _, (drop,) = drawn_by(fr.GRU(2, 60, weight_drop=0.4, dtype=dtype, seed=0))
    assert drop.shape == (180, 60)
    assert set(np.unique(drop)) == {0, dtype.type(1 / (1 - 0.4))}
    assert_share_of_zeros(drop, 0.4)


@each_option
def test_the_same_seed_draws_the_same_and_a_copy_goes_on(cell, options, rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    layer, same = (make_layer(cell, I, H, seed=3, **options) for _ in range(2))
    first = layer.forward(x)[0]
    assert_same_bits(same.forward(x)[0], first)
    again = same.__reduce__()[0](*same.__reduce__()[1])
    assert_same_bits(again.forward(x)[0], layer.forward(x)[0])


def test_inference_ignores_dropout(cell, rng):
    """Recurrent dropout, weight drop and clipping act only in training."""
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    plain = make_layer(cell, I, H, seed=0)(x)[0]
    layer = make_layer(cell, I, H, seed=0, recurrent_dropout=0.5, weight_drop=0.5, delta_clip=1e-3)
    assert_same_bits(layer(x)[0], plain)


def test_inference_takes_the_mean_of_zoneout(isa, dtype, cell, rng):
    """h = (1-p) h~ + p h_prev, on the fast path, with lengths and step by step, with the same bits."""
    layer = make_layer(cell, I, H, seed=0, zoneout=0.3, dtype=dtype)
    parts = len(layer.cell.parts)
    shares = passes.StateUpdate(*[np.full(H, 0.7)] * parts)
    x = rng.standard_normal((T, N, I)).astype(dtype)
    y, state = layer(x)
    expected, final = run_reference(cell, layer, x, updates=[shares])
    assert_close(y, expected, dtype, terms=I + H, steps=T)
    for ours, theirs in zip(as_tuple(state), as_tuple(final), strict=True):
        assert_close(ours, theirs, dtype, terms=I + H, steps=T)
    assert_same_bits(layer(x, lengths=[T] * N)[0], y)
    stream = layer.stream(N)
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x]), y)


def test_the_mean_over_many_masks_of_a_linear_unit_is_inference(rng):
    """Where the step is linear, as in an identity RNN with zoneout, inference is the mean of training."""
    layer = fr.RNN(1, 2, nonlinearity="identity", zoneout=0.5, dtype=np.float64, seed=0)
    x = np.broadcast_to(rng.standard_normal((6, 1, 1)), (6, 40000, 1))
    mean = layer.forward(x)[0].mean(axis=1)
    np.testing.assert_allclose(mean, layer(x[:, :1])[0][:, 0], atol=0.02)


def test_a_clip_that_nothing_reaches_changes_no_bit(cell, rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    layers = [make_layer(cell, I, H, seed=0, delta_clip=clip) for clip in (None, 1e6)]
    for layer in layers:
        y, _, tape = layer.forward(x)
        layer.backward(tape, np.ones_like(y))
    for name in layers[0].grads:
        assert_same_bits(layers[0].grads[name], layers[1].grads[name])


def test_clipped_deltas_do_not_hide_nan(cell, rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    layer = make_layer(cell, I, H, seed=0, delta_clip=1.0)
    y, _, tape = layer.forward(x)
    dy = np.zeros_like(y)
    dy[-1, 0, 0] = np.nan
    layer.backward(tape, dy)
    assert np.isnan(layer.grads["weight_hh_l0"]).any()
