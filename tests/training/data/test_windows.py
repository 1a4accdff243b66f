# SPDX-License-Identifier: BSD-3-Clause
"""Windows of a series: what they hold, that they copy nothing, and that fit takes them."""

import numpy as np
import pytest
from support.layers import argument_refused

import fastrnn as fr


@pytest.mark.parametrize("F", [None, 1, 3])
@pytest.mark.parametrize(
    ("T", "past", "horizon", "stride"), [(20, 4, 2, 1), (20, 4, 1, 3), (21, 7, 7, 7), (6, 5, 1, 4)]
)
def test_each_row_is_a_part_of_the_series_and_what_follows(T, past, horizon, stride, F, rng):
    series = rng.standard_normal((T,) if F is None else (T, F))
    rows = series.reshape(T, -1)
    starts = [k for k in range(0, T, stride) if k + past + horizon <= T]
    x, y = fr.windows(series, past, horizon, stride)
    assert x.shape == (past, len(starts), F or 1) and y.shape == (horizon, len(starts), F or 1)
    for k, start in enumerate(starts):
        np.testing.assert_array_equal(x[:, k], rows[start : start + past])
        np.testing.assert_array_equal(y[:, k], rows[start + past : start + past + horizon])
    for array, turned in zip((x, y), fr.windows(series, past, horizon, stride, batch_first=True), strict=True):
        np.testing.assert_array_equal(turned, array.swapaxes(0, 1))


@pytest.mark.parametrize("batch_first", [False, True])
def test_nothing_is_copied_and_nothing_can_be_written(batch_first):
    series = np.arange(12, dtype=np.float32)
    for array in fr.windows(series, 3, 2, batch_first=batch_first):
        assert np.shares_memory(array, series) and array.dtype == np.float32
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 5
    series[0] = 7
    assert fr.windows(series, 3)[0][0, 0, 0] == 7


def test_lists_of_numbers_are_a_series():
    x, y = fr.windows([1, 2, 3, 4], 2)
    assert x[..., 0].tolist() == [[1, 2], [2, 3]] and y[..., 0].tolist() == [[3, 4]]
    assert fr.windows([[1, 10], [2, 20], [3, 30]], 2)[1].tolist() == [[[3, 30]]]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("horizon", [1, 4])
def test_fit_takes_them(batch_first, horizon):
    """One output for each row, or one for each step of the horizon."""
    own = {"batch_first": batch_first}
    x, y = fr.windows(np.sin(np.arange(120, dtype=np.float32) / 3), 8, horizon, **own)
    model = fr.Sequential(fr.GRU(1, 12, seed=0, **own), fr.LastStep(**own), fr.Linear(12, 1, seed=1))
    target = y[:, 0] if batch_first else y[0]
    if horizon > 1:
        writer = fr.RepeatVector(horizon, **own), fr.GRU(12, 12, seed=2, **own)
        model, target = fr.Sequential(*model.layers[:2], *writer, fr.Linear(12, 1, seed=1)), y
    adam = fr.Adam(model, lr=0.02)
    history = fr.fit(model, fr.mse_loss, x, target, optimizer=adam, epochs=12, seed=0, progress=False)
    assert history["loss"][-1] < 0.2 * history["loss"][0]


BAD = {
    "short": (np.zeros(5), {"past": 4, "horizon": 2}, ValueError, "series", "at least 6 steps, past + horizon, got 5"),
    "empty": ([], {}, ValueError, "series", "at least 3 steps, past + horizon, got 0"),
    "batch": (np.zeros((9, 2, 1)), {}, ValueError, "series", "expected one series (T,) or (T, F), got (9, 2, 1)"),
    "number": (3.0, {}, ValueError, "series", "got ()"),
    "several": ([np.zeros(9), np.zeros(9)], {}, TypeError, "series", "a list of arrays; make the windows of each"),
    "ragged": ([[1.0], [1.0, 2.0]], {}, TypeError, "series", "got list"),
    "None": (None, {}, TypeError, "series", "got None"),
    "past": (np.zeros(9), {"past": 0}, ValueError, "past", "expected at least 1, got 0"),
    "horizon": (np.zeros(9), {"horizon": 1.0}, TypeError, "horizon", "expected an integer"),
    "stride": (np.zeros(9), {"stride": -1}, ValueError, "stride", "expected at least 1, got -1"),
    "layout": (np.zeros(9), {"batch_first": 1}, TypeError, "batch_first", "expected True or False"),
}


@pytest.mark.parametrize(("series", "options", "error", "name", "words"), BAD.values(), ids=BAD)
def test_what_is_no_series_is_refused(series, options, error, name, words):
    with argument_refused(error, name, words):
        fr.windows(series, **{"past": 2} | options)
