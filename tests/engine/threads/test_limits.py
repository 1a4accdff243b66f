# SPDX-License-Identifier: BSD-3-Clause
"""No setting starts more threads than the work pays, or than a call may have."""

import os
from pathlib import Path

import numpy as np
import pytest
from support.child import in_child, linux_only, needs_openmp

import fastrnn as fr
from fastrnn import _core

MAPS = Path("/proc/self/maps")
gomp_only = pytest.mark.skipif(
    not MAPS.exists() or "libgomp" not in MAPS.read_text(),
    reason="other runtimes read these otherwise, or end the process",
)
HUGE = [pytest.param(setting, marks=gomp_only) for setting in ("+5000", "2147483648", "4294967296", "99999999999")]


def counts():
    """The number of threads by OpenMP's settings, and with threads(6)."""
    default = fr.get_num_threads()
    with fr.threads(6):
        return [default, fr.get_num_threads()]


@needs_openmp
@pytest.mark.parametrize("setting", ["1024", "5000", "5000,2", *HUGE])
def test_a_call_has_at_most_1024_threads(setting):
    """Whatever is left of a setting that OpenMP cuts to 32 bits."""
    assert in_child(counts, env={"OMP_NUM_THREADS": setting}) == [1024, 6]


@needs_openmp
@gomp_only
@pytest.mark.parametrize("setting", ["", "0", "-3", "many", "2.5", ","])
def test_what_is_no_number_of_threads_is_not_set(setting):
    """OpenMP says so and goes on; the machine decides, with affinity and the quota of a container."""
    assert in_child(counts, env={"OMP_NUM_THREADS": setting}) == in_child(counts)


@needs_openmp
@pytest.mark.parametrize("limit, expected", [("1", [1, 1]), ("2", [2, 2]), ("5", [3, 5]), ("5000", [3, 6])])
def test_omp_thread_limit_bounds_every_setting(limit, expected):
    assert in_child(counts, env={"OMP_NUM_THREADS": "3", "OMP_THREAD_LIMIT": limit}) == expected


def threads_beside_the_first():
    """How many threads the process has beside the calling one after packing 2 MB of weights, a pass of one step that is
    worth at most 4, passes of 4 rows forward and backward, and an update of two matrices of 2^18 elements; and how many
    the passes would use."""
    from fastrnn import _core

    layer, result = fr.LSTM(256, 256, seed=0), []
    optimizer = fr.Adam(layer, 1e-3)
    before = len(os.listdir("/proc/self/task"))

    def note():
        result.append(len(os.listdir("/proc/self/task")) - before)

    layer.forward(np.ones((1, 1, 256), np.float32))
    note()
    y, _, tape = layer.forward(np.ones((50, 4, 256), np.float32))
    note()
    layer.backward(tape, np.ones_like(y))
    note()
    optimizer.step()
    note()
    recurrence = _core.Recurrence(None, False, fr.get_num_threads())
    grids = [_core.plan(recurrence, "lstm", (50, 4, 256, 256), 0, backward) for backward in (False, True)]
    return result, [rows * cols for rows, cols, _ in grids]


@linux_only
@needs_openmp
@pytest.mark.parametrize("setting", [3, 5000])
def test_the_work_decides_how_many_threads_there_are(setting):
    """8 for as many times 256 KB, and for as many times 2^15 elements; what the plan says, forward and backward, and a
    team that is there is kept."""
    made, planned = in_child(threads_beside_the_first, env={"OMP_NUM_THREADS": str(setting)})
    packing = min(8, setting)
    assert made[0] == packing - 1
    assert made[1] == max(packing, planned[0]) - 1
    assert made[2] == made[3] == max(packing, *planned) - 1
    assert max(planned) < 200


def test_a_probe_has_at_most_1024_threads():
    """It asks the C API for a number of its own."""
    with pytest.raises(ValueError, match=r"n_threads: expected 1\.\.1024"):
        _core.probe("barrier", 0, 512, 1, 1025)
