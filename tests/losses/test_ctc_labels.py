# SPDX-License-Identifier: BSD-3-Clause
"""The labels of CTC as an array, and the rows that they do not fit into."""

import numpy as np
import pytest

from fastrnn.losses import ctc_loss
from fastrnn.losses._ctc_labels import as_labels


def test_labels_are_blank_behind_their_end():
    labels, counts = as_labels([[3, 1], [], [2]], None, 3, 4, 0, None)
    assert labels.tolist() == [[3, 1], [0, 0], [2, 0]] and counts.tolist() == [2, 0, 1]
    labels, counts = as_labels(np.array([[3, 1, 9], [2, 2, 2]]), [2, 3], 2, 4, 0, None)
    assert labels.tolist() == [[3, 1, 0], [2, 2, 2]] and counts.tolist() == [2, 3]


def test_rows_that_do_not_count_have_no_labels():
    """Those that they have are not looked at."""
    labels, counts = as_labels([[9, -1, 0], [2]], None, 2, 4, 0, np.array([False, True]))
    assert labels.tolist() == [[0], [2]] and counts.tolist() == [0, 1]


def test_errors_name_the_rows_that_do_not_fit():
    logits, one = np.zeros((2, 7, 3)), "(2 labels, 0 of them like the one before), got 1"
    with pytest.raises(ValueError) as caught:
        ctc_loss(logits, [[1, 2]] * 7, [1, 2, 1, 2, 2, 2, 2])
    assert str(caught.value) == (
        f"input_lengths: expected at least 2 for row 0 {one}; at least 2 for row 2 {one}; "
        "zero_infinity=True counts such rows as 0"
    )
    with pytest.raises(ValueError, match="row 3 .*; 7 of 7 rows in all; zero_infinity=True") as caught:
        ctc_loss(logits, [[1, 2]] * 7, [1] * 7)
    assert "row 4" not in str(caught.value)
