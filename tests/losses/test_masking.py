# SPDX-License-Identifier: BSD-3-Clause
"""What all losses share: weights of samples, reductions, and what cannot be a prediction."""

import re

import numpy as np
import pytest
from support.every_loss import LENGTHS, ROWS, N, T, V, each_case, one_by_one, prediction_of
from support.losses import RTOL, RTOL_DIFFERENCES, assert_same_bits, both_dtypes
from support.tolerance import central_differences

import fastrnn as fr
from fastrnn.losses import Mean, Sum

INSIDE = np.arange(T)[:, None] < np.array(LENGTHS)


def weights_of(kind, case):
    """Weights of samples, some 0, as they are passed; and of each unit of the loss (T, N, ...)."""
    units = (T, N, V)[: case.axes]
    rng = np.random.default_rng(7)
    given = {
        "rows": ROWS * [1, 1, 0] if case.axes == 0 else ROWS,
        "some rows": np.array([1.5, 0.0, 2.0]),
        "positions": rng.uniform(0.1, 3, (T, N)) * (rng.uniform(size=(T, N)) < 0.7),
        "elements": rng.uniform(0.1, 3, units) * (rng.uniform(size=units) < 0.7),
        "mask": rng.uniform(size=units) < 0.6,
    }[kind]
    weights = np.asarray(given, float)
    return given, np.broadcast_to(
        weights[..., None]
        if weights.ndim == 2 < case.axes
        else weights
        if weights.ndim > 1
        else weights.reshape(N, *(1,) * (case.axes - 2)),
        units,
    )


each_kind = pytest.mark.parametrize("kind", ["rows", "some rows", "positions", "elements", "mask"])


def swapped(array, batch_first):
    return np.ascontiguousarray(np.swapaxes(array, 0, 1)) if batch_first else array


@each_case
@each_kind
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.filterwarnings("error")
def test_weights_of_samples(case, kind, lengths, batch_first):
    """The mean is divided by the sum of the weights; where they are 0, nothing is read."""
    given, weights = weights_of(kind, case)
    prediction, target = prediction_of(), np.array(case.target)
    counted = weights > 0
    if lengths is not None:
        counted = counted & INSIDE.reshape(T, N, *(1,) * (case.axes - 2))
    totals, divisors = one_by_one(case, prediction, counted)
    total, divisor = (weights * totals).sum(), (weights * divisors).sum()
    prediction[~counted] = np.nan
    if target.dtype == float:
        target[~counted] = np.nan
    elif target.dtype == int:
        target[~counted] = 10**6
    given = given if np.ndim(given) == 1 else swapped(given, batch_first)
    options = {"sample_weight": given, "lengths": lengths, "batch_first": batch_first}
    loss, slope = case.loss(swapped(prediction, batch_first), swapped(target, batch_first), **options)
    assert loss == pytest.approx(total / divisor, rel=RTOL[np.float64])
    assert (loss.total, loss.weight) == pytest.approx((total, divisor), rel=RTOL[np.float64])
    assert not swapped(slope, batch_first)[~counted].any()


