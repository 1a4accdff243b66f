# SPDX-License-Identifier: BSD-3-Clause
"""Models whose output has other steps than their input, or reads across a cut in time."""

import numpy as np
import pytest

import fastrnn as fr

T, N = 11, 5
LENGTHS = [11, 3, 0, 6, 8]


def convolved(batch_first=False, **options):
    """A model with other steps: fewer, or with a wide padding more."""
    options = {"stride": 2} | options
    return fr.Sequential(
        fr.Conv1d(3, 4, 3, batch_first=batch_first, seed=0, **options),
        fr.GRU(4, 4, batch_first=batch_first, seed=1),
        fr.Linear(4, 2, seed=2),
    )


def data(batch_first=False):
    x = np.random.default_rng(0).standard_normal((T, N, 3)).astype(np.float32)
    return x.swapaxes(0, 1) if batch_first else x


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("options", [{}, {"padding": 3, "stride": 1}, {"padding": 1, "stride": 3}])
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_each_row_is_predicted_as_alone(batch_first, options, batch_size):
    """With the steps that it has alone, in a list and in an array, where 0 stands beyond them."""
    model, x = convolved(batch_first, **options), data(batch_first)
    by_row = x if batch_first else x.swapaxes(0, 1)
    rows = [row[:length] for row, length in zip(by_row, LENGTHS, strict=True)]
    alone = [model(row)[0] for row in rows]
    for found, expected in zip(fr.predict(model, rows, batch_size=batch_size), alone, strict=True):
        np.testing.assert_array_equal(found, expected)
    y = fr.predict(model, x, LENGTHS, batch_size=batch_size)
    assert y.shape == model(x)[0].shape
    for found, expected in zip(y if batch_first else y.swapaxes(0, 1), alone, strict=True):
        np.testing.assert_array_equal(found[: len(expected)], expected)
        assert not found[len(expected) :].any()


@pytest.mark.parametrize("batch_first", [False, True])
def test_targets_are_of_the_steps_of_the_output(batch_first):
    model, x = convolved(batch_first), data(batch_first)
    y = model(x)[0]
    assert fr.evaluate(model, fr.mse_loss, x, y, batch_size=2)["loss"] == 0
    before = fr.evaluate(model, fr.mse_loss, x, 0 * y, batch_size=2)["loss"]
    fr.fit(model, fr.mse_loss, x, 0 * y, epochs=5, batch_size=2, seed=0, progress=False)
    assert fr.evaluate(model, fr.mse_loss, x, 0 * y)["loss"] < before
    rows = list(x if batch_first else x.swapaxes(0, 1))
    targets = [model(row)[0] for row in rows]
    assert fr.evaluate(model, fr.mse_loss, rows, targets, batch_size=2)["loss"] == 0
    with pytest.raises(ValueError, match=r"y: expected sequences of one length, .* got lengths from 4 to 5; give"):
        fr.evaluate(model, fr.mse_loss, rows, [*targets[:-1], targets[-1][:4]])


@pytest.mark.parametrize("options", [{"padding": 1, "stride": 1}, {}])
def test_a_convolution_over_time_is_not_cut(options):
    """The whole sequence would give other numbers: its windows lie across the cut."""
    model, x = convolved(**options), data()
    y = np.zeros((T, N, 2), np.float32)
    message = r"model: expected layers that carry a state, .* got Conv1d, which may read steps on both sides of a cut"
    with pytest.raises(ValueError, match=message):
        fr.evaluate(model, fr.mse_loss, x, y, chunk=4)
    with pytest.raises(ValueError, match=message):
        fr.fit(model, fr.mse_loss, x, y, truncate=4, progress=False)
    with pytest.raises(ValueError, match=message):
        fr.truncated_bptt(model, fr.mse_loss, x, y, 4)
    gru = fr.GRU(3, 2, seed=0)
    for given, name in (([x[:, 0], x[:4, 1]], "x"), (x, "y")):
        with pytest.raises(TypeError, match=f"{name}: expected an array, to cut it in time"):
            next(fr.truncated_bptt(gru, fr.mse_loss, given, None, 4))
    causal = fr.Sequential(fr.CausalConv1d(3, 4, 3, seed=0), fr.Residual(fr.Linear(4, 4, seed=1)), fr.Linear(4, 2))
    whole = fr.evaluate(causal, fr.mse_loss, x, y)["loss"]
    assert fr.evaluate(causal, fr.mse_loss, x, y, chunk=4)["loss"] == pytest.approx(whole, rel=1e-6)
