# SPDX-License-Identifier: BSD-3-Clause
"""mse_loss, l1_loss and huber_loss against their definitions, their gradients against central differences."""

import re
from functools import partial

import numpy as np
import pytest
from support.tolerance import central_differences

from fastrnn.losses._regression import huber_loss, l1_loss, mse_loss

T, N, F = 5, 3, 4

# Relative. A difference, a product and a division per element: 8 eps. In float64 the sum of 60 terms counts: 64 eps.
RTOL = {np.float32: 8 * 2.0**-24, np.float64: 64 * 2.0**-53}
# Central differences with a step of 1e-5: truncation 1e-11, rounding 1e-16 / 1e-5 = 1e-11.
RTOL_DIFFERENCES = 1e-6

# Each loss with the loss of one error, as it is written on paper.
LOSSES = {
    "mse": (mse_loss, lambda d: d * d),
    "l1": (l1_loss, abs),
    "huber": (huber_loss, lambda d: d * d / 2 if abs(d) <= 1 else abs(d) - 0.5),
    "huber 0.3": (partial(huber_loss, delta=0.3), lambda d: d * d / 2 if abs(d) <= 0.3 else 0.3 * (abs(d) - 0.15)),
}

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_loss = pytest.mark.parametrize("loss_function, on_paper", LOSSES.values(), ids=LOSSES)


def batch(dtype=np.float64, shape=(T, N, F), seed=0):
    """A prediction and a target; errors are on both sides of 0.3 and 1."""
    rng = np.random.default_rng(seed)
    return tuple(np.asarray(rng.standard_normal(shape), dtype) for _ in range(2))


def assert_same_bits(got, expected):
    assert got[0] == expected[0]
    np.testing.assert_array_equal(got[1], expected[1], strict=True)


@both_dtypes
@each_loss
@pytest.mark.parametrize("shape", [(), (7,), (T, N), (T, N, F), (2, 3, 2, 2)])
def test_matches_the_definition(loss_function, on_paper, shape, dtype):
    prediction, target = batch(dtype, shape)
    errors = (prediction.astype(np.float64) - target).reshape(-1)
    loss, dprediction = loss_function(prediction, target)
    assert type(loss) is float
    assert loss == pytest.approx(sum(on_paper(d) for d in errors) / errors.size, rel=RTOL[dtype])
    assert dprediction.dtype == dtype and dprediction.shape == shape


