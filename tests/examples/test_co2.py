# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/co2.py, and a whole run with little training."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr

EXAMPLE = Path(__file__).parents[2] / "examples" / "co2.py"


@pytest.fixture
def measured(example):
    if importlib.util.find_spec("statsmodels") is None:
        pytest.skip("the example reads the series that statsmodels carries")
    return example.monthly()


def test_the_series_is_the_one_from_mauna_loa(measured):
    months, levels = measured
    assert months[0] == "1958-03" and months[-1] == "2001-12" and len(months) == 526
    assert np.isfinite(levels).all() and 313 < levels.min() < 314 and 373 < levels.max() < 374


def test_the_parts_follow_one_another_and_share_no_month_of_the_future(example, measured):
    """A forecast belongs to the part in which all its twelve months lie."""
    data = example.prepare(*measured)
    for part, first, last in (
        (data.training, "1958-05", "1984-12"),
        (data.validation, "1985-01", "1991-12"),
        (data.testing, "1992-01", "2001-12"),
    ):
        ahead = data.months[part.start + 1 : part.stop + example.HORIZON]
        assert (ahead[0], ahead[-1]) == (first, last)
        assert np.isfinite(data.future[part]).all()


def test_scaled_targets_scale_back(example, measured):
    """In the training months they have mean 0 and standard deviation 1."""
    data = example.prepare(*measured)
    np.testing.assert_allclose(data.forecasts(data.y)[:-12], data.future[:-12])
    np.testing.assert_allclose(data.y[data.training].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.y[data.training].std(axis=0), 1)


def test_naive_forecasts(example):
    """On a line plus a season, only the level of a year ago plus the growth since then is right."""
    t = np.arange(480)
    months = np.array([f"{1960 + k // 12}-{k % 12 + 1:02d}" for k in t])
    data = example.prepare(months, 300 + 0.1 * t + np.sin(2 * np.pi * t / 12))
    known = slice(24, -12)
    np.testing.assert_allclose(example.seasonal_growth(data)[known], data.future[known])
    np.testing.assert_allclose(data.future[known] - example.seasonal_naive(data)[known], 1.2)
    np.testing.assert_array_equal(example.naive(data)[:, 5], data.level)


@pytest.mark.parametrize("kind", ["GRU", "EchoState"])
def test_no_forecast_knows_what_comes_after_it(example, measured, kind):
    """Other levels from 1992 on change no scale, no parameter, and no earlier forecast."""
    months, levels = measured
    other = levels + 5 * (months >= example.TESTING)
    results = []
    for series in (levels, other):
        data = example.prepare(months, series)
        if kind == "GRU":
            forecasts = example.train(fr.GRU, 4, data, example.INTERVAL, seed=0)
        else:
            forecasts = example.solve(20, 0.9, data, seed=0)
        results.append(forecasts[:, : data.testing.start + 1])
        free = [make(data)[24 : data.testing.start + 1] for make in (example.seasonal_naive, example.seasonal_growth)]
        results.append(np.stack(free))
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[3])


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_it_learns_and_draws(measured, tmp_path):
    path = tmp_path / "plot.png"
    process = run("--steps", "150", "--seeds", "1", "--plot", str(path))
    assert process.returncode == 0, process.stderr
    assert "best in validation, is wrong by 0." in process.stdout.splitlines()[-1]
    assert path.read_bytes().startswith(b"\x89PNG")


def test_networks_that_are_no_better_than_naive_forecasts_are_a_failure(example, measured, monkeypatch):
    monkeypatch.setattr(example, "candidates", lambda data, steps, seeds: [("RNN", [("lazy", example.naive(data))])])
    monkeypatch.setattr(sys, "argv", ["co2.py"])
    with pytest.raises(SystemExit, match="has not learned to forecast: error of RNN 3"):
        example.main()


def test_bad_arguments_are_named():
    process = run("--steps", "10")
    assert process.returncode == 2
    assert "expected at least 50 steps and 1 seed, got 10 and 3" in process.stderr
