# SPDX-License-Identifier: BSD-3-Clause
"""ctc_loss of empty rows, of extreme logits, of NaN and -inf, and of long rows."""

import numpy as np
import pytest
from support.losses import CTC_RTOL, assert_close, both_dtypes, ctc_batch, log_softmax

from fastrnn.losses import ctc_loss


@pytest.mark.filterwarnings("error")
def test_empty_rows_and_batches():
    logits = ctc_batch(4, 3, 3)
    nothing = ctc_loss(logits * np.nan, [[]] * 3, [0] * 3)
    assert str(nothing[0]) == "0.0" and nothing[1].shape == logits.shape and not nothing[1].any()
    assert ctc_loss(logits[:0], [[]] * 3, [0] * 3)[0] == 0.0
    assert ctc_loss(logits[:, :0], [], [])[1].shape == (4, 0, 3)
    assert str(ctc_loss(logits[:, :0], np.zeros((0, 5), int), [], [])[0]) == "0.0"
    # A row without steps counts as a row: the others are divided by N all the same.
    some = ctc_loss(logits, [[1], [], [1, 2]], [4, 0, 3])
    two = ctc_loss(logits[:, ::2], [[1], [1, 2]], [4, 3])
    assert some[0] == pytest.approx(two[0] * 2 / 3, rel=CTC_RTOL[np.float64])
    assert not some[1][:, 1].any()
    # Without labels every step is blank.
    blanks = ctc_loss(logits, [[]] * 3, [4] * 3)[0]
    assert blanks == pytest.approx(-log_softmax(logits)[..., 0].sum() / 3, rel=CTC_RTOL[np.float64])
    only_blank = ctc_loss(ctc_batch(4, 3, 1), [[]] * 3, [4] * 3)
    assert str(only_blank[0]) == "0.0" and not only_blank[1].any()


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_extreme_logits(dtype):
    """Three steps that say 0, 1, 2 for sure: 1, 2 costs nothing; 2, 1 is wrong at two steps in the best three paths."""
    logits = np.full((3, 1, 3), -1e4, dtype)
    logits[[0, 1, 2], 0, [0, 1, 2]] = 1e4
    with np.errstate(all="raise"):  # the caller's settings do not matter
        right = ctc_loss(logits, [[1, 2]], [3])
        wrong = ctc_loss(logits, [[2, 1]], [3])
    assert right[0] == 0.0 and not right[1].any()
    assert wrong[0] == pytest.approx((4e4 - np.log(3)) / 2, rel=CTC_RTOL[dtype])
    through = np.array([[1, 0, 2], [0, 2, 1], [1, 2, 0]]) / 3  # the share of 2 1 -, 2 1 1 and - 2 1 in each class
    np.testing.assert_allclose(wrong[1][:, 0], (np.eye(3) - through) / 2, rtol=0, atol=max(CTC_RTOL[dtype], 1e-11))


def test_float32_logits_are_not_rounded_beside_larger_ones():
    """0.01 below 2**20 would be lost in float32; the paths 1 1, 1 - and - 1 differ by it alone."""
    logits = np.array([[[0, 0.01, 2.0**20]]] * 2, np.float32)
    expected = ctc_loss(logits.astype(np.float64), [[1]], [2])
    assert_close(ctc_loss(logits, [[1]], [2]), expected, np.float32, CTC_RTOL)
    e = np.exp(float(logits[0, 0, 1]))
    assert expected[1][0, 0, 1] == pytest.approx(-(e + 1) / (e + 2), rel=1e-8)  # logarithms of about 1e6 are rounded


@both_dtypes
@pytest.mark.parametrize("values", [[np.nan, 0, 0, 0], [0, 0, 0, np.inf], [-np.inf] * 4], ids=str)
@pytest.mark.filterwarnings("error")
def test_nan_stays_in_its_row(values, dtype):
    logits, targets = ctc_batch(5, 2, 4, dtype), [[1, 2], [3, 3]]
    _, clean = ctc_loss(logits, targets, [5, 5])
    logits[2, 0] = values
    loss, dlogits = ctc_loss(logits, targets, [5, 5])
    assert np.isnan(loss) and np.isnan(dlogits[:, 0]).all()
    np.testing.assert_array_equal(dlogits[:, 1], clean[:, 1])


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_a_forbidden_target_costs_inf(dtype):
    logits, targets = ctc_batch(5, 2, 4, dtype), [[1, 2], [3, 3]]
    _, clean = ctc_loss(logits, targets, [5, 5])
    logits[:, 0, 2] = -np.inf
    loss, dlogits = ctc_loss(logits, targets, [5, 5])
    assert loss == np.inf and np.isnan(dlogits[:, 0]).all()
    np.testing.assert_array_equal(dlogits[:, 1], clean[:, 1])


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_a_forbidden_class_is_a_class_less(dtype):
    """-inf for class 2 is the same as having no class 2."""
    logits, targets = ctc_batch(6, 2, 3, dtype), [[1], [1, 1]]
    loss, dlogits = ctc_loss(logits[..., :2], targets, [6, 5])
    logits[..., 2] = -np.inf
    result = ctc_loss(logits, targets, [6, 5])
    assert_close((result[0], result[1][..., :2]), (loss, dlogits), dtype, CTC_RTOL)
    assert not result[1][..., 2].any()


def test_a_long_row_does_not_underflow():
    """2000 steps of 50 equal classes: P is 1e-3250, and the number of paths is a binomial coefficient.

    A target of U different labels is spelled by as many paths of T steps as there are ways to choose 2 U of T + U
    things: U labels and U + 1 blanks, each label at least one step long, each blank any number.
    """
    T, U, V = 2000, 40, 50
    loss, dlogits = ctc_loss(np.zeros((T, 1, V), np.float32), [list(range(1, U + 1))], [T])
    ways = np.log(np.arange(T + 1 - U, T + U + 1)).sum() - np.log(np.arange(1, 2 * U + 1)).sum()
    assert loss == pytest.approx((T * np.log(V) - ways) / U, rel=1e-12)
    assert np.isfinite(dlogits).all() and dlogits.any()
