# SPDX-License-Identifier: BSD-3-Clause
"""Passes through layers on one another: the bits of the layers one after another, whatever runs between them."""

import numpy as np
import pytest
from support.layers import assert_same_bits as assert_same_arrays
from support.recurrent import random_lengths

import fastrnn as fr
from fastrnn._engine import layers
from fastrnn._engine.cells import CELLS
from fastrnn._engine.layers import Course, Downstream, Dropout, Entry, Upstream
from fastrnn._engine.passes import Arrays, weights
from fastrnn._engine.ragged import Rows

T, N, I, H, O = 7, 5, 3, 6, 4
ROWS = {
    "full": lambda rng: Rows(None, None),
    "ragged": lambda rng: Rows(random_lengths(T, N, rng), None),
    "resets": lambda rng: Rows(random_lengths(T, N, rng), rng.random((T, N)) < 0.3),
}


def arrays_in(results):
    """The arrays among results, however nested."""
    if isinstance(results, list | tuple):
        return [array for each in results for array in arrays_in(each)]
    return [] if results is None else [results]


def assert_same_bits(results, expected):
    assert_same_arrays(arrays_in(results), arrays_in(expected))


def entry(name, inputs, units, rng, rows=N):
    """A layer of one direction with random weights, and its parameter arrays."""
    cell, draw = CELLS[name], lambda *shape: (rng.standard_normal(shape) / 2).astype(np.float32)
    arrays = {"w_ih": draw(cell.gates * units, inputs), "b_ih": draw(cell.gates * units)}
    if cell.recurrent:
        arrays |= {"w_hh": draw(cell.gates * units, units), "b_hh": draw(cell.gates * units)}
    names = [each if each in arrays else None for each in ("w_ih", "w_hh", "b_ih", "b_hh")]
    bound = weights(cell, np.dtype(np.float32), inputs, units, Arrays(arrays), names)
    states = [draw(rows, units) if part and cell.recurrent else None for part in (True, cell.has_c)]
    final = [None if state is None else np.empty_like(state) for state in states]
    return Entry(cell, bound.pack(), initial=tuple(states), final=tuple(final)), names


@pytest.fixture
def chain(rng):
    """An LSTM, a linear map and a GRU on one another: the entries and the names of their parameters."""
    return [entry("lstm", I, H, rng), entry("linear", H, O, rng), entry("gru", O, H, rng)]


def grads_of(chain):
    sizes = [(4, I, H), (1, H, O), (3, O, H)]
    shapes = [((g * h, i), (g * h, h), (g * h,), (g * h,)) for g, i, h in sizes]
    return [
        [None if name is None else np.zeros(shape, np.float32) for name, shape in zip(names, four, strict=True)]
        for (_, names), four in zip(chain, shapes, strict=True)
    ]


def outputs():
    return [np.zeros((T, N, width), np.float32) for width in (H, O, H)]


def gradient_arrays(chain):
    return [tuple(None if a is None else np.empty_like(a) for a in each.initial) for each, _ in chain]


@pytest.mark.parametrize("rows", ROWS)
def test_layers_have_the_bits_of_one_after_another(rows, chain, rng):
    """Forward and backward, with every gradient, and whether or not outputs between layers are wanted."""
    x, dy = (rng.standard_normal((T, N, width)).astype(np.float32) for width in (I, H))
    course, entries = Course(ROWS[rows](rng).order(T)), [each for each, _ in chain]

    apart, below, kept = outputs(), x, []
    for each, y in zip(entries, apart, strict=True):
        kept.append(layers.forward([each], course, below, [y], keep=True))
        below = y
    final = [[None if a is None else a.copy() for a in each.final] for each in entries]
    together, alone = outputs(), outputs()[-1]
    passed = layers.forward(entries, course, x, together, keep=True)
    assert_same_bits([together, [each.final for each in entries]], [apart, final])
    layers.forward(entries, course, x, [None, None, alone])
    assert_same_bits([alone, [each.final for each in entries]], [apart[-1], final])

    dstates, grads, gradient = gradient_arrays(chain), grads_of(chain), dy
    for k in (2, 1, 0):
        dx = np.zeros((T, N, (I, H, O)[k]), np.float32)
        layers.backward(kept[k], Upstream([gradient], [(None, None)]), Downstream(dx, [dstates[k]], [grads[k]]))
        gradient = dx
    dx, own_states, own_grads = np.zeros_like(x), gradient_arrays(chain), grads_of(chain)
    upstream = Upstream([None, None, dy], [(None, None)] * 3)
    layers.backward(passed, upstream, Downstream(dx, own_states, own_grads))
    assert_same_bits([dx, own_states, own_grads], [gradient, dstates, grads])


