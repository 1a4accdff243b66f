# SPDX-License-Identifier: BSD-3-Clause
"""How many threads the machine allows: affinity, the quota of a container, a parallel region."""

import io
import os

import numpy as np
import pytest
from support.child import in_child, linux_only, needs_openmp

import fastrnn as fr
from fastrnn._engine import threads as thread_settings


def count_on_one_core():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import fastrnn as fr

    return fr.get_num_threads()


@linux_only
def test_a_process_on_one_core_has_one_thread():
    assert in_child(count_on_one_core, imports="import os") == 1


@pytest.mark.parametrize(
    "content, cores",
    [
        ("max 100000\n", None),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("400000 100000\n", 4),
        ("", None),
        ("max\n", None),
        ("many 100000\n", None),
        ("1 2 3\n", None),
        (FileNotFoundError, None),
        (PermissionError, None),
        ("100000 0\n", None),
    ],
)
def test_cores_of_a_cgroup(content, cores, monkeypatch):
    """Whole cores of the quota, at least one; what cannot be read is no limit."""

    def fake_open(path, *args, **kwargs):
        assert path == "/sys/fs/cgroup/cpu.max"
        if isinstance(content, type):
            raise content(path)
        return io.StringIO(content)

    monkeypatch.setattr(thread_settings, "open", fake_open, raising=False)
    assert thread_settings._cgroup_cores() == cores


@linux_only
@pytest.mark.parametrize("quota, cores", [(1, 1), (2, 2), (64, 3), (None, 3)])
def test_usable_cores_are_those_of_affinity_and_cgroup(quota, cores, monkeypatch):
    monkeypatch.setattr(thread_settings, "_cgroup_cores", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 5})
    assert thread_settings._usable_cores() == cores


def counts_in_a_parallel_region():
    """get_num_threads, and whether a call gives the right bits, in each thread of a region."""
    import ctypes

    layer, x = fr.LSTM(20, 390, seed=0), np.ones((50, 1, 20), np.float32)
    with fr.threads(1):
        alone = layer(x)[0].tobytes()
    maps = open("/proc/self/maps").read().split()
    paths = {word for word in maps if "libgomp" in word}
    if len(paths) != 1:
        return None
    result, body = [], ctypes.CFUNCTYPE(None, ctypes.c_void_p)

    @body
    def region(_):
        with fr.threads(4):
            n = fr.get_num_threads()
            result.append((n, layer(x)[0].tobytes() == alone))

    ctypes.CDLL(paths.pop()).GOMP_parallel(region, None, 3, 0)
    return result


@linux_only
@needs_openmp
def test_a_call_inside_a_parallel_region_runs_on_one_thread():
    result = in_child(counts_in_a_parallel_region)
    if result is None:
        pytest.skip("the OpenMP runtime is not one libgomp")
    assert result == [[1, True]] * 3