@each_case
@each_kind
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_match_central_differences(case, kind, reduction):
    given, weights = weights_of(kind, case)
    prediction = prediction_of()
    options = {"sample_weight": given, "lengths": LENGTHS, "reduction": reduction}
    _, slope = case.loss(prediction, case.target, **options)
    expected = central_differences(lambda p: case.loss(p, case.target, **options)[0], prediction)
    np.testing.assert_allclose(slope, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


@both_dtypes
@each_case
def test_equal_weights_change_nothing(case, dtype):
    prediction = prediction_of(dtype)
    loss, slope = case.loss(prediction, case.target)
    for weights in (np.ones((T, N)), np.full(N, 4, np.uint8), [True] * N):
        weighted, wslope = case.loss(prediction, case.target, sample_weight=weights)
        assert weighted == pytest.approx(loss, rel=RTOL[dtype])
        np.testing.assert_allclose(wslope, slope, rtol=0, atol=RTOL[dtype] * np.abs(slope).max())
        assert wslope.dtype == dtype and wslope.flags.c_contiguous


@each_case
def test_weights_of_zero_are_an_empty_batch(case):
    for reduction in "mean", "sum":
        loss, slope = case.loss(
            prediction_of() * np.nan, case.target, sample_weight=np.zeros((T, N)), reduction=reduction
        )
        assert (str(loss), loss.total, loss.weight) == ("0.0", 0, 0) and not slope.any()


@both_dtypes
@each_case
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_the_sum_is_the_mean_times_the_weight(case, lengths, dtype):
    prediction = prediction_of(dtype)
    mean, slope = case.loss(prediction, case.target, lengths=lengths)
    total, sum_slope = case.loss(prediction, case.target, lengths=lengths, reduction="sum")
    assert type(mean) is Mean and type(total) is Sum
    assert total == total.total == mean.total and total.weight == mean.weight
    assert mean == pytest.approx(total / total.weight, rel=RTOL[np.float64])
    expected = slope * mean.weight
    np.testing.assert_allclose(sum_slope, expected, rtol=0, atol=RTOL[dtype] * np.abs(expected).max())


@each_case
def test_parts_add_up(case):
    """Totals and weights of rows are those of the batch."""
    prediction = prediction_of()
    whole, _ = case.loss(prediction, case.target, lengths=LENGTHS)
    parts = [
        case.loss(prediction[:, n : n + 1], case.target[:, n : n + 1], lengths=LENGTHS[n : n + 1])[0] for n in range(N)
    ]
    assert sum(part.total for part in parts) == pytest.approx(whole.total, rel=RTOL[np.float64])
    assert sum(part.weight for part in parts) == pytest.approx(whole.weight, rel=RTOL[np.float64])


def test_rows_without_time():
    """Of (N, F), rows are the first axis; with lengths (T, N) are time and rows, however large they are."""
    p, w = np.arange(9.0).reshape(3, 3), np.array([1.0, 0.0, 2.0])
    assert fr.mse_loss(p, 0 * p, sample_weight=w)[0] == pytest.approx((w @ (p * p)).sum() / 9)
    full = fr.mse_loss(p, 0 * p, sample_weight=w, lengths=[3] * 3)
    assert full[0] == pytest.approx(((p * p) @ w).sum() / 9)
    first = fr.mse_loss(p, 0 * p, sample_weight=w, lengths=[3] * 3, batch_first=True)
    assert_same_bits(first, fr.mse_loss(p, 0 * p, sample_weight=w))
    assert fr.mse_loss(np.array(3.0), 0, sample_weight=2)[0] == 9.0


@each_case
@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"sample_weight": np.ones(T)}, ValueError, r"sample_weight: expected \(3,\) or \(5, 3\).*, got \(5,\)"),
        ({"sample_weight": np.ones((N, T))}, ValueError, r"sample_weight: expected \(3,\) or \(5, 3\).*, got \(3, 5\)"),
        ({"sample_weight": np.ones((T, 1))}, ValueError, r"sample_weight: expected .*, got \(5, 1\)"),
        ({"sample_weight": 2.0}, ValueError, r"sample_weight: expected .*, got \(\)"),
        ({"sample_weight": [1, -1, 1]}, ValueError,
         r"sample_weight: expected finite numbers >= 0, got -1 at position \(1,\)"),
        ({"sample_weight": [1, 1, np.nan]}, ValueError, "sample_weight: expected finite numbers >= 0, got nan"),
        ({"sample_weight": "abc"}, TypeError, "sample_weight: expected numbers, got <U3"),
        ({"reduction": "none"}, ValueError, "reduction: expected one of mean, sum, got 'none'"),
        ({"reduction": None}, ValueError, "reduction: expected one of mean, sum, got None"),
    ],
)  # fmt: skip
def test_bad_options(case, options, error, text):
    with pytest.raises(error, match=f"^{text}"):
        case.loss(prediction_of(), case.target, **options)


@pytest.mark.parametrize("results, came", [(2, "(y, state)"), (3, "(y, state, tape)")])
def test_all_that_a_recurrent_layer_returns_is_no_prediction(results, came):
    """An LSTM's state is a tuple, a GRU's an array of the same shape as y where both have one step."""
    for layer in fr.LSTM(2, 4, seed=0), fr.GRU(2, 4, seed=0):
        x = np.ones((1, 2, 2), np.float32)
        result = layer(x) if results == 2 else layer.forward(x)
        for loss, name, target in [
            (fr.mse_loss, "prediction", result[0]),
            (fr.cross_entropy, "logits", [[0, 1]]),
            (fr.binary_cross_entropy_with_logits, "logits", result[0] > 0),
            (lambda z, y: fr.ctc_loss(z, y, None), "logits", [[1], [2]]),
            (lambda z, y: fr.quantile_loss(z, y, quantiles=[0.1, 0.2, 0.3, 0.4]), "prediction", [[0, 1]]),
        ]:
            text = f"{name}: expected the output y, got a tuple {came} as a recurrent layer returns it: use result[0]"
            with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
                loss(result, target)
            loss(result[0], target)


def test_tuples_of_numbers_are_arrays():
    assert fr.mse_loss(((1.0, 2.0), (3.0, 4.0)), np.zeros((2, 2)))[0] == 7.5
