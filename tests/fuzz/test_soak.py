# SPDX-License-Identifier: BSD-3-Clause
"""What grows, and bits that change after many rounds, are found."""

import os

import numpy as np
import pytest
from fuzz import soak
from fuzz.runner import run
from fuzz.soak import Soak
from support.child import linux_only, not_sanitized

import fastrnn as fr

KEPT = []


def memory(self, rng):
    KEPT.append(np.ones(1 << 17))  # a megabyte


def descriptors(self, rng):
    if self.rounds % 10 == 0:
        KEPT.append(os.open(os.devnull, os.O_RDONLY))


def bits(self, rng):
    if self.rounds == 40:
        self.layers[0].params["weight_hh_l0"] += 1e-3
    self.compute(k=0)


def nothing(self, rng):
    self.compute(k=0)


FAULTS = {
    memory: "bytes, descriptors, threads",
    descriptors: "bytes, descriptors, threads",
    bits: "layer 0: other bits than in the first round",
    nothing: None,
}


@linux_only
@not_sanitized
@pytest.mark.parametrize("activity", FAULTS, ids=lambda activity: activity.__name__)
def test_a_slow_fault_is_found(activity, monkeypatch, tmp_path):
    """In 120 rounds of windows of 20; and not where there is none."""
    monkeypatch.setattr(soak, "WINDOW", 20)

    class Worn(Soak):
        def __init__(self, folder):
            super().__init__(folder)
            self.activities = (lambda rng: activity(self, rng),)
            self.activities[0].__name__ = activity.__name__

    faults = run(Worn, tmp_path, 1, cases=120).faults
    assert len(faults) == (FAULTS[activity] is not None)
    assert all(FAULTS[activity] in fault.what for fault in faults)


@linux_only
@pytest.mark.parametrize("name", ["compute", "fork", "interrupt", "mistakes", "files", "affinity"])
def test_each_activity_compares_bits(name, tmp_path):
    """An activity whose layer has changed since the first round says so."""

    class Worn(Soak):
        def case(self, rng):
            attack = getattr(self, name)
            attack(np.random.default_rng(0))
            for layer in (*self.layers, self.model):
                for key in layer.params:
                    layer.params[key] += 1e-3
            attack(np.random.default_rng(0))

    (fault,) = run(Worn, tmp_path, 1, cases=1).faults
    assert "other bits than in the first round" in fault.what or "a child ended with" in fault.what


def test_the_first_round_is_what_the_others_are_compared_with(tmp_path):
    attack = Soak(tmp_path)
    with fr.threads(1):
        attack.compute(k=1)
        attack.first["layer 1"] = {**attack.first["layer 1"], "y": b""}
        with pytest.raises(AssertionError, match="layer 1: other bits"):
            attack.compute(k=1)
