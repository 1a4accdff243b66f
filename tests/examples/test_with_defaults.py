# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/with_defaults.py, and a whole run, on a small scale."""

import importlib.util
import re
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the example is about scikit-learn")
pytest.importorskip("statsmodels", reason="the example reads series that statsmodels carries")


@pytest.fixture(autouse=True)
def sktime():
    if importlib.util.find_spec("sktime") is None:
        pytest.skip("the example reads data that sktime carries")


@pytest.mark.parametrize(("name", "counts", "channels"), [("arrowheads", (36, 175), 1), ("motions", (40, 40), 6)])
def test_the_sequences_are_those_that_are_described(example, name, counts, channels):
    for part, count in zip(("TRAIN", "TEST"), counts, strict=True):
        X, y = example.labelled(name, part)
        assert len(X) == len(y) == count and {x.shape[1] for x in X} == {channels}
        assert {x.dtype for x in X} == {np.dtype("float32")}


@pytest.mark.parametrize(("name", "steps"), [("airline", 144), ("lynx", 114), ("sunspots", 309), ("pacific", 732)])
def test_the_series_are_those_that_are_described(example, name, steps):
    assert example.series(name).shape == (steps,)


def test_the_whole_example_runs(example, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["with_defaults.py", "--sets", "lynx", "airline"])
    example.main()
    printed = capsys.readouterr().out
    assert re.search(r"^lynx +1\.00 +1\.38 +\d\.\d\d +\d+\.\d\d s( |$)", printed, re.MULTILINE)
    assert printed.strip().splitlines()[-1].startswith("With defaults, the GRU is right about -; its relative errors")
