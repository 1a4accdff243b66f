# SPDX-License-Identifier: BSD-3-Clause
"""An array, or a list with an entry for each row, from which batches are taken."""

import numpy as np
import pytest

from fastrnn.training._data.column import Column

ROWS = np.array([2, 0])


@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_of_an_array(batch_first):
    values = np.arange(12.0).reshape(4, 3)
    column = Column("a", values, batch_first, np.dtype(np.float32))
    assert column.count == (4 if batch_first else 3) and column.lengths is None
    taken = column.take(ROWS)
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, values[ROWS] if batch_first else values[:, ROWS])
    part = column.part(1, 3)
    assert (part.count, column.count) == (2, 4 if batch_first else 3)
    np.testing.assert_array_equal(part.take(np.array([1])), values[[2]] if batch_first else values[:, [2]])
    assert Column("a", np.arange(3), batch_first, None).take(ROWS).tolist() == [2, 0]  # a single axis is that of rows


@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_of_a_list_are_padded(batch_first):
    column = Column("a", [[1], [2, 3], [4, 5, 6]], batch_first, None)
    assert column.count == 3 and column.lengths.tolist() == [1, 2, 3]
    expected = np.array([[4, 5, 6], [1, 0, 0]])
    np.testing.assert_array_equal(column.take(ROWS), expected if batch_first else expected.T)
    part = column.part(1, 3)
    assert part.lengths.tolist() == [2, 3] and part.take(np.array([0])).ravel().tolist() == [2, 3]
    assert Column("a", [1, 2, 3], batch_first, None).take(ROWS).tolist() == [3, 1]


def test_a_single_number_has_no_rows():
    with pytest.raises(ValueError, match="a: expected rows, got a single float64"):
        Column("a", 1.0, True, None)
