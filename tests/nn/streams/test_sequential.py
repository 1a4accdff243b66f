# SPDX-License-Identifier: BSD-3-Clause
"""Whole models step by step: the bits of the whole sequence, states."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits, refused
from support.streams import at_once, block_for, made, same_state

import fastrnn as fr
from fastrnn.nn._recurrent import stack


@pytest.mark.parametrize("batch", [1, 3])
def test_its_steps_are_the_sequence(name, batch, rng):
    """One by one, in blocks, into `out`, and with the state of the model's calls after every one."""
    model, block = made(name), block_for(name, rng, batch=batch)
    y, final = at_once(model, block)
    stream, out = model.stream(batch), np.empty_like(y)
    for t in range(3):
        expected, state = at_once(model, block[: t + 1])
        assert_same_bits(stream.step(block[t]), expected[t])
        same_state(stream.state, state)
    assert stream.step(block[3], out=out[3]).base is out
    stream.steps(block[4:6], out=out[4:6])
    assert_same_bits(out[3:6], y[3:6])
    assert_same_bits(stream.steps(block[6:]), y[6:])
    same_state(stream.state, final)
    assert stream.steps(block[:0]).shape == (0, *y.shape[1:])


def test_a_batch_of_one_may_lack_its_axis(name, rng):
    model, block = made(name), block_for(name, rng, batch=1)
    y, _ = at_once(model, block)
    stream = model.stream()
    assert_same_bits(np.stack([stream.step(x_t) for x_t in block[:3, 0]]), y[:3, 0])
    out = np.empty_like(y[3:, 0])
    assert_same_bits(stream.steps(block[3:, 0], out=out), y[3:, 0])


def test_a_long_block_goes_through_in_parts(name, monkeypatch, rng):
    monkeypatch.setattr(stack, "BLOCK_ELEMENTS", 1)
    model, block = made(name), block_for(name, rng, T=2 * stack.BLOCK_STEPS + 3)
    y, final = at_once(model, block)
    stream = model.stream(2)
    assert_same_bits(stream.steps(block), y)
    same_state(stream.state, final)
    stream.reset()
    assert_same_bits(stream.steps(block, out=np.empty_like(y)), y)


def test_a_state_is_set_and_reset(name, rng):
    """To that of the model's calls; None is the initial one."""
    model, block = made(name), block_for(name, rng)
    y, state = at_once(model, block)
    stream = model.stream(2)
    stream.state = state
    same_state(stream.state, state)
    assert_same_bits(stream.steps(block), at_once(model, block, state)[0])
    stream.reset()
    assert_same_bits(stream.steps(block), y)
    stream.state = None
    assert_same_bits(stream.steps(block), y)


def test_rows_begin_again(name, rng):
    model, block = made(name), block_for(name, rng, batch=3)
    whole, begun = at_once(model, block)[0], at_once(model, block[4:])[0]
    stream = model.stream(3)
    stream.steps(block[:4])
    stream.reset([False, True, False])
    y = stream.steps(block[4:])
    assert_same_bits(y[:, 1], begun[:, 1])
    assert_same_bits(y[:, ::2], whole[4:, ::2])
    with argument_refused(ValueError, "rows", "from 0 to 2, got 3"):
        stream.reset([3])


def test_the_state_cannot_be_written():
    """Writing into a copy would change nothing."""
    (h, (inner,), (residual,)) = made("nested").stream().state
    for array in (h, inner, *residual):
        assert not array.flags.writeable
    assert not made("cell").stream().state[0].flags.writeable


def test_a_state_that_does_not_fit_changes_nothing(rng):
    stream = made("nested").stream(2)
    stream.steps(block_for("nested", rng))
    before = stream.state
    with refused(ValueError, "state: expected (1, 2, 6)") as caught:
        stream.state = (before[0] * 2, (np.zeros((1, 3, 6), np.float32),), before[2])
    assert any("in layer 1 of Sequential" in note for note in caught.value.__notes__)
    same_state(stream.state, before)
    with argument_refused(TypeError, "state", "for each of the 3 recurrent layers, got 2 of them"):
        stream.state = before[:2]
    with argument_refused(TypeError, "state", "expected none, since Linear takes none"):
        made("residual of linear").stream().state = before[0]


@pytest.mark.parametrize(
    "bad", [np.empty((2, 3), np.float32), np.empty((2, 2)), [[0.0] * 2] * 2], ids=["shape", "dtype", "list"]
)
def test_an_out_that_does_not_fit_is_refused_before_the_step(bad, rng):
    stream, block = made("nested").stream(2), block_for("nested", rng)
    before = stream.state
    with argument_refused((TypeError, ValueError), "out"):
        stream.step(block[0], out=bad)
    with argument_refused((TypeError, ValueError), "out"):
        stream.steps(block[:1], out=np.asarray(bad)[None])
    same_state(stream.state, before)


def test_an_x_that_does_not_fit_is_refused(rng):
    stream = made("tokens").stream(2)
    with argument_refused(ValueError, "block", "got a scalar"):
        stream.steps(3)
    with argument_refused(TypeError, "tokens", "expected integers, got float32"):
        stream.step(np.ones(2, np.float32))
    with argument_refused(ValueError, "x", "expected (2, 3), got (2, 4)"):
        made("nested").stream(2).step(np.ones((2, 4), np.float32))
    with argument_refused(ValueError, "batch", "at least 1, got 0"):
        made("nested").stream(0)


def test_a_wrong_token_in_a_later_part_changes_nothing(monkeypatch, rng):
    monkeypatch.setattr(stack, "BLOCK_ELEMENTS", 1)
    model = fr.Sequential(fr.Embedding(5, 4, seed=0), fr.GRU(4, 4, seed=1), fr.LayerNorm(4))
    stream, tokens = model.stream(2), rng.integers(0, 5, (2 * stack.BLOCK_STEPS, 2))
    stream.steps(tokens)
    before = stream.state
    tokens[-1] = 5
    with argument_refused(ValueError, "tokens", "0..4"):
        stream.steps(tokens)
    same_state(stream.state, before)
