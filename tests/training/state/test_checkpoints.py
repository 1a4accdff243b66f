# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints: what is written comes back, what does not fit changes nothing."""

import os
from pathlib import Path

import pytest
from support.checkpoints import assert_same, everything, learn, make, make_model

import fastrnn as fr
from fastrnn.nn._layer import leaves
from fastrnn.training._state import checkpoints


def test_a_training_resumes_to_the_same_bits(saved):
    """Parameters, moments, learning rate and the numbers that dropout draws."""
    path, parts = saved
    other = make(seed=5)
    assert fr.load_checkpoint(path, *other) == {"epoch": 3}
    assert_same(everything(*other), everything(*parts))
    learn(*parts, seed=1)
    learn(*other, seed=1)
    assert_same(everything(*other), everything(*parts))


@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
def test_kinds_of_path(kind, saved, path):
    _, (model, *_) = saved
    fr.Checkpoint(kind(path)).write(model, epoch=7)
    assert fr.load_checkpoint(kind(path), model) == {"epoch": 7}


def test_parts_may_be_left_out(saved, path):
    saved, (model, *_) = saved
    other = make_model(seed=5)
    fr.load_checkpoint(saved, other)
    assert_same(other.state_dict(), model.state_dict())
    fr.save_checkpoint(path, model)
    assert fr.load_checkpoint(path, other) == {}
    with pytest.raises(ValueError, match="optimizer: expected none, as in the checkpoint, got Adam"):
        fr.load_checkpoint(path, other, fr.Adam(other))


@pytest.mark.parametrize(
    "message, change",
    [
        ("model.layers.0.hidden_size is 4 in the checkpoint, 5 in the model", lambda m, a, s: make(hidden=5)),
        ("layers is a list of 3 in the .*, a list of 1 in", lambda m, a, s: (fr.Sequential(fr.GRU(3, 4)), a, s)),
        ("model: .*: model is Sequential in the checkpoint, GRU in the model", lambda m, a, s: (fr.GRU(3, 4), a, s)),
        ("optimizer: expected Adam, as in the checkpoint, got SGD", lambda m, a, s: (m, fr.SGD(m), s)),
        ("schedule: expected StepLR, as in the checkpoint, got LinearW", lambda m, a, s: (m, a, fr.LinearWarmup(a, 4))),
        ("lr.0.weight_ih_l0: expected an entry", lambda m, a, s: (m, fr.Adam(m, groups={"*": {"lr": 1.0}}), s)),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_changed(message, change, saved):
    path, _ = saved
    parts = change(*make(seed=5))
    learn(*parts[:2])
    before = everything(*parts)
    random = [leaf.random_state for leaf in leaves(parts[0])]
    with pytest.raises(ValueError, match=message) as caught:
        fr.load_checkpoint(path, *parts)
    assert str(path) in str(caught.value)
    assert_same(everything(*parts), before)
    assert [leaf.random_state for leaf in leaves(parts[0])] == random


def test_names_in_the_file_tell_the_place(saved):
    from safetensors.numpy import load_file

    names = set(load_file(saved[0]))
    assert {"tree", "model/0.weight_ih_l0", "optimizer/state/m.0.weight_ih_l0"} <= names


def test_when_one_is_due(path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    by_steps = fr.Checkpoint(path, every_n_steps=3)
    assert [step for step in range(1, 10) if by_steps.due(step)] == [3, 6, 9]
    assert not fr.Checkpoint(path).due(1000)
    by_time = fr.Checkpoint(path, every_seconds=10)
    assert not by_time.due(1)
    now[0] = 110.0
    assert by_time.due(2)
    by_time.write(make_model())
    assert not by_time.due(3) and path.exists()


def test_bad_intervals(path):
    with pytest.raises(ValueError, match="every_n_steps: expected at least 1, got 0"):
        fr.Checkpoint(path, every_n_steps=0)
    with pytest.raises(ValueError, match="every_seconds: expected a finite number above 0, got 0"):
        fr.Checkpoint(path, every_seconds=0)
    with pytest.raises(TypeError):
        fr.Checkpoint(3)


def test_a_checkpoint_shows_where_and_when():
    assert repr(fr.Checkpoint("run.checkpoint")) == "Checkpoint('run.checkpoint')"
    shown = "Checkpoint('run.checkpoint', every_n_steps=100, every_seconds=60.0)"
    assert repr(fr.Checkpoint("run.checkpoint", every_n_steps=100, every_seconds=60)) == shown
