# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/hyphenate.py, and a whole run, on a small scale."""

import re
import sys

import numpy as np
import pytest
from support.examples import import_example

pytest.importorskip("pyphen", reason="the example reads hyphens that pyphen carries")


@pytest.fixture(scope="module")
def words():
    return import_example("hyphenate").read_words()


def test_the_words_are_words(example, words):
    assert len(words) > 3000 and words == sorted(set(words))
    assert min(map(len, words)) == 5 and set("".join(words)) <= set(example.LETTERS)
    assert {"attribute", "expression", "iterator"} <= set(words)


def test_words_that_start_alike_are_in_one_part(example, words):
    known, new = example.split(words)
    assert sorted(known + new) == words and len(known) > 3 * len(new) > 0
    assert {word[:4] for word in known}.isdisjoint(word[:4] for word in new)


def test_words_as_letters_and_hyphens(example):
    """Both examples of the docstring: the letters after "des" decide whether it may be hyphenated."""
    words = ["design", "designated"]
    letters, lengths = example.spelled(words)
    assert lengths.tolist() == [6, 10] and letters.shape == (10, 2)
    assert "".join(example.LETTERS[k] for k in letters[:6, 0]) == "design"
    may = example.hyphens(words)
    assert may.shape == (10, 2, 1)
    assert np.flatnonzero(may[:, 0]).tolist() == [1]  # de-sign
    assert np.flatnonzero(may[:, 1]).tolist() == [2, 4, 7]  # des-ig-nat-ed


def test_a_model_that_knows_the_hyphens_is_right(example):
    words = ["design", "designated", "word"]

    def model(letters, lengths):
        return np.where(example.hyphens(words), 1.0, -1.0), ()

    assert example.hyphenated(model, words) == ["de-sign", "des-ig-nat-ed", "word"]
    assert example.scores(model, words) == (1, 1, 1, 1)


def test_scores(example):
    """A hyphen after every third letter: 1 of 2 + 3 + 1 is right, and there should be 4."""
    words = ["design", "designated", "word"]

    def model(letters, lengths):
        return np.where(np.arange(len(letters)) % 3 == 2, 1.0, -1.0)[:, None, None] * np.ones((1, 3, 1)), ()

    precision, recall, f1, right = example.scores(model, words)
    assert (precision, recall, f1, right) == (1 / 6, 1 / 4, 2 / 10, 0)


def test_both_networks_have_about_the_same_size(example):
    one, both = (sum(p.size for p in example.make_model(way, 0).params.values()) for way in (False, True))
    assert both < one < 1.1 * both


def test_training_is_the_same_on_every_run_and_learns(example, words):
    results = []
    for _ in range(2):
        model = example.make_model(True, seed=0)
        results.append((example.train(model, words[::5], epochs=4, seed=1), model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < losses[0] - 0.1
    assert all((state[name] == state_again[name]).all() for name in state)


@pytest.mark.slow
def test_whole_run(run):
    lines = run("--epochs", 6, "number", "pencil").splitlines()
    assert [line.split()[-1] for line in lines[-4:-2]] == ["num-ber", "pen-cil"]
    match = re.fullmatch(r"Hyphens .*: F1 (.*) in both directions, (.*) from left to right; "
                         r"(.*)% of them are right, (.*)% with caution\.", lines[-1])  # fmt: skip
    assert float(match[1]) > 0.75 > 0.6 > float(match[2])
    assert float(match[4]) > float(match[3]) + 3


def test_too_little_learned_is_an_error(run, example, words, monkeypatch):
    monkeypatch.setattr(example, "read_words", lambda: words[::10])
    with pytest.raises(SystemExit, match="has not learned"):
        run("--epochs", 1)


@pytest.mark.parametrize("word", ["naïve", "two words", ""])
def test_an_argument_that_is_not_a_word_is_refused(run, capsys, word):
    with pytest.raises(SystemExit):
        run(word)
    assert f"expected words of the letters a to z, got {word!r}" in capsys.readouterr().err


def test_without_pyphen(load_example, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyphen", None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[examples\]"'):
        load_example()
