# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints whose checksum is right and whose content is not: every part of several kinds of trainings, changed."""

import os
import random
import warnings

import numpy as np
import pytest
from support.forged import EPOCHS, MISSING, RUNS, Broken, changed, instead, places, train

from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint

# Errors that name an option of `fit`, or the kind of the file, in place of a place in it.
OTHERS = "truncate: expected k1 or (k1, k2)", "expected a checkpoint that fit wrote, got one of save_checkpoint alone"


def outcome(name, path):
    """Resume from a file: an error that names it, "trained" to the end, or "diverged", since numbers may be any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of options that differ
        warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, for numbers that no training has
        try:
            history = train(name, path, resume=True)
        except ValueError as error:
            assert str(path) in str(error), repr(error)
            return str(error)
        except FloatingPointError as error:
            assert "expected" in str(error)
            return "diverged"
    assert history.epochs <= EPOCHS
    assert {len(column) for column in history.values()} <= {history.epochs}
    return "trained"


def check(name, path, cases):
    """Each of these places with each of these values."""
    tree = read_checkpoint(path)
    forged = path.with_name("forged")
    seen = {"trained": 0, "diverged": 0, "refused": 0}
    for place, value in cases:
        write_checkpoint(forged, changed(tree, place, value))
        before = forged.read_bytes()
        try:
            result = outcome(name, forged)
        except BaseException as error:
            what = "missing" if value is MISSING else repr(value)
            error.add_note(f"{name}: {'/'.join(map(str, place))} = {what}")
            raise
        if result not in seen:
            assert forged.read_bytes() == before
            assert any(str(part) in result for part in (*place, *OTHERS)), (place, value, result)
            result = "refused"
        seen[result] += 1
    return seen


def cases_of(path):
    """All changes of a checkpoint: (place, value)."""
    tree = read_checkpoint(path)
    cases = []
    for place in places(tree)[1:]:
        part = tree
        for key in place:
            part = part[key]
        cases += [(place, value) for value in instead(part) if value is not MISSING or not isinstance(place[-1], int)]
    return cases


@pytest.fixture(params=RUNS)
def run(request, tmp_path, monkeypatch):
    """A checkpoint in the middle of an epoch, within a batch where it is cut in time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # nothing here has to outlive a power cut
    path = tmp_path / "run"
    with pytest.raises(Broken):
        train(request.param, path, resume=False, steps={"stopped": 1, "truncated": 4}.get(request.param, 3))
    return request.param, path


def test_a_sample(run):
    name, path = run
    cases = random.Random(0).sample(cases_of(path), 60)
    seen = check(name, path, cases)
    assert seen["refused"] > 25


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_change(run):
    name, path = run
    seen = check(name, path, cases_of(path))
    assert seen["refused"] > sum(seen.values()) / 2


def test_what_is_unchanged_is_resumed(run):
    name, path = run
    history = train(name, path, resume=True)
    assert history.epochs == (2 if name == "stopped" else EPOCHS)
    assert all(np.isfinite(history["loss"]))