@each_loss
@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
def test_gradient_matches_central_differences(loss_function, on_paper, lengths):
    prediction, target = batch()
    _, dprediction = loss_function(prediction, target, lengths=lengths)
    expected = central_differences(lambda p: loss_function(p, target, lengths=lengths)[0], prediction)
    np.testing.assert_allclose(dprediction, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


@both_dtypes
@each_loss
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rest", [(), (F,), (2, 2)])
@pytest.mark.filterwarnings("error")
def test_lengths_hide_what_lies_beyond(loss_function, on_paper, batch_first, rest, dtype):
    prediction, target = batch(dtype, (T, N, *rest))
    lengths = np.array([2, 0, 5], np.uint8)
    beyond = np.arange(T)[:, None] >= lengths
    if batch_first:
        prediction, target, beyond = prediction.swapaxes(0, 1), target.swapaxes(0, 1), beyond.T
    errors = (prediction[~beyond].astype(np.float64) - target[~beyond]).reshape(-1)
    prediction[beyond] = target[beyond] = np.nan
    loss, dprediction = loss_function(prediction, target, lengths=lengths, batch_first=batch_first)
    assert loss == pytest.approx(sum(on_paper(d) for d in errors) / errors.size, rel=RTOL[dtype])
    assert not dprediction[beyond].any()
    alone = loss_function(prediction[~beyond], target[~beyond])
    assert_same_bits((loss, dprediction[~beyond]), alone)


@each_loss
def test_full_lengths_change_nothing(loss_function, on_paper):
    prediction, target = batch()
    assert_same_bits(loss_function(prediction, target, lengths=[T] * N), loss_function(prediction, target))


@each_loss
def test_nothing_counted_is_zero(loss_function, on_paper):
    prediction, target = batch()
    for loss, dprediction in (
        loss_function(prediction * np.nan, target, lengths=[0] * N),
        loss_function(prediction[:0], target[:0]),
        loss_function(prediction[:0], target[:0], lengths=[0] * N),
        loss_function(prediction[..., :0], target[..., :0], lengths=[2] * N),
    ):
        assert loss == 0.0
        assert not dprediction.any()
    assert loss_function(prediction * np.nan, target, lengths=[0] * N)[1].shape == (T, N, F)
    assert dprediction.shape == (T, N, 0)


@each_loss
def test_no_error_no_loss(loss_function, on_paper):
    prediction, _ = batch()
    loss, dprediction = loss_function(prediction, prediction)
    assert loss == 0.0 and not dprediction.any()


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_large_errors(dtype):
    """The square of 1e30 is no float32 number; the sum is one of float64."""
    prediction, target = np.array([1e30, 0], dtype), np.array([0, -1e30], dtype)
    expected = float(dtype(1e30))
    with np.errstate(all="raise"):  # the caller's settings do not matter
        assert mse_loss(prediction, target)[0] == pytest.approx(expected**2, rel=RTOL[dtype])
        assert l1_loss(prediction, target)[0] == pytest.approx(expected, rel=RTOL[dtype])
        loss, dprediction = huber_loss(prediction, target)
    assert loss == pytest.approx(expected, rel=RTOL[dtype])
    np.testing.assert_array_equal(dprediction, [0.5, 0.5])


@both_dtypes
@each_loss
@pytest.mark.filterwarnings("error")
def test_values_that_are_not_finite(loss_function, on_paper, dtype):
    zeros = np.zeros(2, dtype)
    for bad in (np.nan, np.inf, -np.inf):
        row = np.array([0, bad], dtype)
        expected = pytest.approx(abs(bad), nan_ok=True)
        assert loss_function(row, zeros)[0] == expected
        assert loss_function(zeros, row)[0] == expected
    assert np.isnan(loss_function(np.array([np.nan, 0], dtype), zeros)[1]).tolist() == [True, False]


def test_huber_lies_between_the_other_two():
    """With a delta beyond every error it is half the squared error; with a tiny one, delta times the absolute one."""
    prediction, target = batch(seed=3)
    loss, dprediction = huber_loss(prediction, target, delta=100)
    squared, dsquared = mse_loss(prediction, target)
    assert loss == pytest.approx(squared / 2, rel=RTOL[np.float64])
    np.testing.assert_allclose(dprediction, dsquared / 2, rtol=RTOL[np.float64])
    loss, dprediction = huber_loss(prediction, target, delta=2.0**-30)
    absolute, dabsolute = l1_loss(prediction, target)
    # The parabola is missing delta / 2 of |d|, and delta is 1e-9.
    assert loss * 2.0**30 == pytest.approx(absolute, rel=1e-8)
    np.testing.assert_array_equal(dprediction * 2.0**30, dabsolute)
    wide = huber_loss(prediction.astype(np.float32), target.astype(np.float32), delta=1e300)  # inf in float32
    assert wide[0] == pytest.approx(squared / 2, rel=1e-6)


@both_dtypes
@each_loss
def test_targets_of_every_kind(loss_function, on_paper, dtype):
    prediction, _ = batch(dtype)
    target = np.random.default_rng(4).integers(0, 2, (T, N, F))
    expected = loss_function(prediction, target.astype(dtype))
    for kind in (bool, np.uint8, np.int64, np.uint64, np.float16, np.float32, np.float64):
        assert_same_bits(loss_function(prediction, target.astype(kind)), expected)
    assert_same_bits(loss_function(prediction, target.tolist()), expected)


@each_loss
def test_any_array_is_taken_and_none_is_written_to(loss_function, on_paper):
    prediction, target = batch()
    expected = loss_function(prediction, target, lengths=[5, 2, 3])
    strided = np.full((2 * T, N, 3 * F), np.nan)[::2, :, 1::3]
    strided[...] = prediction
    fortran = np.asfortranarray(prediction)
    for array in (prediction, target, strided, fortran):
        array.flags.writeable = False  # a write would raise
    for p in (prediction, strided, fortran, prediction.tolist(), memoryview(prediction)):
        got = loss_function(p, target, lengths=[5, 2, 3])
        assert_same_bits(got, expected)
        assert got[1].flags.c_contiguous and got[1].flags.writeable
        assert loss_function(p, target)[1].flags.c_contiguous


PREDICTION, TARGET = batch()


@each_loss
@pytest.mark.parametrize(
    "prediction, target, options, error, text",
    [
        (PREDICTION.astype(int), TARGET, {}, TypeError, "prediction: expected float32 or float64, got int64"),
        (None, TARGET, {}, TypeError, "prediction: expected float32 or float64, got None"),
        (PREDICTION, TARGET.astype(complex), {}, TypeError, "target: expected numbers, got complex128"),
        (PREDICTION, "a", {}, TypeError, "target: expected numbers, got <U1"),
        (PREDICTION, None, {}, TypeError, "target: expected numbers, got None"),
        (PREDICTION, TARGET[..., 0], {}, ValueError, "target: expected (5, 3, 4), got (5, 3)"),
        (PREDICTION, 0.0, {}, ValueError, "target: expected (5, 3, 4), got ()"),
        (PREDICTION, TARGET, {"lengths": [1, 2]}, ValueError, "lengths: expected (3,), got (2,)"),
        (PREDICTION, TARGET, {"lengths": [1, 6, 2]}, ValueError,
         "lengths: expected integers in 0..5, got 6 at position (1,)"),
        (PREDICTION, TARGET, {"lengths": [1, -1, 2]}, ValueError,
         "lengths: expected integers in 0..5, got -1 at position (1,)"),
        (PREDICTION, TARGET, {"lengths": [1.0, 2.0, 2.0]}, TypeError, "lengths: expected integers, got float64"),
        (PREDICTION, TARGET, {"lengths": [1, 2, 3], "batch_first": True}, ValueError,
         "lengths: expected (5,), got (3,)"),
        (PREDICTION[0, 0], TARGET[0, 0], {"lengths": [1]}, ValueError,
         "prediction: expected (T, N, ...) with lengths, got (4,)"),
        (PREDICTION[0, 0], TARGET[0, 0], {"lengths": [1], "batch_first": True}, ValueError,
         "prediction: expected (N, T, ...) with lengths, got (4,)"),
        (PREDICTION, TARGET, {"batch_first": 1}, TypeError, "batch_first: expected True or False, got 1"),
    ],
)  # fmt: skip
def test_errors_say_what_was_expected_and_what_came(loss_function, on_paper, prediction, target, options, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        loss_function(prediction, target, **options)


@pytest.mark.parametrize(
    "delta, error",
    [
        (0, ValueError),
        (-1.0, ValueError),
        (np.inf, ValueError),
        (np.nan, ValueError),
        (10**400, ValueError),
        ("1", TypeError),
        (None, TypeError),
    ],
    ids=["0", "-1", "inf", "nan", "10**400", "str", "None"],
)
def test_delta_is_checked(delta, error):
    with pytest.raises(error, match=f"^delta: expected a finite number above 0, got {re.escape(repr(delta))}$"):
        huber_loss(PREDICTION, TARGET, delta=delta)


@both_dtypes
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
def test_torch_agrees(name, lengths, dtype):
    torch = pytest.importorskip("torch")
    prediction, target = batch(dtype, seed=2)
    loss, dprediction = LOSSES[name][0](prediction, target, lengths=lengths)
    counted = torch.tensor(np.arange(T)[:, None] < np.array([T] * N if lengths is None else lengths))
    functional = torch.nn.functional
    theirs = {
        "mse": functional.mse_loss,
        "l1": functional.l1_loss,
        "huber": functional.huber_loss,
        "huber 0.3": partial(functional.huber_loss, delta=0.3),
    }[name]
    p = torch.tensor(prediction, requires_grad=True)
    expected = theirs(p[counted], torch.tensor(target)[counted])
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=RTOL[dtype])
    np.testing.assert_allclose(dprediction, p.grad.numpy(), rtol=RTOL[dtype], atol=0)
