# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/hidden_speeds.py, and a short run."""

import importlib.util

import numpy as np
import pytest


@pytest.fixture
def packages(example, tmp_path, monkeypatch):
    monkeypatch.setenv("SB3_LOGDIR", str(tmp_path))  # a folder for each training, otherwise in that for temporary files
    missing = [package for name, package in example.PACKAGES.items() if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"the example trains a policy of {', '.join(missing)}: pip install 'fastrnn[sb3]'")


def test_speeds_are_hidden(example, packages):
    """What is seen are the numbers 0 and 2 of the four."""
    ours = example.environment()
    seen, _ = ours.reset(seed=3)
    assert ours.observation_space.contains(seen) and seen.shape == (2,)
    np.testing.assert_array_equal(seen, ours.unwrapped.state.astype(np.float32)[[0, 2]])


@pytest.mark.slow
def test_whole_run(run, packages):
    lines = run("--steps", 32768).splitlines()
    assert "the returns are the same" in lines and "(the model)  RecurrentActorCriticPolicy  swapped" in lines
    assert float(lines[-1].split(" for ")[1].split()[0]) > 100


def test_too_little_learned_is_an_error(run, example, packages, monkeypatch):
    monkeypatch.setattr(example, "STEPS", 16)
    monkeypatch.setattr(example, "COMPARED", 128)
    with pytest.raises(SystemExit, match="has not learned"):
        run("--steps", 256, "--units", 4)


def test_missing_packages_are_named(example, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'torch, sb3-contrib: pip install "fastrnn\[sb3\]"'):
        example.check_packages()
