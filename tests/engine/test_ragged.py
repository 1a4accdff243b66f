# SPDX-License-Identifier: BSD-3-Clause
"""Lengths of rows: what they may be, and rows without steps."""

import array

import numpy as np
import pytest
from support.foreign_arrays import OnlyDLPack
from support.layers import argument_refused, assert_same_bits
from support.recurrent import make_layer, random_state, sequence, train, without_batch

from fastrnn._engine.ragged import Rows, length_mask, tape_rows

T, N, I, H = 5, 2, 3, 4


@pytest.mark.parametrize(
    ("lengths", "error", "words"),
    [
        ([1], ValueError, ["expected (2,), one for each row of the batch", "got (1,)"]),
        ([1, 2, 3], ValueError, ["expected (2,), one for each row of the batch", "got (3,)"]),
        ([[1, 2]], ValueError, ["expected (2,), one for each row of the batch", "got (1, 2)"]),
        (3, ValueError, ["expected (2,), one for each row of the batch", "got ()"]),
        ([-1, 2], ValueError, [f"expected 0..{T}", "got -1 for row 0"]),
        ([2, T + 1], ValueError, [f"expected 0..{T}", f"got {T + 1} for row 1"]),
        (
            np.array([1, 2**64 - 1], np.uint64),
            ValueError,
            [f"expected 0..{T}", f"got {2**64 - 1} for row 1"],
        ),
        (np.array([-(2**63), 1]), ValueError, [f"expected 0..{T}", f"got {-(2**63)} for row 0"]),
        ([1.0, 2.0], TypeError, ["expected integers", "got float64"]),
        ([True, False], TypeError, ["expected integers", "got bool"]),
        (["1", "2"], TypeError, ["expected integers", "got <U1"]),
        ([None, 2], TypeError, ["expected integers"]),
        ([2**70, 1], (TypeError, ValueError), ["expected"]),
        ([[1], [1, 2]], TypeError, ["list"]),
    ],
    ids=lambda value: repr(value)[:25] if not isinstance(value, type) else value.__name__,
)
def test_lengths_that_are_wrong_are_refused(kind, lengths, error, words):
    with argument_refused(error, "lengths", *words):
        kind(I, H)(np.ones((T, N, I), np.float32), lengths=lengths)


def frozen(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "lengths",
    [
        [3, T],
        (3, T),
        np.array([3, T], np.uint8),
        np.array([3, T], np.uint64),
        np.array([3, T], np.int8),
        np.array([3, T], ">i4"),
        np.array([T, 0, 3])[::-2],
        frozen(np.array([3, T])),
        array.array("h", [3, T]),
        memoryview(np.array([3, T])),
        OnlyDLPack(np.array([3, T])),
        [np.int64(3), np.uint8(T)],
        range(3, T + 1, T - 3),
    ],
    ids=lambda lengths: f"{type(lengths).__name__} {getattr(lengths, 'dtype', '')}",
)
def test_lengths_of_any_integers_are_taken(kind, lengths, rng):
    """Lists, tuples, unsigned, read-only, strided, foreign buffers: the same bits."""
    layer, x = kind(I, H, seed=0), sequence(rng, T, N, I)
    expected = layer(x, lengths=np.array([3, T]))
    y, state = layer(x, lengths=lengths)
    assert_same_bits(y, expected[0])
    assert_same_bits(state, expected[1])
    assert list(np.asarray(getattr(lengths, "_array", lengths))) == [3, T]


@pytest.mark.parametrize("lengths", [False, True], ids=["full", "lengths"])
@pytest.mark.parametrize(("steps", "rows"), [(0, N), (T, 0), (0, 0)])
def test_an_empty_sequence_or_batch_passes_the_state_through(cell, isa, steps, rows, lengths, rng):
    """The final state is the initial one, its gradient is passed back, and nothing else has a gradient."""
    layer = make_layer(cell, I, H, 2, bidirectional=True, seed=0)
    state, dstate = random_state(layer, rows, rng), random_state(layer, rows, rng)
    x = np.ones((steps, rows, I), np.float32)
    lengths = [0] * rows if lengths else None
    y, final, dx, dinitial = train(layer, x, state, lengths, None, dstate)
    assert (y.shape, dx.shape) == ((steps, rows, 2 * H), x.shape)
    assert_same_bits(final, state)
    assert_same_bits(dinitial, dstate)
    assert not any(grad.any() for grad in layer.grads.values())
    y, final = layer(x, state, lengths)
    assert y.shape == (steps, rows, 2 * H)
    assert_same_bits(final, state)


def test_an_empty_unbatched_sequence_passes_the_state_through(kind, rng):
    layer = kind(I, H)
    state = without_batch(random_state(layer, 1, rng))
    y, final, dx, dinitial = train(layer, np.ones((0, I), np.float32), state, [0], None, state)
    assert (y.shape, dx.shape) == ((0, H), (0, I))
    assert_same_bits(final, state)
    assert_same_bits(dinitial, state)


def test_rows_of_length_0_pass_the_state_through(cell, isa, dtype, rng):
    """y and dx are 0, even where x and dy hold NaN."""
    layer = make_layer(cell, I, H, 2, bidirectional=True, dtype=dtype, seed=0)
    state, dstate = random_state(layer, N, rng), random_state(layer, N, rng)
    x, dy = np.full((T, N, I), np.nan, dtype), np.full((T, N, 2 * H), np.nan, dtype)
    y, final, dx, dinitial = train(layer, x, state, [0, 0], dy, dstate)
    assert not y.any() and not dx.any()
    assert_same_bits(final, state)
    assert_same_bits(dinitial, dstate)
    assert not any(grad.any() for grad in layer.grads.values())


# -- the order of rows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [[3, 0, 5, 3], [0, 0], [1], [], [4, 5, 5]], ids=str)
def test_the_order_puts_the_longest_rows_first(lengths):
    """Rows of one length stay in their order; each step owns a row of the tape for each row that runs."""
    lengths, steps = np.array(lengths, int), 5
    order = Rows(lengths, None).order(steps)
    if order is None:
        assert (lengths == steps).all()
        return
    assert order.rows.tolist() == sorted(range(len(lengths)), key=lambda n: -lengths[n])
    np.testing.assert_array_equal(order.lengths, lengths[order.rows])
    assert np.diff(order.first).tolist() == [int((lengths > t).sum()) for t in range(steps)]
    assert tape_rows(order, steps, len(lengths)) == lengths.sum()


def test_full_rows_need_no_order():
    assert Rows(None, None).order(5) is Rows(np.array([5, 5]), None).order(5) is None
    assert tape_rows(None, 5, 2) == 10


def test_the_mask_is_true_before_the_end_of_each_row():
    expected = [[True, False, True], [False, False, True]]
    np.testing.assert_array_equal(length_mask(np.array([1, 0, 2]), 2), expected)
