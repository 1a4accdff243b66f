# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints that fit writes."""

import numpy as np
import pytest
from support.training import fit, make_model

import fastrnn as fr
from fastrnn.io import _container as container


def test_a_full_disk_stops_it_with_the_model_whole(data, tmp_path, monkeypatch):
    path, model = tmp_path / "run", make_model()
    fit(model, data, checkpoint=path, epochs=1)
    content = path.read_bytes()

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(container.os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        fit(model, data, checkpoint=path)
    assert path.read_bytes() == content and all(np.isfinite(p).all() for p in model.params.values())


def test_when_they_are_written(data, tmp_path, monkeypatch):
    """After every epoch, and after every n steps; each with the step that it belongs to."""
    steps = []
    monkeypatch.setattr(fr.Checkpoint, "write", lambda self, *parts, **training: steps.append(training["step"]))
    fit(make_model(), data, checkpoint=tmp_path / "run", epochs=2)
    assert steps == [3, 6]
    steps.clear()
    fit(make_model(), data, checkpoint=fr.Checkpoint(tmp_path / "run", every_n_steps=2), epochs=2)
    assert steps == [2, 3, 4, 6, 6]
