# SPDX-License-Identifier: BSD-3-Clause
"""How the time of a call divides among its parts."""

import time
from types import SimpleNamespace

import pytest

from fastrnn.benchmarks._suite.steps.parts import Clock


@pytest.fixture
def now(monkeypatch):
    """A clock that only `pass_` moves."""
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def pass_(seconds):
        clock[0] += seconds

    return pass_


def test_a_part_within_another_counts_for_itself(now):
    """Also one within a part of the same name; what is in no part is the rest."""
    owner = SimpleNamespace(outer=lambda: (now(2), owner.inner(), owner.again()), inner=lambda: now(3))
    owner.again = lambda: now(5)
    clock = Clock()
    clock.watch("a", owner, "outer", "again")
    clock.watch("b", owner, "inner")
    parts = clock.measure(lambda: (now(1), owner.outer()))
    assert parts == {"a": 7, "b": 3, "rest": 1, "whole": 11}


def test_a_part_that_fails_is_closed(now):
    """The error passes through, and the time of the next call is right."""
    clock = Clock()

    def fail():
        now(1)
        raise KeyError("no")

    with pytest.raises(KeyError):
        clock.timed("a", fail)()
    assert clock.seconds == {"a": 1} and clock.inner == []


def test_the_call_of_the_median_counts(now):
    """Its parts, not a mixture of several calls."""
    durations = iter([9, 1, 4])
    assert Clock().measure(lambda: now(next(durations))) == {"rest": 4, "whole": 4}
