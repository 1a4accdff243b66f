# SPDX-License-Identifier: BSD-3-Clause
"""Trainings in which the loss computes the last layer, beside the same trainings in which it does not."""

import fastrnn.losses._linear_cross_entropy as linear_cross_entropy
from fastrnn.training._loop import last_layer
from fastrnn.training._loop.last_layer import WithLastLayer

from .training import assert_same, but_seconds


def set_parts(monkeypatch, in_parts):
    """The loss computes parts of 256 positions, however few they are; or one, as of few positions."""
    for name in ("PART_BYTES", "FEW_BYTES"):
        monkeypatch.setattr(linear_cross_entropy, name, 0 if in_parts else 1 << 30)


def without(monkeypatch):
    """From now on the loss never takes the last layer."""
    monkeypatch.setattr(last_layer, "of_linear", lambda loss, layer: None)


def count_uses(monkeypatch):
    """How often the loss takes the last layer, counted from now on."""
    uses = []
    cost = WithLastLayer.cost

    def counting(self, *arguments):
        uses.append(self)
        return cost(self, *arguments)

    monkeypatch.setattr(WithLastLayer, "cost", counting)
    return uses


def assert_same_training(monkeypatch, train, used=True):
    """The same parameters and history, whether the loss takes the last layer or not. train() returns both."""
    uses = count_uses(monkeypatch)
    ours, history = train()
    assert bool(uses) == used
    without(monkeypatch)
    uses.clear()
    plain, expected = train()
    assert not uses
    assert_same(ours, plain.params)
    assert but_seconds(history) == but_seconds(expected)
