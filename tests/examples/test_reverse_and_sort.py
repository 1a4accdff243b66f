# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/reverse_and_sort.py, on short words, and the whole of it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "reverse_and_sort.py"


def test_words_are_of_all_lengths_and_letters(example):
    words = example.words(1000, np.random.default_rng(0))
    assert {len(word) for word in words} == set(range(example.SHORTEST, example.LONGEST + 1))
    assert {letter for word in words for letter in word} == set(range(example.STOP))


def test_tasks_turn_words_round_or_sort_them(example):
    word = example.word("Attention")
    assert {name: example.text(task(word)) for name, task in example.TASKS.items()} == {
        "reversed": "noitnetta",
        "sorted": "aeinnottt",
    }


def test_rows_end_with_a_stop(example):
    tokens = example.padded([np.array([3, 1, 2]), np.array([5])])
    stop = example.STOP
    assert tokens.T.tolist() == [[3, 1, 2, stop], [5, stop, stop, stop]]


def test_shares_count_words_and_letters(example, monkeypatch):
    """A letter counts in its place; a word that is too long or too short is wrong."""
    batch = [np.array(word) for word in ([1, 2, 3], [4, 5], [6], [7, 8])]
    written = [np.array(word) for word in ([3, 2, 1], [5, 4, 9], [6], [8])]
    monkeypatch.setattr(example, "write", lambda model, batch: written)
    words, letters = example.shares(None, lambda word: word[::-1], batch)
    assert words == 0.5 and letters == 7 / 8


def test_short_words_are_learned_with_attention(example, monkeypatch):
    """In a fraction of the time."""
    monkeypatch.setattr(example, "SHORTEST", 2)
    monkeypatch.setattr(example, "LONGEST", 5)
    task = example.TASKS["reversed"]
    model = example.make_model(True, 0)
    first, last = (example.train(model, task, steps, 0) for steps in (1, 200))
    words, letters = example.shares(model, task, example.words(200, np.random.default_rng(1)))
    assert last < first / 5 and letters >= words > 0.9


def test_without_attention_the_decoder_is_a_gru(example):
    model = example.make_model(False, 0)
    assert model.decoder == model.children()["decoder"] and not model.attends
    assert len(example.write(model, example.words(3, np.random.default_rng(0)))) == 3


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=110)


@pytest.mark.slow
def test_it_shows_what_attention_is_good_for():
    process = run("attention")
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("    attention -> noitnetta\n") == 1
    pattern = r"With attention (\d+)% .* reversed correctly and (\d+)% sorted; .* (\d+)% and (\d+)%\.\n$"
    match = re.search(pattern, process.stdout)
    shares = [int(share) for share in match.groups()]
    assert min(shares[:2]) >= 70 and max(shares[2:]) <= 30


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--steps", "1")
    assert process.returncode == 1
    assert "has not learned" in process.stderr


def test_other_characters_are_refused():
    process = run("abc1")
    assert process.returncode == 2
    assert "expected letters of a to z, got 'abc1'" in process.stderr
