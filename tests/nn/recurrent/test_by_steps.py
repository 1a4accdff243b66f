# SPDX-License-Identifier: BSD-3-Clause
"""Backward passes over single steps that add the gradients of parameters once, beside those that add them at each."""

import copy

import numpy as np
import pytest
from support.layers import assert_same_bits, flat
from support.recurrent import make_layer, random_state
from support.tolerance import assert_close

from fastrnn.nn._frozen import frozen
from fastrnn.nn._recurrent.by_steps import StepsBack
from fastrnn.nn._recurrent.quick import QuickTape

T, N, I, H = 7, 3, 4, 5


def one_step(layer, array):
    return array[:, None] if layer.batch_first else array[None]


def run(layer, rng, lengths=None, by_steps=True, state=None):
    """dx, the gradient of the initial state, those of the parameters, and the kinds of the tapes."""
    layer.zero_grad()
    x = rng.standard_normal((T, N, I)).astype(layer.dtype)
    y, tapes = np.empty((T, N, H), layer.dtype), []
    for t in range(T):
        given = None if lengths is None or lengths[t] is None else lengths[t]
        y_t, state, tape = layer.forward(one_step(layer, x[t]), state, given)
        y[t] = y_t.reshape(N, H)
        tapes.append(tape)
    kinds = [type(tape) for tape in tapes]
    steps, dx, dstate = StepsBack(layer, x, y), np.empty_like(x), None
    for t in reversed(range(T)):
        dy = one_step(layer, rng.standard_normal((N, H)).astype(layer.dtype))
        back = steps.back(t, tapes[t], dy, dstate) if by_steps else layer.backward(tapes[t], dy, dstate)
        dx[t], dstate = back[0].reshape(N, I), back[1]
    steps.add()
    return dx, dstate, [grad.copy() for grad in layer.grads.values()], kinds


def compare(layer, seed, **given):
    copies = copy.deepcopy(layer), layer  # with the same random numbers
    ours, plain = (
        run(copies[by_steps], np.random.default_rng(seed), by_steps=by_steps, **given) for by_steps in (1, 0)
    )
    assert_same_bits(ours[0], plain[0])
    for a, b in zip(flat(ours[1]), flat(plain[1]), strict=True):
        assert_same_bits(a, b)
    for name, a, b in zip(layer.grads, ours[2], plain[2], strict=True):
        assert_close(a, b, layer.dtype, backward=True, terms=4 * T * N, steps=T, what=name)
    return ours


@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"batch_first": True, "num_layers": 2}, {"bias": False}],
                         ids=str)  # fmt: skip
@pytest.mark.parametrize("with_state", [False, True])
def test_the_gradients_are_those_of_single_steps(cell, options, with_state, dtype, rng):
    layer = make_layer(cell, I, H, dtype=dtype, seed=0, **options)
    *_, grads, kinds = compare(layer, 5, state=random_state(layer, N, rng) if with_state else None)
    assert kinds == [QuickTape] * T and all(grad.any() for grad in grads)


def test_steps_that_run_in_another_way_add_their_own(cell, dtype):
    """One in the middle with fewer rows, and the first, so that others are added before and behind them."""
    lengths = [[1, 1, 1], None, None, [1, 0, 1], None, None, None]
    *_, kinds = compare(make_layer(cell, I, H, 2, dtype=dtype, seed=0), 6, lengths=lengths)
    assert [kind is QuickTape for kind in kinds] == [False, True, True, False, True, True, True]


@pytest.mark.parametrize("options", [{"dropout": 0.5, "num_layers": 2}, {"learn_initial_state": True}], ids=str)
def test_options_of_training_are_kept(options, dtype):
    """The masks of dropout are drawn forward; a state that is learned gets its gradient from the first step."""
    compare(
        make_layer(
            "gru",
            I,
            H,
            dtype=dtype,
            seed=0,
            **{"num_layers": 1, **options},
        ),
        7,
    )


def test_a_frozen_layer_adds_nothing(cell):
    layer = make_layer(cell, I, H, seed=0)
    expected = run(layer, np.random.default_rng(8))
    dx, _, grads, _ = run(frozen(layer), np.random.default_rng(8))
    assert_same_bits(dx, expected[0])
    assert not any(grad.any() for grad in grads)
