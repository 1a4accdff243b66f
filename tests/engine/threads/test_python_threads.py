# SPDX-License-Identifier: BSD-3-Clause
"""Calls from many Python threads."""

import os
import threading
import time

import numpy as np
import pytest
from support.child import in_child, linux_only, results

import fastrnn as fr


def calls_from_eight_threads(kind):
    """In how many of 8 x 5 concurrent calls something differs from the calls one after another."""
    wrong, together = [], threading.Barrier(8)
    sizes = [(390, 60, 1), (15, 12, 200), (64, 30, 7), (4, 3, 2)]

    def layers():
        return [fr.LSTM(20, H, seed=k) for k, (H, _, _) in enumerate(sizes)]

    def run(layer, k):
        _, T, N = sizes[k]
        if kind == "training":
            return results(layer, T, N)
        x = np.random.default_rng(k).standard_normal((T, N, 20)).astype(np.float32)
        y, (h, c) = layer(x)
        return y.tobytes(), h.tobytes(), c.tobytes()

    with fr.threads(1):
        expected = [run(layer, k) for k, layer in enumerate(layers())]
    shared = layers()  # fresh: the first calls pack their weights, also at the same time

    def work(rank):
        mine = layers() if kind == "training" else shared
        together.wait()
        for _ in range(5):
            for k, layer in enumerate(mine):
                with fr.threads(1 + (rank + k) % 3):
                    if run(layer, k) != expected[k]:
                        wrong.append((rank, k))

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


@pytest.mark.parametrize("kind", ["inference", "training"])
def test_calls_from_eight_python_threads(kind):
    """Inference on shared layers and training of separate ones give the bits of serial calls."""
    assert in_child(calls_from_eight_threads, kind, uses=[results]) == []


@pytest.mark.parametrize("kind", ["inference", "forward", "backward"])
def test_the_gil_is_released(kind):
    """While one Python thread is in a long call, another one goes on.

    With the GIL held, its heart would beat once or twice while the call lasts.
    """
    layer, span, beats = fr.LSTM(256, 256, seed=0), [], []
    x, dy = np.ones((600, 16, 256), np.float32), np.ones((600, 16, 256), np.float32)
    tape = layer.forward(x)[-1]

    def call():
        span.append(time.perf_counter())
        if kind == "inference":
            layer(x)
        elif kind == "forward":
            layer.forward(x)
        else:
            layer.backward(tape, dy)
        span.append(time.perf_counter())

    with fr.threads(1):
        layer(x)  # packs, and finds memory
    fr.set_num_threads(1)
    thread = threading.Thread(target=call)
    thread.start()
    while thread.is_alive():
        beats.append(time.perf_counter())
        time.sleep(0.001)
    begin, end = span
    within = sum(begin < beat < end for beat in beats)
    assert within >= 8, f"{within} beats in {end - begin:.3f} s"


def threads_left_behind():
    """Threads of the process after a first and after a hundred more short-lived Python threads."""
    layer, x = fr.LSTM(20, 390, seed=0), np.ones((20, 1, 20), np.float32)

    def call():
        with fr.threads(2):
            layer(x)

    def count_after(n):
        for _ in range(n):
            thread = threading.Thread(target=call)
            thread.start()
            thread.join()
        end = time.monotonic() + 10  # a team's threads leave a little later than their master
        while (count := len(os.listdir("/proc/self/task"))) > 1 and time.monotonic() < end:
            time.sleep(0.01)
        return count

    return [count_after(1), count_after(100)]


@linux_only
def test_no_thread_remains_after_a_python_thread_has_ended():
    """No thread stays when the Python thread that called has ended."""
    assert in_child(threads_left_behind, env={"OPENBLAS_NUM_THREADS": "1"}) == [1, 1]
