# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/order_matters.py, and a whole run."""

import subprocess
import sys
from pathlib import Path

import numpy as np

EXAMPLE = Path(__file__).parents[2] / "examples" / "order_matters.py"


def test_a_pair_has_the_same_words_in_another_order(example):
    known, new = example.split()
    assert len(known) > 30 and len(new) > 30
    for declaration, question in known + new:
        assert declaration != question
        assert sorted(declaration.split()) == sorted(question.split())


def test_the_new_pairs_have_a_new_subject_and_a_new_predicate(example):
    known, new = example.split()
    met = {tuple(declaration.split(maxsplit=2)) for declaration, _ in known}
    subjects, predicates = {s for s, _, _ in met}, {predicate for _, _, predicate in met}
    for declaration, _ in new:
        subject, _, predicate = declaration.split(maxsplit=2)
        assert subject not in subjects and predicate not in predicates


def test_sentences_as_vectors(example):
    x, lengths, is_question = example.one_hot([("you are good", "are you good")])
    assert lengths.tolist() == [3, 3] and is_question.tolist() == [[False], [True]]
    assert [example.WORDS[k] for k in x[:, 1].argmax(axis=-1)] == ["are", "you", "good"]
    assert (x.sum(axis=-1) == 1).all()


def test_all_at_once_a_question_and_its_declaration_are_the_same(example):
    known, _ = example.split()
    x, lengths, _ = example.one_hot(known)
    bag, one = example.at_once(x, lengths)
    np.testing.assert_array_equal(bag[0, ::2], bag[0, 1::2])
    assert bag.shape == (1, *x.shape[1:]) and (one == 1).all()


def run(*arguments):
    command = [sys.executable, str(EXAMPLE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_it_learns_and_classifies_sentences():
    process = run("is everybody happy", "everybody is happy")
    assert process.returncode == 0, process.stderr
    assert "is everybody happy?\neverybody is happy.\n" in process.stdout


def test_without_training_it_says_that_it_has_not_learned():
    process = run("--steps", "1")
    assert process.returncode == 1
    assert "has not learned" in process.stderr


def test_a_word_that_it_does_not_know_is_named():
    process = run("are you sentient")
    assert process.returncode == 2
    assert "expected words of: " in process.stderr and "'are you sentient'" in process.stderr
