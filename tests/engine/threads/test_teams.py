# SPDX-License-Identifier: BSD-3-Clause
"""The teams that run calls."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from support.child import in_child, linux_only, needs_openmp

MAPS = Path("/proc/self/maps")
gomp_only = pytest.mark.skipif(
    not MAPS.exists() or "libgomp" not in MAPS.read_text(), reason="other runtimes keep threads that are not needed"
)


def teams(counts, most):
    """The team after updates of 2^15 elements for each of so many threads: all but those that were there before."""
    from fastrnn import _core

    before, seen = set(os.listdir("/proc/self/task")), []
    for n in counts:
        p = np.ones(n << 15, np.float32)
        _core.update([(_core.Rule("plain", rate=0.1), p, p.copy(), None, None, None)], most)
        seen.append(sorted(set(os.listdir("/proc/self/task")) - before))
    time.sleep(0.3)  # a thread that ends takes a moment
    return [*seen, sorted(set(os.listdir("/proc/self/task")) - before)]


@linux_only
@needs_openmp
def test_a_team_is_kept_through_smaller_calls():
    """Calls for 4 threads and for 2 take turns, and others for 1: nobody ends or begins."""
    seen = in_child(teams, [4, 2, 1, 2] * 6, 4)
    assert len(seen[0]) == 3
    assert all(threads == seen[0] for threads in seen)


@linux_only
@needs_openmp
@gomp_only
def test_a_team_becomes_smaller_in_the_end():
    """After 20 smaller calls in a row, or when a call may not have as many."""
    sizes = [len(threads) for threads in in_child(teams, [4, *[2] * 25], 4)]
    assert sizes[:20] == [3] * 20 and sizes[-1] == 1
    assert in_child(team_of_another_limit, uses=[teams]) == [3, 2]


def team_of_another_limit():
    first = teams([4], 4)[0]
    return [len(first), len(set(teams([3], 3)[0]) | set(first) & set(os.listdir("/proc/self/task")))]
