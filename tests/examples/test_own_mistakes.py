# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/own_mistakes.py, and a whole run."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_mistakes.py"


def test_vowels_last_ten_moments_and_are_noisy(example):
    heard, spoken = example.speak(4000, np.random.default_rng(0))
    assert heard.shape == (example.T, 4000, example.K) and heard.dtype == np.float32
    stays = np.mean(spoken[1:] == spoken[:-1])
    assert stays == pytest.approx(1 - example.CHANGE + example.CHANGE / example.K, abs=0.005)
    assert set(spoken.ravel()) == set(range(example.K))
    noise = heard - np.eye(example.K)[spoken]
    assert abs(noise.mean()) < 0.01 and noise.std() == pytest.approx(example.NOISE, abs=0.01)


def test_the_best_answer_matches_a_sum_over_all_rows(example, monkeypatch):
    """By adding up the probability of each of 3^4 rows of vowels."""
    monkeypatch.setattr(example, "K", 3)
    monkeypatch.setattr(example, "T", 4)
    heard, _ = example.speak(20, np.random.default_rng(1))
    likely = np.zeros((4, 20, 3))
    for row in itertools.product(range(3), repeat=4):
        probability = np.exp(
            -np.square(heard - np.eye(3)[list(row)][:, None]).sum(axis=(0, 2)) / (2 * example.NOISE**2)
        )
        for one, other in itertools.pairwise(row):
            probability = probability * ((one == other) * (1 - example.CHANGE) + example.CHANGE / 3)
        for t, vowel in enumerate(row):
            likely[t, :, vowel] += probability
    np.testing.assert_array_equal(example.best(heard), likely.argmax(axis=-1))


def test_schedules_go_from_the_truth_to_own_outputs(example):
    progress = np.linspace(0, 1, 11)
    shares = {name: [schedule(part) for part in progress] for name, schedule in example.SCHEDULES.items()}
    assert set(shares["teacher forcing"]) == {0} and set(shares["always its own"]) == {1}
    sampled = shares["scheduled sampling"]
    assert sampled[0] == 0 and sampled[-1] == 1 and sampled == sorted(sampled)


def test_how_long_mistakes_last(example):
    wrong = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 1, 1]], bool).T
    assert example.mean_duration(wrong) == 6 / 4
    assert example.mean_duration(np.zeros((5, 2), bool)) == 0


def test_a_bridge_leads_from_two_directions_to_one(example):
    model = example.make_model(0)
    heard, spoken = example.speak(3, np.random.default_rng(0))
    assert model.bridge.in_features == 2 * model.bridge.out_features == 2 * model.decoder.layer.hidden_size
    assert example.alone(model, heard).shape == example.guided(model, heard, spoken).shape == spoken.shape


def test_the_row_that_is_shown(example, capsys):
    """The one with the largest difference that has two changes; a token that is no vowel is a question mark."""
    spoken = np.array([[0, 3, 0], [2, 4, 2], [3, 3, 3]]).T
    forced, sampled = np.array([[0, 3, 1], [2, 0, 6], [0, 0, 0]]).T, np.array([[0, 3, 0], [2, 4, 2], [3, 3, 3]]).T
    example.show(spoken, {"teacher forcing": forced, "scheduled sampling": sampled})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert lines == [["spoken", "iui"], ["teacher", "forcing", "ia?"], ["scheduled", "sampling", "iui"]]


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110)


@pytest.mark.slow
def test_scheduled_sampling_helps(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "mistakes.png"
    process = run("--plot", picture)
    assert process.returncode == 0, process.stderr
    match = re.search(r"gets (\d+)% right, on its own (\d+)%; .* gets (\d+)% .* of (\d+)% possible", process.stdout)
    led, forced, sampled, best = map(int, match.groups())
    assert forced + 5 < sampled <= best < led
    lasts = [float(number) for number in re.findall(r"([\d.]+) moments$", process.stdout, re.MULTILINE)]
    assert len(lasts) == 4 and max(lasts) == lasts[0]
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--steps", 1)
    assert process.returncode == 1
    assert "has not shown" in process.stderr
