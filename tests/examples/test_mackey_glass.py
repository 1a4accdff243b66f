# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/mackey_glass.py, and a whole run with fewer units."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "mackey_glass.py"


def test_the_series_obeys_its_equation(example, monkeypatch):
    """Finer steps from the same histories converge."""
    monkeypatch.setattr(example, "WARM_UP", 0)
    values = {}
    for substeps in (10, 20, 80):
        monkeypatch.setattr(example, "SUBSTEPS", substeps)
        values[substeps] = example.mackey_glass(30, 3, seed=0)
    error = {n: np.abs(values[n] - values[80]).max() for n in (10, 20)}
    assert error[10] < 1e-3 and error[20] < error[10] / 3  # second order: the constant histories end in a corner


def test_the_series_is_on_the_known_attractor(example):
    """Between 0.2 and 1.4, with the published variance for a delay of 17 (about 0.05), and never the same twice."""
    series = example.mackey_glass(2000, 5, seed=1)
    assert series.shape == (2000, 5)
    assert 0.2 < series.min() and series.max() < 1.4
    assert 0.045 < series.var() < 0.058
    assert np.abs(np.corrcoef(series.T) - np.eye(5)).max() < 0.9
    np.testing.assert_array_equal(series, example.mackey_glass(2000, 5, seed=1))


def test_squash_and_stretch_are_inverse(example):
    y = np.linspace(0.1, 1.5, 20)[:, None]
    assert example.squash(y).shape == (20, 1, 1)
    np.testing.assert_allclose(example.stretch(example.squash(y)), y, rtol=1e-12)


def test_the_error_of_the_mean_is_one(example):
    """A network that always predicts the mean of the series."""

    class Mean:
        def generate(self, x, steps):
            return np.repeat(example.squash(np.full((1, x.shape[1]), series.mean())), steps, axis=0), None

    series = example.mackey_glass(example.READ + example.HORIZON, 300, seed=2)
    _, curve = example.errors(Mean(), series[: example.READ], series[example.READ :])
    assert curve.shape == (example.HORIZON,)
    np.testing.assert_allclose(curve, 1, atol=0.15)  # 1/sqrt(300) by chance, thrice


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_few_units_learn_it_and_draw_it(tmp_path):
    path = tmp_path / "plot.png"
    process = run("--units", "400", "--plot", str(path))  # an error of about 1e-4, far below the limit
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1].startswith("84 steps ahead, 400 units are wrong by ")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_too_few_units_say_that_they_have_not_learned():
    process = run("--units", "5")
    assert process.returncode == 1
    assert "has not learned" in process.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_thousand_units_reach_the_published_error(seed):
    """Jaeger and Haas 2004: 10^-4.2."""
    process = run("--units", "1000", "--seed", seed)
    assert process.returncode == 0, process.stderr
    assert float(process.stdout.splitlines()[-1].partition("wrong by ")[2].split()[0]) < 10**-4.2
