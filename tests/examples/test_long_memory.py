# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/long_memory.py, and a whole run, on shorter sequences."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "long_memory.py"
T = 20


def test_the_sum_is_that_of_the_two_marked_numbers(example, rng):
    x, y = example.adding_problem(T, 500, rng)
    marks = x[..., 1]
    assert x.shape == (T, 500, 2) and set(np.unique(marks)) == {0, 1}
    assert (marks[: T // 2].sum(axis=0) == 1).all() and (marks[T // 2 :].sum(axis=0) == 1).all()
    np.testing.assert_allclose((x[..., 0] * marks).sum(axis=0), y[:, 0], rtol=1e-6)
    assert np.square(y - 1).mean() == pytest.approx(example.BASELINE, rel=0.15)


@pytest.mark.parametrize("name", ["tanh RNN", "LSTM"])
def test_the_gradient_starts_at_1_and_decays_with_the_exponent(example, name, rng):
    x, _ = example.adding_problem(200, 4, rng)
    left, exponent = example.look_inside(example.make_model(name, 200, seed=0), x)
    assert left[0] == pytest.approx(1) and len(left) == 201
    assert np.log(left[200] / left[100]) / 100 == pytest.approx(exponent, abs=0.05)


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_the_lstm_learns_to_add_and_remembers(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    process = run("--length", str(T), "--epochs", "10", "--plot", str(tmp_path / "memory.png"))
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1].startswith(f"{T} steps back ")
    assert "0.l0 (RNN): gradients vanish" in process.stdout
    assert (tmp_path / "memory.png").read_bytes().startswith(b"\x89PNG")


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--length", str(T), "--epochs", "1")
    assert process.returncode == 1
    assert "has not learned to add" in process.stderr


def test_a_sequence_too_short_for_two_marks_is_refused():
    process = run("--length", "3")
    assert process.returncode == 2 and "expected at least 4 steps, got 3" in process.stderr
