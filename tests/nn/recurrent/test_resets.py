# SPDX-License-Identifier: BSD-3-Clause
"""Resets inside sequences: the bits of the parts in calls of their own, in both directions, and their gradients."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits
from support.recurrent import RECURRENT_CELLS, as_tuple, make_layer, random_lengths, random_state, sequence
from support.resets import random_resets, train_apart
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn._engine import recomputation
from fastrnn.nn._recurrent import stack

T, N, I, H = 23, 6, 5, 17


def train(layer, x, state, lengths, resets, dy, dstate):
    y, final, tape = layer.forward(x, state, lengths, resets=resets)
    dx, dinitial = layer.backward(tape, dy, dstate)
    return y, final, dx, dinitial


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", RECURRENT_CELLS)
def test_the_bits_of_every_part_alone(isa, rng, cell, bidirectional, ragged):
    layer = make_layer(cell, I, H, num_layers=2, bidirectional=bidirectional, seed=0)
    lengths = random_lengths(T, N, rng) if ragged else np.full(N, T)
    x, resets = sequence(rng, T, N, I), random_resets(T, N, rng)
    dy = sequence(rng, T, N, layer.num_directions * H)
    state, dstate = (random_state(layer, N, rng) for _ in range(2))
    beyond = np.arange(T)[:, None] >= lengths
    x[beyond] = np.nan
    results = train(layer, x, state, lengths if ragged else None, resets, dy, dstate)
    grads = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.zero_grad()
    x[beyond] = 0
    expected = train_apart(layer, x, state, lengths, resets, dy, dstate)
    for result, alone in zip(results, expected, strict=True):
        for ours, theirs in zip(as_tuple(result), as_tuple(alone), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for name, grad in grads.items():
        sizes = {"terms": T * N, "steps": 2 * T}
        assert_close(
            grad, layer.grads[name], layer.dtype, backward=True, bidirectional=bidirectional, **sizes, what=name
        )
    y, final = layer(x, state, lengths, resets=resets)
    assert_same_bits((y, *as_tuple(final)), (results[0], *as_tuple(results[1])))


@pytest.mark.parametrize("bidirectional", [False, True])
def test_with_recomputation(monkeypatch, kind, rng, bidirectional):
    """Blocks of time end anywhere, also at a reset; every output has the bits of a tape with gates."""
    monkeypatch.setattr(recomputation, "BLOCK_ROWS", 16 * N)
    options = {"num_layers": 2, "bidirectional": bidirectional, "seed": 0}
    layer, again = kind(I, H, **options), kind(I, H, recompute=True, **options)
    steps = 3 * T
    x, resets, lengths = sequence(rng, steps, N, I), random_resets(steps, N, rng), random_lengths(steps, N, rng)
    resets[32] = True
    dy, state, dstate = sequence(rng, steps, N, layer.num_directions * H), *(random_state(layer, N, rng) for _ in "ab")
    expected = train(layer, x, state, lengths, resets, dy, dstate)
    assert_same_bits(train(again, x, state, lengths, resets, dy, dstate), expected)


def test_inference_of_a_stack_in_blocks(monkeypatch, kind, rng):
    monkeypatch.setattr(stack, "BLOCK_ELEMENTS", 16)
    monkeypatch.setattr(stack, "BLOCK_STEPS", 4)
    layer = kind(I, H, num_layers=2, seed=0)
    x, resets, lengths, state = sequence(rng, T, N, I), random_resets(T, N, rng), random_lengths(T, N, rng), None
    y, final, _ = layer.forward(x, state, lengths, resets=resets)
    assert_same_bits(layer(x, state, lengths, resets=resets), (y, final))


def test_a_call_is_its_pieces_with_carried_state(kind, rng):
    layer, resets = kind(I, H, num_layers=2, seed=0), random_resets(T, N, rng)
    x, state = sequence(rng, T, N, I), random_state(layer, N, rng)
    y, final = layer(x, state, resets=resets)
    first, between = layer(x[:9], state, resets=resets[:9])
    second, end = layer(x[9:], between, resets=resets[9:])
    assert_same_bits((np.concatenate([first, second]), end), (y, final))


def test_every_layout(kind, rng):
    layer, batch_first = kind(I, H, seed=0), kind(I, H, batch_first=True, seed=0)
    x, resets = sequence(rng, T, N, I), random_resets(T, N, rng)
    y, final = layer(x, resets=resets)
    turned, same = batch_first(x.swapaxes(0, 1), resets=resets.T)
    assert_same_bits((turned.swapaxes(0, 1), same), (y, final))
    alone, _ = layer(x[:, 1], resets=resets[:, 1].tolist())
    assert_same_bits(alone, y[:, 1])


def test_without_any_it_is_the_plain_call(kind, rng):
    layer, x = kind(I, H, seed=0), sequence(rng, T, N, I)
    assert_same_bits(layer(x, resets=np.zeros((T, N), bool)), layer(x))


def test_masked_steps_and_resets(kind, rng):
    """A step that is left out is not there; a reset stands before the next one that is."""
    layer, x, mask = kind(I, H, bidirectional=True, seed=0), sequence(rng, T, N, I), rng.random((T, N)) < 0.7
    resets = random_resets(T, N, rng) & mask
    y, final, tape = layer.forward(x, mask=mask, resets=resets)
    dx, _ = layer.backward(tape, np.ones_like(y))
    for n in range(N):
        kept = mask[:, n]
        alone, end, tape = layer.forward(x[kept, n : n + 1], resets=resets[kept, n : n + 1])
        assert_same_bits(y[kept, n : n + 1], alone)
        assert_same_bits(dx[kept, n : n + 1], layer.backward(tape, np.ones_like(alone))[0])
        assert not y[~kept, n].any()
    with argument_refused(ValueError, "resets", "mask leaves out", "(2, 0)"):
        layer(x, mask=np.arange(T)[:, None] != 2 + np.zeros(N), resets=np.arange(T)[:, None] == 2 + np.zeros(N))


def test_random_masks_act_as_without_resets(rng):
    """Zoneout and recurrent dropout belong to the steps and rows of x, however they are cut."""
    options = {"zoneout": 0.3, "recurrent_dropout": 0.4, "seed": 0}
    x, resets = sequence(rng, T, N, I), random_resets(T, N, rng)
    resets[:, 1] = np.arange(T) == 11
    plain, cut = (fr.GRU(I, H, **options) for _ in "ab")
    y, _, _ = plain.forward(x)
    z, _, tape = cut.forward(x, resets=resets)
    assert_same_bits(z[:11, 1], y[:11, 1])
    assert (z[11:, 1] != y[11:, 1]).any()
    cut.backward(tape, np.ones_like(z))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_no_steps_and_no_rows(kind, shape):
    layer, x = kind(I, H, num_layers=2, seed=0), np.zeros((*shape, I), np.float32)
    y, final, tape = layer.forward(x, resets=np.ones(shape, bool))
    dx, _ = layer.backward(tape, np.zeros_like(y))
    assert (y.shape, dx.shape) == ((*shape, H), x.shape)


def test_rows_without_steps(kind, rng):
    """Their state is what was given, whatever their resets are."""
    layer, x = kind(I, H, seed=0), sequence(rng, T, 2, I)
    state = random_state(layer, 2, rng)
    y, final = layer(x, state, lengths=[0, 0], resets=np.ones((T, 2), bool))
    assert not y.any()
    assert_same_bits(final, state)


@pytest.mark.parametrize(
    ("resets", "error", "words"),
    [
        (np.ones((T, N)), TypeError, ["expected bools", "float64"]),
        ([[0, 1]], TypeError, ["expected bools", "int64"]),
        (np.ones((N, T), bool), ValueError, [f"expected ({T}, {N})", f"got ({N}, {T})"]),
        (np.ones(T, bool), ValueError, [f"expected ({T}, {N})", f"got ({T},)"]),
        (np.ones((T, N, 1), bool), ValueError, [f"expected ({T}, {N})"]),
        ("yes", TypeError, ["expected bools"]),
    ],
)
def test_bad_resets(kind, resets, error, words):
    layer, x = kind(I, H), np.ones((T, N, I), np.float32)
    for call in (layer, layer.forward):
        with argument_refused(error, "resets", *words):
            call(x, resets=resets)
    with argument_refused(error, "resets"):
        layer(x, mask=np.ones((T, N), bool), resets=resets)


def test_layers_that_take_none():
    x, resets = np.ones((T, N, I), np.float32), np.ones((T, N), bool)
    learned = fr.Residual(fr.Sequential(fr.Linear(I, I), fr.GRU(I, I, learn_initial_state=True)))
    for layer, *words in (
        (fr.GRU(I, H, learn_initial_state=True), "GRU with learn_initial_state=True takes none"),
        (fr.RNN(I, H, omega=0.5), "RNN with omega=0.5 takes none"),
        (fr.Sequential(fr.GRU(I, H), fr.MeanPool()), "Sequential, which holds MeanPool, takes none"),
        (learned, "Residual, which holds GRU with learn_initial_state=True, takes none"),
    ):
        for call in (layer, layer.forward):
            with argument_refused(TypeError, "resets", "expected None", f"got an array of shape {(T, N)}", *words):
                call(x, resets=resets)
