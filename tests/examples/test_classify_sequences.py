# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/classify_sequences.py, and a whole run, on a small scale."""

import importlib.util
import re
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the example is about scikit-learn")


@pytest.fixture(autouse=True)
def sktime():
    if importlib.util.find_spec("sktime") is None:
        pytest.skip("the example reads sequences that sktime carries")


@pytest.mark.parametrize(
    ("name", "counts", "steps", "channels", "classes"),
    [
        ("days", (67, 1029), {24}, 1, 2),
        ("motions", (40, 40), {100}, 6, 4),
        ("speakers", (270, 370), set(range(7, 30)), 12, 9),
        ("digits", (1200, 597), {8}, 8, 10),
    ],
)
def test_the_data_are_those_that_are_described(example, name, counts, steps, channels, classes):
    for part, count in zip(("TRAIN", "TEST"), counts, strict=True):
        X, y = example.read(name, part)
        assert len(X) == len(y) == count and len(set(y)) == classes
        assert {len(x) for x in X} <= steps and {x.shape[1] for x in X} == {channels}
        assert isinstance(X, list) == (name == "speakers")


def test_the_baseline_reads_all_steps_or_their_mean(example):
    array = np.arange(12.0).reshape(2, 3, 2)
    assert example.as_rows(array)[1].tolist() == [6, 7, 8, 9, 10, 11]
    assert example.as_rows(list(array))[1].tolist() == [8, 9]


def test_the_whole_example_runs(example, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["classify_sequences.py", "--sets", "days"])
    example.main()
    assert re.search(r"^days( +\d+\.\d% +\d+\.\d s){3}$", capsys.readouterr().out, re.MULTILINE)
