# SPDX-License-Identifier: BSD-3-Clause
"""Children of fork go on with a pool that other threads of the parent step."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from support.layers import assert_same_bits

import fastrnn as fr
from fastrnn.nn._streams import pool as pools

I, H = 5, 9


def in_child(function):
    """The exit code of a child that calls `function`: 0 if it returned, 1 if it raised; ended after 20 seconds."""
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        except BaseException:
            os._exit(1)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child waits for ever")


@pytest.fixture
def pool():
    return fr.StreamPool(fr.Sequential(fr.GRU(I, H, seed=0), fr.LayerNorm(H)), 4)


def test_forks_beside_steps(pool, rng):
    """No step runs at the moment of a fork: the child has whole states, and can step, open and close."""
    x = rng.standard_normal(I).astype(np.float32)
    key, others, stop = pool.open(), [pool.open(), pool.open()], threading.Event()
    pool.step({key: x})
    before, expected = pool.state(key), pool._model(np.stack([x, x]))[0][1]

    def run(key):
        while not stop.is_set():
            pool.step({key: x})

    def goes_on():
        assert_same_bits(pool.state(key)[0], before[0])
        assert_same_bits(pool.step({key: x})[key], expected)
        pool.close(pool.open())

    threads = [threading.Thread(target=run, args=(each,)) for each in others]
    for thread in threads:
        thread.start()
    try:
        assert [in_child(goes_on) for _ in range(10)] == [0] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert_same_bits(pool.step({key: x})[key], expected)  # and the parent's locks are free


def test_a_step_that_does_not_end_delays_a_fork_only_so_long(pool, monkeypatch):
    monkeypatch.setattr(pools, "PATIENCE", 0.01)
    begun, stop = threading.Event(), threading.Event()

    def hold():
        with pool._lock:
            begun.set()
            stop.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    try:
        assert in_child(pool.open) == 0
    finally:
        stop.set()
        thread.join()
    assert pool.open() == 0
