# SPDX-License-Identifier: BSD-3-Clause
"""Children that a process forks after it has used threads."""

import os
import threading
import time

import numpy as np
import pytest
from support.child import exit_codes, fork, in_child, linux_only, results

import fastrnn as fr


def forks_after_use(kind):
    """Exit codes of children that compute on two threads, as their parent did before."""
    layer, other = fr.LSTM(20, 390, seed=0), fr.GRU(20, 390, seed=0)
    with fr.threads(2):
        expected = results(layer, 60, 1)
    two_threads = "libgomp" in open("/proc/self/maps").read()

    def child():
        with fr.threads(2):
            same = results(layer, 60, 1) == expected
        threads = len(os.listdir("/proc/self/task"))
        return 1 if not same else 2 if two_threads and threads != 2 else 0

    def family():
        return child() or exit_codes([fork(child)])[0]

    if kind == "from the main thread":
        return exit_codes([fork(child)])
    if kind == "a child of a child":
        return exit_codes([fork(family)])
    if kind == "twenty in a row":
        pids = []
        for _ in range(20):
            pids.append(fork(child))
            with fr.threads(2):
                assert results(layer, 60, 1) == expected
        return exit_codes(pids)
    result, stop = [], threading.Event()
    if kind == "from another Python thread":

        def parent():
            with fr.threads(2):
                result.append(int(results(layer, 60, 1) != expected))
            result.extend(exit_codes([fork(child)]))

        thread = threading.Thread(target=parent)
    else:  # while another Python thread computes

        def compute():
            with fr.threads(2):
                first = results(other, 60, 1)
                while not stop.is_set():
                    result.append(int(results(other, 60, 1) != first))

        thread = threading.Thread(target=compute)
    thread.start()
    if kind == "while another Python thread computes":
        pids = []
        for _ in range(20):
            time.sleep(0.003)
            pids.append(fork(child))
        result = result + exit_codes(pids)
        stop.set()
    thread.join()
    return result


@linux_only
@pytest.mark.parametrize(
    "kind",
    [
        "from the main thread",
        "from another Python thread",
        "a child of a child",
        "twenty in a row",
        "while another Python thread computes",
    ],
)
def test_fork_after_use(kind):
    """Children of a process that has used threads use threads, with the same bits, and end."""
    codes = in_child(forks_after_use, kind, uses=[results, fork, exit_codes])
    assert codes
    assert set(codes) == {0}


def forks_while_packing():
    """Exit codes of children forked while another Python thread makes its first call of a layer."""
    layer, x = fr.LSTM(1024, 1024, seed=0), np.ones((1, 1, 1024), np.float32)

    def child():
        layer(x)
        return 0

    thread, pids = threading.Thread(target=layer, args=(x,)), []
    thread.start()
    while thread.is_alive() and len(pids) < 8:
        pids.append(fork(child))
    thread.join()
    return exit_codes(pids, seconds=5)


@linux_only
@pytest.mark.slow
def test_fork_while_another_python_thread_packs_the_weights():
    """The children can use a layer that was being packed when they were forked."""
    codes = in_child(forks_while_packing, uses=[fork, exit_codes])
    assert codes
    assert set(codes) == {0}
