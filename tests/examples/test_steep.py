# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/steep.py, and a whole run."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "steep.py"


def test_a_word_as_vectors(example):
    x, targets, alphabet = example.one_hot("STEEP")
    assert alphabet == ["E", "P", "S", "T"]
    assert "".join(alphabet[k] for k in x[:, 0].argmax(axis=-1)) == "STEE"
    assert "".join(alphabet[k] for k in targets[:, 0]) == "TEEP"
    assert (x.sum(axis=-1) == 1).all()


@pytest.mark.parametrize("way", ["with_state", "without_state"])
def test_unrolled_by_hand_it_is_the_same_network(example, way):
    """Every state and every probability; a separate row for each letter means a state of 0 before it."""
    x, _, alphabet = example.one_hot("STEEP")
    model = example.make_model(len(alphabet), units=3, seed=0)
    rows = getattr(example, way)(x)
    h, _ = model.layers[0](rows)
    logits = model(rows)[0].reshape(len(x), -1)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    unrolled = list(example.unroll(model, x, carry=way == "with_state"))
    np.testing.assert_allclose([state for state, _ in unrolled], h.reshape(len(x), -1), rtol=1e-5)
    np.testing.assert_allclose([likely for _, likely in unrolled], p, rtol=1e-5)


def test_without_a_state_the_loss_is_that_of_a_guess_after_each_e(example):
    """T follows S, E follows T: 0 nats; E and P each follow an E once: log 2."""
    x, targets, alphabet = example.one_hot("STEEP")
    losses = {}
    for way in (example.with_state, example.without_state):
        model = example.make_model(len(alphabet), units=3, seed=0)
        losses[way] = example.train(model, way(x), way(targets), steps=500)
    assert losses[example.without_state][-1] == pytest.approx(2 * math.log(2) / 4, abs=0.01)
    assert losses[example.with_state][-1] < 0.05


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_whole_run():
    process = run()
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    without, with_state = lines[3:5], lines[9:11]
    assert all(line.strip().startswith(("E -> E", "E -> P")) for line in without + with_state)
    state, another = (line.partition("h = ")[2] for line in without)
    assert state == another  # the same letter has the same effect
    state, another = (line.partition("h = ")[2] for line in with_state)
    assert state.partition("]")[0] != another.partition("]")[0]
    assert lines[-1] == "With its state it predicts 4 of 4 next letters of STEEP, from the letter alone 3."


def test_another_word():
    process = run("REFEREE", "--units", "5")
    assert process.returncode == 0, process.stderr
    assert "predicts 6 of 6 next letters of REFEREE" in process.stdout


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--steps", "1")
    assert process.returncode == 1
    assert "has not learned STEEP" in process.stderr


@pytest.mark.parametrize("word", ["TEA", "A", ""])
def test_a_word_whose_letters_determine_the_next_is_refused(word):
    process = run(word)
    assert process.returncode == 2
    assert f"like E in STEEP; got {word!r}" in process.stderr
