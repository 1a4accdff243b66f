# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/attention_scores.py, and a whole run."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "attention_scores.py"
HUNT = tuple(np.array(column)[:, None] for column in ([0, 3, 1, 4, 2], [7, 0, 7, 2, 1], [2, 0, 4, 1, 3]))


def test_a_hunt_can_be_followed_from_the_first_box(example):
    """From what the network reads alone: look for the box that is named, write its letter, continue."""
    names, letters, places = example.hide(200, np.random.default_rng(0))
    row = example.row_of_boxes(names, letters, places)
    name, following, letter = np.split(row, [example.BOXES, 2 * example.BOXES], axis=-1)
    for n in range(200):
        box, written = 0, []
        for step in range(example.BOXES):
            (place,) = np.flatnonzero(name[:, n, box])
            assert place == places[step, n]
            written.append(letter[place, n].argmax())
            assert following[place, n].sum() == (step < example.BOXES - 1)
            box = following[place, n].argmax()
        assert written == letters[:, n].tolist()
    assert len({tuple(place) for place in places.T}) > 50 and len({tuple(name) for name in names.T}) == 24


def test_a_row_of_boxes_as_text(example):
    assert example.labels(HUNT, 0) == ["D:a>B", "E:c>C", "A:h>D", "C:b", "B:h>E"]


def test_hunts_and_looks_are_counted(example):
    """One of two hunts is right; nine of ten looks are at the right box."""
    names, letters, places = (np.repeat(array, 2, axis=1) for array in HUNT)
    written, weights = letters.copy(), np.eye(example.BOXES)[places]
    written[4, 1] = 5
    weights[3, 0] = np.eye(example.BOXES)[4]
    assert example.judge(written, weights, (names, letters, places)) == (0.5, 0.9)


def test_chance_in_the_middle_is_one_in_six_and_equal_letters(example):
    """Three letters of eight: all equal 1 in 64, two equal 21 in 64, all different 42 in 64."""
    exact = 1 / 64 + 21 / 64 / 3 + 42 / 64 / 6
    assert example.chance(50_000, np.random.default_rng(0)) == pytest.approx(exact, abs=0.01)


def test_models_differ_in_score_and_feeding_only(example):
    hunt = example.hide(3, np.random.default_rng(0))
    for score in example.SCORES:
        for input_feeding in (True, False):
            model = example.make_model(score, input_feeding, 0)
            assert model.decoder.attention.score == score and model.decoder.input_feeding == input_feeding
            written, weights = example.follow(model, hunt)
            assert written.shape == hunt[1].shape and weights.shape == (example.BOXES, 3, example.BOXES)


@pytest.mark.slow
def test_three_boxes_are_learned_with_any_score(example, monkeypatch):
    """In half the steps, with input feeding."""
    monkeypatch.setattr(example, "NAMES", "ABC")
    monkeypatch.setattr(example, "BOXES", 3)
    monkeypatch.setattr(example, "FEATURES", 6 + len(example.LETTERS))
    hunt = example.hide(300, np.random.default_rng(1))
    for score in example.SCORES:
        model = example.make_model(score, True, 0)
        example.train(model, 300, 0)
        right, looks = example.judge(*example.follow(model, hunt), hunt)
        assert right > 0.95, score


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110)


@pytest.mark.slow
def test_input_feeding_makes_it_learn_sooner(tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "boxes.png"
    process = run("--plot", picture)
    assert process.returncode == 0, process.stderr
    match = re.search(r"gets (\d+)% of new hunts right, without (\d+)%; .* (\d+)%\.\n$", process.stdout)
    feeding, without, guessed = map(int, match.groups())
    assert feeding >= 90 and without < 40 and guessed < 30
    assert len(re.findall(r"^\w+, with(?:out)? input feeding ", process.stdout, re.MULTILINE)) == 8
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--steps", 1)
    assert process.returncode == 1
    assert "has not learned to follow the hunt" in process.stderr
