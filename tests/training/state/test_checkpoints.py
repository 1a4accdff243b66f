# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints: what is written comes back, a broken or a foreign one changes nothing, a full disk loses nothing."""

import copy
import errno
import os
import resource
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.io import _container as container
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint
from fastrnn.nn._layer import leaves
from fastrnn.training._state import checkpoints


def make_model(hidden=4, seed=0):
    return fr.Sequential(
        fr.GRU(3, hidden, 2, dropout=0.5, seed=seed), fr.Dropout(0.5, seed=seed), fr.Linear(hidden, 2, seed=seed)
    )


def learn(model, optimizer, schedule=None, steps=3, seed=0):
    """A few updates; dropout draws numbers."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        y, _, tape = model.forward(rng.standard_normal((5, 2, 3)).astype(np.float32))
        model.zero_grad()
        model.backward(tape, y)
        optimizer.step()
        if schedule is not None:
            schedule.step()


def make(seed=0, hidden=4):
    model = make_model(hidden, seed)
    adam = fr.Adam(model, lr=0.1)
    return model, adam, fr.StepLR(adam, 2)


def everything(model, optimizer, schedule):
    state = {**model.state_dict(), **{f"optimizer.{k}": v for k, v in optimizer.state_dict().items()}}
    return state | {f"schedule.{k}": v for k, v in schedule.state_dict().items()}


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.checkpoint"


@pytest.fixture
def saved(path):
    """A checkpoint in the middle of a training, and what trained."""
    parts = make()
    learn(*parts)
    fr.save_checkpoint(path, *parts, epoch=3)
    return path, parts


def test_a_training_goes_on_to_the_same_bits(saved):
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


def test_models_of_ones_own(path):
    class Model:
        def __init__(self, shape=(2,)):
            self.params, self.grads = {"w": np.ones(shape)}, {"w": np.zeros(shape)}

    model = Model()
    fr.save_checkpoint(path, model, fr.SGD(model))
    model.params["w"][...] = 7
    fr.load_checkpoint(path, model, fr.SGD(model))
    assert model.params["w"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="expected the architecture of the checkpoint"):
        fr.load_checkpoint(path, Model((3,)))


@pytest.mark.parametrize(
    "message, change",
    [
        ("model: .*: model.layers.0.hidden_size is 4 there, 5 here", lambda m, a, s: make(hidden=5)),
        ("model.layers is 3 of them there, 1 of them here", lambda m, a, s: (fr.Sequential(fr.GRU(3, 4)), a, s)),
        ("model: .*: model is Sequential there, GRU here", lambda m, a, s: (fr.GRU(3, 4), a, s)),
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


@pytest.mark.parametrize("wrong", [object(), {1, 2}, {3: 4}, b"bytes", 1j], ids=repr)
def test_what_cannot_be_written(wrong, saved):
    path, parts = saved
    before = path.read_bytes()
    with pytest.raises(TypeError, match="training/more"):
        fr.save_checkpoint(path, *parts, more=wrong)
    assert path.read_bytes() == before


def test_every_kind_of_damage_is_an_error(saved):
    """Cut anywhere, any byte changed, something else altogether."""
    path, _ = saved
    content = path.read_bytes()
    parts = make(seed=5)
    before = everything(*parts)
    for end in [0, 7, 8, 100, *range(200, len(content), 997), len(content) - 1]:
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=str(path)):
            fr.load_checkpoint(path, *parts)
    for at in range(0, len(content), 61):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ValueError, match=str(path)):
            fr.load_checkpoint(path, *parts)
    assert_same(everything(*parts), before)


def test_a_model_file_is_no_checkpoint_and_the_reverse(saved, tmp_path):
    path, (model, *_) = saved
    with pytest.raises(ValueError, match="a checkpoint of a training: fastrnn.load_checkpoint reads it"):
        fr.load(path)
    fr.save(model, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="expected a checkpoint in format 'checkpoint 1', got '1'; fastrnn.load reads"):
        fr.load_checkpoint(tmp_path / "model.safetensors", model)
    with pytest.raises(FileNotFoundError):
        fr.load_checkpoint(tmp_path / "none", model)


def test_a_tree_of_something_else(path):
    write_checkpoint(path, {"hello": "world"})
    with pytest.raises(ValueError, match="not what save_checkpoint wrote"):
        fr.load_checkpoint(path, make_model())


def leaves_of(part, place=()):
    """The places in a tree that hold no others."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    inside = [leaf for key, value in items for leaf in leaves_of(value, (*place, key))]
    return inside or [place]


def test_any_part_of_another_kind_is_an_error_or_as_good(saved):
    """A file that is whole but says nonsense: an error that names it, and nothing changed; or values that can be."""
    path, parts = saved
    tree = read_checkpoint(path)
    parts = make(seed=5)
    before = everything(*parts)
    refused = 0
    for place in leaves_of(tree):
        for value in None, -1, "text", [1], {}, np.ones(3), 2**200:
            changed = inner = copy.deepcopy(tree)
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = value
            write_checkpoint(path.with_name("other"), changed)
            try:
                fr.load_checkpoint(path.with_name("other"), *parts)
            except ValueError as error:
                assert "other: " in str(error)
                assert_same(everything(*parts), before)
                refused += 1
            else:
                fr.load_checkpoint(path, *parts)
                before = everything(*parts)
    assert refused > 100


def test_a_disk_that_is_full_loses_nothing(saved):
    path, parts = saved
    content = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))  # as near as one gets without a disk of one's own
    try:
        with pytest.raises(OSError, match="File too large"):
            fr.save_checkpoint(path, *parts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == content


def test_no_space_left(saved, monkeypatch):
    path, parts = saved
    content = path.read_bytes()

    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(container.os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        fr.save_checkpoint(path, *parts)
    monkeypatch.undo()
    assert os.listdir(path.parent) == [path.name] and path.read_bytes() == content


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
