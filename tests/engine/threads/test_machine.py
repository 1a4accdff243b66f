# SPDX-License-Identifier: BSD-3-Clause
"""How many threads the machine allows: affinity, a parallel region. Quotas and kinds of cores: test_cores.py."""

import os

import numpy as np
import pytest
from support.child import in_child, linux_only, needs_openmp

import fastrnn as fr


def count_on_one_core():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import fastrnn as fr

    return fr.get_num_threads()


@linux_only
def test_a_process_on_one_core_has_one_thread():
    assert in_child(count_on_one_core, imports="import os") == 1


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
