# SPDX-License-Identifier: BSD-3-Clause
"""Clipping between gradients and update."""

from types import SimpleNamespace

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._hooks.clip import Clip
from fastrnn.training._hooks.hook import Step
from fastrnn.training._loop.update import Update


@pytest.fixture
def model():
    model = fr.Sequential(fr.GRU(2, 3, seed=0), fr.Linear(3, 1, seed=1))
    for name in model.grads:
        model.grads[name].fill(0.5)
    return model


def step(model, clip, lr):
    """Clip and step; returns the norm before."""
    update = Update(model, fr.SGD(model, lr=lr))
    norm = update.norm(0.5)
    added = clip.on_gradients(SimpleNamespace(model=model), Step(1, 1, 0.5, norm, {}, {}, 1))
    assert not added  # the norm of the history is the one before
    update(0.5, norm)
    return norm


def test_it_clips(model):
    before = model.state_dict()
    norm = step(model, Clip(1.0), lr=0.1)
    size = sum(grad.size for grad in model.grads.values())
    np.testing.assert_allclose(norm, 0.5 * np.sqrt(size))
    for name, p in model.params.items():
        np.testing.assert_allclose(p, before[name] - 0.1 * 0.5 / norm, rtol=1e-5)


def test_both_clips_hold(model):
    """The elements are clipped first: a large one costs the others nothing."""
    before, size = model.state_dict(), sum(grad.size for grad in model.grads.values())
    for clip, expected in (None, 0.25), (1.0, size**-0.5):
        for name, p in model.params.items():
            p[...] = before[name]
            model.grads[name].fill(-1e6 if name == "1.bias" else 0.5)
        assert step(model, Clip(clip, 0.25), lr=1.0) > 1e5  # measured before
        for name, p in model.params.items():
            np.testing.assert_allclose(np.abs(p - before[name]), expected, rtol=1e-4)
            assert ((p > before[name]) == (name == "1.bias")).all()


def test_without_a_clip(model):
    before = model.state_dict()
    step(model, Clip(None), lr=0.1)
    for name, p in model.params.items():
        np.testing.assert_allclose(p, before[name] - 0.05, rtol=1e-5)
