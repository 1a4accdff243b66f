# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/finish_the_series.py, on a small scale."""

import argparse
import math
import sys
from itertools import islice

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="the example shows its progress with tqdm")


def test_series_go_both_ways_around(example):
    letters = example.series(np.array([0, 0, 24]), np.array([1, -1, 1]), 4)
    assert [example.write(column) for column in letters.T] == ["A B C D", "A Z Y X", "Y Z A B"]


def test_every_series_appears_once(example):
    known = example.every_series(5)
    assert known.shape == (5, 52)
    assert len({column.tobytes() for column in known.T}) == 52
    steps = np.diff(known, axis=0) % 26
    assert (steps == steps[0]).all() and sorted(set(steps[0])) == [1, 25]


def test_batches_are_drawn_from_all_series(example):
    known = {column.tobytes() for column in example.every_series(example.T).T}
    first, second, *others = islice(example.batches(0), 30)
    assert first.shape == (example.T, example.N) and (first != second).any()
    np.testing.assert_array_equal(first, next(example.batches(0)))
    drawn = [{column.tobytes() for column in batch.T} for batch in (first, second, *others)]
    assert set().union(*drawn) == known


def test_finish_feeds_its_letters_back(example):
    """A model that knows the direction: its state is the letter before and the number of its steps."""

    def model(letters, state=None):
        before, calls = (letters[-2], 0) if state is None else state
        direction = letters[-1] - before
        logits = np.eye(example.V)[(letters[-1] + direction) % example.V][None]
        return logits, (letters[-1], calls + 1)

    beginning = np.array([[3, 9], [4, 8]])  # D, E and J, I
    finished = example.finish(model, beginning, 7)
    assert [example.write(column) for column in finished.T] == ["D E F G H I J", "J I H G F E D"]
    np.testing.assert_array_equal(example.finish(model, beginning, 2), beginning)


def test_training_is_the_same_on_every_run_and_learns(example):
    results = []
    for _ in range(2):
        model = example.make_model(units=8, seed=0)
        results.append((example.train(model, 60, seed=1), model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and len(losses) == 60
    assert all((state[name] == state_again[name]).all() for name in state)
    assert abs(losses[0] - math.log(26)) < 0.7  # it knows nothing at the start
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize("text", ["QPO", "q, p, o", " Q-P-O... "])
def test_reading_a_series(example, text):
    assert example.read(text).tolist() == [16, 15, 14]


@pytest.mark.parametrize("text", ["", "A", "1, 2", "A, Ä"])
def test_a_text_that_is_not_a_series_is_refused(example, text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected two letters of A to Z or more, got "):
        example.read(text)


def test_whole_run(run):
    output = run("Q, P, O", "x y z", "--units", 32, "--steps", 500)
    assert "    Q P O ...   N M L K J I H G F E\n" in output
    assert "    X Y Z ...   A B C D E F G H I J\n" in output
    assert "finishes 52 of 52 series without a mistake: 2,600 letters." in output.splitlines()[-1]


def test_too_little_learned_is_an_error(run, capsys):
    with pytest.raises(SystemExit, match="has not learned") as caught:
        run("--units", 4, "--steps", 1)
    assert caught.value.code != 0
    assert "A B C ..." in capsys.readouterr().out


def test_a_wrong_series_is_refused_before_training(run, capsys):
    with pytest.raises(SystemExit):
        run("1, 2, 3")
    assert "expected two letters of A to Z or more, got '1, 2, 3'" in capsys.readouterr().err


def test_without_tqdm(load_example, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[demo\]"'):
        load_example()
