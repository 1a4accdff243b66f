# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/beam_search.py. Most use the language itself instead of a model; and a whole run."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "beam_search.py"


@pytest.fixture
def probabilities(example):
    return example.language(np.random.default_rng(0))


class Oracle:
    """A model that knows the language: its state is the letter before."""

    def __init__(self, probabilities):
        self.log_probs = np.log(probabilities)

    def begin(self, source, lengths=None, copies=1):
        before, last = np.repeat(np.asarray(source), copies, axis=1)
        return last, before[None], lambda tokens, state: (self.log_probs[state[0], tokens], tokens[None], None)


def test_a_language_has_probabilities_of_its_own(example, probabilities):
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1)
    assert probabilities.min() >= example.EVEN / example.V
    assert (probabilities.max(axis=-1) > 0.8).any() and (probabilities.max(axis=-1) < 0.3).any()
    assert not np.array_equal(probabilities, example.language(np.random.default_rng(1)))


def test_texts_are_of_the_language(example, probabilities):
    text = example.texts(probabilities, 2000, 60, np.random.default_rng(0))
    counts = np.zeros_like(probabilities)
    np.add.at(counts, (text[:-2], text[1:-1], text[2:]), 1)
    often = counts.sum(axis=-1) > 2000
    assert often.sum() > 10
    frequencies = counts[often] / counts[often].sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(frequencies, probabilities[often], atol=0.05)


def test_every_word_is_tried(example, probabilities, monkeypatch):
    """Probabilities multiply along a word, and those of all words after a pair sum to 1."""
    monkeypatch.setattr(example, "WORD", 3)
    words = np.exp(example.all_words(np.log(probabilities)))
    assert words.shape == (example.V,) * 5
    np.testing.assert_allclose(words.sum(axis=(2, 3, 4)), 1)
    p = probabilities
    assert words[6, 1, 4, 0, 7] == pytest.approx(p[6, 1, 4] * p[1, 4, 0] * p[4, 0, 7])


def test_a_wide_beam_finds_the_likeliest_words_and_greedy_search_does_not(example, probabilities, capsys):
    words = example.all_words(np.log(probabilities))
    results, right = example.compare_searches(Oracle(probabilities), words)
    assert right[1] < 0.5 < right[8] <= right[64] == 1
    assert capsys.readouterr().out.count("\n") == 1 + len(example.WIDTHS)
    pair = example.garden_path(words, results[1])
    n = example.V * pair[0] + pair[1]
    assert words[(*pair, *results[1][:, n])] < words[(*pair, *results[64][:, n])] == words[pair].max()


def test_a_garden_path_is_spelled_letter_by_letter(example):
    """After a and b, c is likelier than d; but after d everything is certain, after c nothing."""
    probabilities = np.full((8, 8, 8), 1 / 8)
    probabilities[0, 1] = [0, 0, 0.6, 0.4, 0, 0, 0, 0]
    probabilities[1, 3] = probabilities[3, 4] = probabilities[4] = np.eye(8)[4]
    greedy, best = [2, 0, 0, 0, 0], [3, 4, 4, 4, 4]
    assert example.spell(probabilities, (0, 1), greedy) == "c  60%  a  12%  a  12%  a  12%  a  12%    in total 0.01%"
    assert example.spell(probabilities, (0, 1), best) == "d  40%  e 100%  e 100%  e 100%  e 100%    in total 40.00%"
    many = np.array([[0, 0], [1, 1]])
    assert example.continue_pairs(Oracle(probabilities + 1e-9), many, 1)[:, 0].tolist() == greedy
    assert example.continue_pairs(Oracle(probabilities + 1e-9), many, 2)[:, 1].tolist() == best


def test_each_sampling_method_does_what_it_should(example, probabilities, capsys):
    words = example.all_words(np.log(probabilities))
    assert example.compare_draws(Oracle(probabilities), probabilities, words, (4, 6), 0) < 0.02
    rows = re.findall(r"^(\S+=\S+) .* ([\d.]+) +([\d,]+)$", capsys.readouterr().out, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(example.METHODS)
    nats = [float(number) for _, number, _ in rows]
    different = [int(number.replace(",", "")) for _, _, number in rows]
    assert nats == sorted(nats, reverse=True) and different == sorted(different, reverse=True)
    assert different[-1] <= 2**example.WORD


def test_what_top_k_excludes(example, probabilities, monkeypatch):
    """Word by word, after one pair."""
    monkeypatch.setattr(example, "WORD", 2)
    a, b, total = 3, 5, 0
    for c in np.argsort(probabilities[a, b])[-2:]:
        total += probabilities[a, b, c] * np.sort(probabilities[b, c])[-2:].sum()
    assert example.cut_off(probabilities)[a, b] == pytest.approx(1 - total)


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


@pytest.mark.slow
def test_a_model_of_the_language_finds_its_likeliest_words():
    process = run("ba", "he")
    assert process.returncode == 0, process.stderr
    assert [f"After {pair}, with" in process.stdout for pair in ("ba", "he", "ab")] == [True, True, False]
    match = re.search(r"after (\d+)% of the pairs, a beam of 8 after (\d+)%\.\n$", process.stdout)
    greedy, beam = map(int, match.groups())
    assert greedy < 40 and beam > 70


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--steps", "1")
    assert process.returncode == 1
    assert "has not learned the language" in process.stderr


@pytest.mark.parametrize("pair", ["a", "abc", "az", ""])
def test_other_pairs_are_refused(pair):
    process = run(pair)
    assert process.returncode == 2
    assert f"expected two letters of abcdefgh, got {pair!r}" in process.stderr
