# SPDX-License-Identifier: BSD-3-Clause
"""Where the steps of packed rows lie: what the caller says is checked, what `fit` has packed itself is known."""

import numpy as np
import pytest
from support.layers import assert_same_bits

import fastrnn as fr
from fastrnn._engine.ragged import PackedRows
from fastrnn.nn._packed import packed


@pytest.mark.parametrize("size", [8, 2**32, 10**17, 2**63 - 1, np.uint64(2**64 - 1)])
def test_more_rows_than_there_are_steps(size):
    """No memory is asked for so many."""
    x = fr.PackedSequence(np.ones((7, 3), np.float32), np.array([size]))
    with pytest.raises(ValueError, match=rf"x\.data: expected at least {size} steps, the first of each row, got shape"):
        fr.GRU(3, 4, seed=0)(x)


def test_rows_that_fit_has_packed_may_be_replaced():
    """Their order is known; that of what `_replace` makes of them is found anew, and checked."""
    arrays = [np.ones((length, 3), np.float32) for length in (2, 4, 1)]
    x = packed(arrays, PackedRows.of(np.array([2, 4, 1])))
    doubled = x._replace(data=2 * x.data)
    gru = fr.GRU(3, 4, seed=0)
    expected, _ = gru(fr.pack_sequence([2 * array for array in arrays]))
    assert_same_bits(gru(doubled)[0].unpack(), expected.unpack())
    with pytest.raises(ValueError, match=r"x\.data: expected 7 steps"):
        gru(x._replace(data=x.data[1:]))


@pytest.mark.parametrize("lengths", [[1, 3], [2, 2], [4]])
def test_a_gradient_that_is_packed_otherwise_is_refused(lengths):
    """It has as many steps as y, of other rows; and no other kind of x has a packed gradient."""
    gru, x = fr.GRU(2, 3, seed=0), [np.ones((length, 2), np.float32) for length in (3, 1)]
    other = fr.pack_sequence([np.ones((length, 3), np.float32) for length in lengths])
    packed = fr.pack_sequence(x)
    results = []
    for dy in np.ones((4, 3), np.float32), fr.pack_sequence([np.ones((length, 3), np.float32) for length in (3, 1)]):
        results.append(gru.backward(gru.forward(packed)[2], dy)[0])
    np.testing.assert_array_equal(*results)
    for layer, value in (
        (gru, packed),
        (gru, np.ones((4, 2), np.float32)),
        (fr.Linear(2, 3), np.ones((4, 2), np.float32)),
    ):
        *_, tape = layer.forward(value)
        with pytest.raises(ValueError, match="dy: expected an array, or sequences packed as those of x, got others"):
            layer.backward(tape, other)
        layer.backward(tape, np.ones((4, 3), np.float32))
