# SPDX-License-Identifier: BSD-3-Clause
"""ctc_loss with weights of rows, as a sum, and with rows whose loss is infinite."""

import re

import numpy as np
import pytest
from support.losses import CTC_RTOL, RTOL_DIFFERENCES, assert_close, both_dtypes, ctc_batch
from support.tolerance import central_differences

from fastrnn.losses import Mean, Sum, ctc_loss

TARGETS = [[1, 2], [3], [], [2, 2, 1]]
STEPS = [5, 7, 3, 9]
WEIGHTS = np.array([0.5, 2.0, 3.0, 1.25])


def rows(logits, **options):
    """Each row alone."""
    return [ctc_loss(logits[:, n : n + 1], [TARGETS[n]], [STEPS[n]], **options) for n in range(len(TARGETS))]


@both_dtypes
@pytest.mark.parametrize("batch_first", [False, True])
def test_weights_of_rows(batch_first, dtype):
    logits = ctc_batch(9, 4, 5, dtype)
    alone = rows(logits)
    loss = sum(w * row for w, (row, _) in zip(WEIGHTS, alone, strict=True)) / WEIGHTS.sum()
    slope = np.concatenate([w * d for w, (_, d) in zip(WEIGHTS, alone, strict=True)], axis=1) / WEIGHTS.sum()
    z = logits.swapaxes(0, 1) if batch_first else logits
    found, dlogits = ctc_loss(z, TARGETS, STEPS, sample_weight=WEIGHTS, batch_first=batch_first)
    assert type(found) is Mean and found.weight == WEIGHTS.sum()
    assert_close((found, dlogits.swapaxes(0, 1) if batch_first else dlogits), (loss, slope), dtype, CTC_RTOL)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradient_matches_central_differences(reduction):
    logits = ctc_batch(9, 4, 5)
    options = {"sample_weight": [0, 1, 2, 3], "reduction": reduction}
    _, dlogits = ctc_loss(logits, TARGETS, STEPS, **options)
    expected = central_differences(lambda z: ctc_loss(z, TARGETS, STEPS, **options)[0], logits)
    np.testing.assert_allclose(dlogits, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


@pytest.mark.filterwarnings("error")
def test_rows_of_weight_0_are_not_read():
    """Neither logits nor labels, which need not fit."""
    logits = ctc_batch(9, 4, 5)
    expected = ctc_loss(logits[:, [0, 2, 3]], [TARGETS[n] for n in (0, 2, 3)], [5, 3, 9])
    logits[:, 1] = np.nan
    for weights in ([1, 0, 1, 1], [True, False, True, True]):
        targets = [TARGETS[0], [0, -7, 99] * 9, *TARGETS[2:]]
        loss, dlogits = ctc_loss(logits, targets, [5, 2, 3, 9], sample_weight=weights)
        assert_close((loss, dlogits[:, [0, 2, 3]]), expected, np.float64, CTC_RTOL)
        assert not dlogits[:, 1].any()
    loss, dlogits = ctc_loss(logits, TARGETS, STEPS, sample_weight=[0] * 4)
    assert (str(loss), loss.weight) == ("0.0", 0) and not dlogits.any()


@both_dtypes
def test_the_sum_is_not_divided_by_labels(dtype):
    logits = ctc_batch(9, 4, 5, dtype)
    loss, dlogits = ctc_loss(logits, TARGETS, STEPS, reduction="sum")
    alone = rows(logits)
    expected = sum(max(len(t), 1) * row for t, (row, _) in zip(TARGETS, alone, strict=True))
    slope = np.concatenate([max(len(t), 1) * d for t, (_, d) in zip(TARGETS, alone, strict=True)], axis=1)
    assert type(loss) is Sum and loss.weight == 4
    assert_close((loss, dlogits), (expected, slope), dtype, CTC_RTOL)


@both_dtypes
@pytest.mark.parametrize("zero_infinity", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_torch_agrees(reduction, zero_infinity, dtype):
    torch = pytest.importorskip("torch")
    targets, steps = [[1, 2], [3], [4, 4, 4], [2, 2, 1]], [5, 7, 4 if zero_infinity else 5, 9]
    logits = ctc_batch(9, 4, 5, dtype)
    z = torch.tensor(logits.astype(np.float64), requires_grad=True)
    loss = torch.nn.functional.ctc_loss(
        torch.nn.functional.log_softmax(z, -1), torch.tensor(sum(targets, [])), torch.tensor(steps),
        torch.tensor([len(t) for t in targets]), reduction=reduction, zero_infinity=zero_infinity,
    )  # fmt: skip
    loss.backward()
    found = ctc_loss(logits, targets, steps, reduction=reduction, zero_infinity=zero_infinity)
    assert_close(found, (loss.item(), z.grad.numpy()), dtype, CTC_RTOL)
    assert found[1][:, 2].any() != zero_infinity


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_infinite_rows_count_as_0(dtype):
    """Rows with too few steps, none at all, and one whose label is forbidden; NaN stays NaN."""
    logits = ctc_batch(9, 4, 5, dtype)
    logits[:, 3, 2] = -np.inf
    loss, dlogits = ctc_loss(logits, TARGETS, [1, 7, 3, 9], zero_infinity=True)
    kept = [row for n, row in enumerate(rows(logits, zero_infinity=True)) if n in (1, 2)]
    assert loss == pytest.approx((kept[0][0] + kept[1][0]) / 4, rel=CTC_RTOL[dtype]) and loss.weight == 4
    assert not dlogits[:, [0, 3]].any() and dlogits[:, 1].any()
    none = ctc_loss(logits[:0], TARGETS, [0] * 4, zero_infinity=True)
    assert (str(none[0]), none[0].weight) == ("0.0", 4)
    logits[0, 1, 0] = np.nan
    loss, dlogits = ctc_loss(logits, TARGETS, [1, 7, 3, 9], zero_infinity=True)
    assert np.isnan(loss) and np.isnan(dlogits[:7, 1]).all() and not dlogits[:, 0].any()


def test_parts_add_up():
    logits = ctc_batch(9, 4, 5)
    whole, parts = ctc_loss(logits, TARGETS, STEPS)[0], [row for row, _ in rows(logits)]
    assert sum(part.total for part in parts) == pytest.approx(whole.total, rel=CTC_RTOL[np.float64])
    assert sum(part.weight for part in parts) == whole.weight


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"sample_weight": [1.0]}, ValueError, "sample_weight: expected (4,), got (1,)"),
        ({"sample_weight": np.ones((9, 4))}, ValueError, "sample_weight: expected (4,), got (9, 4)"),
        ({"zero_infinity": 1}, TypeError, "zero_infinity: expected True or False, got 1"),
        ({"reduction": "none"}, ValueError, "reduction: expected one of mean, sum, got 'none'"),
    ],
)
def test_bad_options(options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        ctc_loss(ctc_batch(9, 4, 5), TARGETS, STEPS, **options)