def test_gradients_that_nobody_wants_are_not_computed(chain, rng):
    """And the others have the same bits."""
    x, dy = (rng.standard_normal((T, N, width)).astype(np.float32) for width in (I, H))
    entries = [each for each, _ in chain]

    def gradients(wanted, dx):
        passed = layers.forward(entries, Course(), x, outputs(), keep=True)
        some = [[g if w else None for g, w in zip(four, wanted, strict=True)] for four in grads_of(chain)]
        downstream = Downstream(dx, gradient_arrays(chain), some)
        layers.backward(passed, Upstream([None, None, dy], [(None, None)] * 3), downstream)
        return downstream

    everything = gradients([True] * 4, np.zeros_like(x))
    for wanted in ([False] * 4, [True, False, False, False], [False, True, False, True], [False, False, True, False]):
        for dx in (None, np.zeros_like(x)):
            found = gradients(wanted, dx)
            if dx is not None:
                assert_same_bits(dx, everything.dx)
            assert_same_bits(found.dinitial, everything.dinitial)
            for four, all_four in zip(found.grads, everything.grads, strict=True):
                for one, other in zip(four, all_four, strict=True):
                    if one is not None:
                        assert_same_bits(one, other)


def test_gradients_of_outputs_between_layers_are_added(chain, rng):
    """What a readout of every layer sends back, as with the states of a reservoir."""
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    dys = [rng.standard_normal((T, N, width)).astype(np.float32) for width in (H, O, H)]
    entries = [each for each, _ in chain]
    passed = layers.forward(entries, Course(), x, outputs(), keep=True)
    dx, states, grads = np.zeros_like(x), gradient_arrays(chain), grads_of(chain)
    layers.backward(passed, Upstream(dys, [(None, None)] * 3), Downstream(dx, states, grads))

    own, gradient = grads_of(chain), np.zeros((T, N, H), np.float32)
    passed, below = [], x
    for each, y in zip(entries, outputs(), strict=True):
        passed.append(layers.forward([each], Course(), below, [y], keep=True))
        below = y
    for k in (2, 1, 0):
        below = np.zeros((T, N, (I, H, O)[k]), np.float32)
        layers.backward(
            passed[k], Upstream([gradient + dys[k]], [(None, None)]), Downstream(below, [states[k]], [own[k]])
        )
        gradient = below
    assert_same_bits([dx, grads], [gradient, own])


@pytest.mark.parametrize("rows", ROWS)
def test_dropout_between_layers_multiplies_what_is_read(rows, chain, rng):
    """Forward and backward: the same as layers one after another with the product between them."""
    x, dy = (rng.standard_normal((T, N, width)).astype(np.float32) for width in (I, H))
    course, entries = Course(ROWS[rows](rng).order(T)), [each for each, _ in chain]
    masks = [rng.random((T, N, width)) < 0.6 for width in (H, O)]
    dropout, ys = Dropout.of(1 / 0.6, masks, np.dtype(np.float32)), outputs()
    passed = layers.forward(entries, course, x, ys, True, dropout)

    apart, below, kept = outputs(), x, []
    for k, (each, y) in enumerate(zip(entries, apart, strict=True)):
        kept.append(layers.forward([each], course, below, [y], keep=True))
        below = y * masks[k] * np.float32(1 / 0.6) if k < 2 else y
    assert_same_bits(ys, apart)
    dx, grads = np.zeros_like(x), grads_of(chain)
    upstream = Upstream([None, None, dy], [(None, None)] * 3)
    layers.backward(passed, upstream, Downstream(dx, gradient_arrays(chain), grads))
    own, gradient = grads_of(chain), dy
    for k in (2, 1, 0):
        below = np.zeros((T, N, (I, H, O)[k]), np.float32)
        downstream = Downstream(below, [gradient_arrays(chain)[k]], [own[k]])
        layers.backward(kept[k], Upstream([gradient], [(None, None)]), downstream)
        gradient = below * masks[k - 1] * np.float32(1 / 0.6) if k else below
    assert_same_bits([dx, grads], [gradient, own])


def test_layers_that_do_not_fit_are_refused(rng):
    lstm, wide = entry("lstm", I, H, rng)[0], entry("gru", H + 1, H, rng)[0]
    x, y = np.zeros((T, N, I), np.float32), np.zeros((T, N, H), np.float32)
    with pytest.raises(ValueError, match=f"layers: expected one that reads {H} features.* got I={H + 1}, H={H}"):
        layers.forward([lstm, wide], Course(), x, [None, y])
    with pytest.raises(ValueError, match="layers: expected as many directions of each"):
        layers.forward([lstm, wide, lstm], Course(), x, [None, y])


def test_one_reversed_direction_alone(rng):
    """It is the second direction of a layer with two."""
    both = fr.LSTM(I, H, bidirectional=True, seed=0)
    x, lengths = rng.standard_normal((T, N, I)).astype(np.float32), random_lengths(T, N, rng)
    expected, (h, c) = both(x, lengths=lengths)
    final = np.empty((N, H), np.float32), np.empty((N, H), np.float32)
    own = Entry(both.cell, both.stack.weights[1].pack(), final=final)
    y = np.empty((T, N, H), np.float32)
    layers.forward([own], Course(Rows(lengths, None).order(T), reverse=True), x, [y])
    assert_same_bits([y, final], [np.ascontiguousarray(expected[..., H:]), (h[1], c[1])])
