# SPDX-License-Identifier: BSD-3-Clause
"""mse_loss, l1_loss and huber_loss against their definitions, their gradients against central differences."""

from functools import partial

import numpy as np
import pytest
from support.losses import (
    LOSSES,
    REGRESSION_RTOL,
    RTOL_DIFFERENCES,
    F,
    N,
    T,
    assert_same_bits,
    both_dtypes,
    each_loss,
    regression_batch,
)
from support.tolerance import central_differences

from fastrnn.losses import Mean, huber_loss, l1_loss, mse_loss


@both_dtypes
@each_loss
@pytest.mark.parametrize("shape", [(), (7,), (T, N), (T, N, F), (2, 3, 2, 2)])
def test_matches_the_definition(loss_function, on_paper, shape, dtype):
    prediction, target = regression_batch(dtype, shape)
    errors = (prediction.astype(np.float64) - target).reshape(-1)
    loss, dprediction = loss_function(prediction, target)
    assert isinstance(loss, Mean) and repr(loss) == repr(float(loss))
    assert loss == pytest.approx(sum(on_paper(d) for d in errors) / errors.size, rel=REGRESSION_RTOL[dtype])
    assert dprediction.dtype == dtype and dprediction.shape == shape


@each_loss
@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
def test_gradient_matches_central_differences(loss_function, on_paper, lengths):
    prediction, target = regression_batch()
    _, dprediction = loss_function(prediction, target, lengths=lengths)
    expected = central_differences(lambda p: loss_function(p, target, lengths=lengths)[0], prediction)
    np.testing.assert_allclose(dprediction, expected, rtol=0, atol=RTOL_DIFFERENCES * np.abs(expected).max())


@both_dtypes
@each_loss
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("rest", [(), (F,), (2, 2)])
@pytest.mark.filterwarnings("error")
def test_lengths_hide_what_lies_beyond(loss_function, on_paper, batch_first, rest, dtype):
    prediction, target = regression_batch(dtype, (T, N, *rest))
    lengths = np.array([2, 0, 5], np.uint8)
    beyond = np.arange(T)[:, None] >= lengths
    if batch_first:
        prediction, target, beyond = prediction.swapaxes(0, 1), target.swapaxes(0, 1), beyond.T
    errors = (prediction[~beyond].astype(np.float64) - target[~beyond]).reshape(-1)
    prediction[beyond] = target[beyond] = np.nan
    loss, dprediction = loss_function(prediction, target, lengths=lengths, batch_first=batch_first)
    assert loss == pytest.approx(sum(on_paper(d) for d in errors) / errors.size, rel=REGRESSION_RTOL[dtype])
    assert not dprediction[beyond].any()
    alone = loss_function(prediction[~beyond], target[~beyond])
    assert_same_bits((loss, dprediction[~beyond]), alone)


@each_loss
def test_full_lengths_change_nothing(loss_function, on_paper):
    prediction, target = regression_batch()
    assert_same_bits(loss_function(prediction, target, lengths=[T] * N), loss_function(prediction, target))


@each_loss
def test_nothing_counted_is_zero(loss_function, on_paper):
    prediction, target = regression_batch()
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
    prediction, _ = regression_batch()
    loss, dprediction = loss_function(prediction, prediction)
    assert loss == 0.0 and not dprediction.any()


@both_dtypes
@pytest.mark.filterwarnings("error")
def test_large_errors(dtype):
    """The square of 1e30 is no float32 number; the sum is one of float64."""
    prediction, target = np.array([1e30, 0], dtype), np.array([0, -1e30], dtype)
    expected = float(dtype(1e30))
    with np.errstate(all="raise"):  # the caller's settings do not matter
        assert mse_loss(prediction, target)[0] == pytest.approx(expected**2, rel=REGRESSION_RTOL[dtype])
        assert l1_loss(prediction, target)[0] == pytest.approx(expected, rel=REGRESSION_RTOL[dtype])
        loss, dprediction = huber_loss(prediction, target)
    assert loss == pytest.approx(expected, rel=REGRESSION_RTOL[dtype])
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


@both_dtypes
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("lengths", [None, [2, 0, 5]])
def test_torch_agrees(name, lengths, dtype):
    torch = pytest.importorskip("torch")
    prediction, target = regression_batch(dtype, seed=2)
    loss, dprediction = LOSSES[name][0](prediction, target, lengths=lengths)
    inside = torch.tensor(np.arange(T)[:, None] < np.array([T] * N if lengths is None else lengths))
    functional = torch.nn.functional
    theirs = {
        "mse": functional.mse_loss,
        "l1": functional.l1_loss,
        "huber": functional.huber_loss,
        "huber 0.3": partial(functional.huber_loss, delta=0.3),
    }[name]
    p = torch.tensor(prediction, requires_grad=True)
    expected = theirs(p[inside], torch.tensor(target)[inside])
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=REGRESSION_RTOL[dtype])
    np.testing.assert_allclose(dprediction, p.grad.numpy(), rtol=REGRESSION_RTOL[dtype], atol=0)
