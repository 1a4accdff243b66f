# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/truncation.py, and a whole run."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "truncation.py"


def test_the_answer_is_the_letter_some_steps_before(example):
    x, answers = example.echo(12, 5, 4, np.random.default_rng(0))
    assert x.shape == (12, 5, example.LETTERS) and x.dtype == np.float32 and (x.sum(axis=-1) == 1).all()
    np.testing.assert_array_equal(answers[4:], x.argmax(axis=-1)[:-4])
    assert (answers[:4] == example.NO_ANSWER).all()


def test_steps_without_an_answer_count_for_nothing(example):
    logits, answers = np.random.default_rng(0).standard_normal((6, 2, example.LETTERS)), np.zeros((6, 2), int)
    expected, gradient = example.loss(logits[2:], answers[2:])
    answers[:2] = example.NO_ANSWER
    value, dlogits = example.loss(logits, answers)
    assert value == pytest.approx(expected, rel=1e-12) and not dlogits[:2].any()
    np.testing.assert_allclose(dlogits[2:], gradient, rtol=1e-12)


def test_only_steps_with_an_answer_are_judged(example):
    x, answers = example.echo(10, 3, 2, np.random.default_rng(0))
    ahead = np.concatenate([np.zeros_like(x[:2]), x[:-2]])  # the outputs of a perfect network
    assert example.right(lambda x: (ahead, None), x, answers) == 1
    assert example.right(lambda x: (-ahead, None), x, answers) == 0


@pytest.mark.parametrize(("k1", "k2"), [(5, 5), (5, 20), (20, 20)])
def test_an_update_every_k1_steps(example, k1, k2):
    x, answers = example.echo(103, 2, 3, np.random.default_rng(0))
    assert example.train(example.make_model(0), x, answers, k1, k2) == -(-103 // k1)


@pytest.mark.slow
def test_whole_run(example, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    example.main()
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:10].strip(): [float(cell) for cell in re.findall(r"[\d.]+(?=%)", line)] for line in lines[3:6]}
    assert rows.keys() == {"5, 5", "5, 20", "20, 20"}
    near, between, far = zip(*rows.values(), strict=True)
    assert min(near) > 99 and max(far) < 30  # within k1; beyond k2
    assert between[0] < 50 < 70 < between[2] < between[1] and between[1] > 95
    assert lines[-1].startswith("Naming the letter 12 steps before: ")


def test_nothing_shown_is_an_error(example, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), "--steps", "60"])
    with pytest.raises(SystemExit, match="has not shown"):
        example.main()
