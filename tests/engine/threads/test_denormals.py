# SPDX-License-Identifier: BSD-3-Clause
"""Denormal numbers: flushed in the engine, kept everywhere else."""

import threading
import time
from functools import partial

import numpy as np
import pytest
from support.child import flushes, results

import fastrnn as fr


def halving(H, dtype):
    """An identity RNN that halves its state at each step and adds 2**20 times its input."""
    rnn = fr.RNN(H, H, nonlinearity="identity", bias=False, dtype=dtype, seed=0)
    rnn.params["weight_hh_l0"] = np.eye(H, dtype=dtype) / 2
    rnn.params["weight_ih_l0"] = np.eye(H, dtype=dtype) * 2**20
    return rnn


@flushes
@pytest.mark.parametrize("N, H", [(200, 15), (1, 390)], ids=["rows", "units"])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_denormals_are_flushed_in_every_thread(N, H, n_threads, dtype, isa):
    """What a kernel does not make cannot slow it down: it rounds denormals to 0, and reads them
    as 0, on all of its threads, forward and backward."""
    tiny, T = np.finfo(dtype).tiny, 200  # tiny: the smallest that is normal
    rnn, zeros = halving(H, dtype), np.zeros((T, N, H), dtype)
    state = np.full((1, N, H), 4 * tiny, dtype)
    with fr.threads(n_threads):
        y, h, tape = rnn.forward(zeros, state)
        dx, dstate = rnn.backward(tape, zeros, state)
        y_of_denormals, _ = rnn(np.full_like(zeros, tiny / 2))
    np.testing.assert_array_equal(y[1], tiny)
    np.testing.assert_array_equal(y[2:], 0)
    np.testing.assert_array_equal(h, 0)
    np.testing.assert_array_equal(dstate, 0)
    np.testing.assert_array_equal(dx[:-3], 0)
    np.testing.assert_array_equal(y_of_denormals, 0)


@pytest.mark.parametrize("kind", ["state", "weights"])
def test_denormals_are_not_slow(kind, isa):
    """At most 3 times the processor time of the same call on normal numbers: median of pairs."""
    H, T, N = 64, 300, 8
    x = np.zeros((T, N, H), np.float32)
    if kind == "state":  # stays denormal if not flushed
        rnn = halving(H, np.float32)
        rnn.params["weight_hh_l0"] = np.eye(H)
        states = [np.full((1, N, H), size, np.float32) for size in (1e-40, 1)]
        calls = [partial(rnn, x, state) for state in states]
    else:  # an LSTM of which every product is denormal
        small, normal = fr.LSTM(H, H, seed=0), fr.LSTM(H, H, seed=0)
        for name in small.params:
            small.params[name] = small.params[name] * np.float32(1e-39)
        calls = [partial(layer, x + 0.5) for layer in (small, normal)]

    def processor_time(call):
        began = time.thread_time()
        call()
        return time.thread_time() - began

    with fr.threads(1):
        pairs = [[processor_time(call) for call in calls] for _ in range(9)]
    denormal, normal = np.median(pairs[1:], axis=0)
    assert denormal <= 3 * normal


def denormals_live():
    """Whether the calling thread computes with denormals."""
    info = np.finfo(np.float32)
    product = np.float32(1e-40) * np.float32(1)
    array = np.full(100, 1e-40, np.float32) * np.float32(0.5)
    return bool(product > 0 and (array > 0).all() and info.smallest_subnormal > 0)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_process_keeps_its_denormals(n_threads):
    """After import and after calls, in the threads that called and in those that did not."""
    layer, live = fr.LSTM(20, 390, seed=0), [denormals_live()]

    def call():
        with fr.threads(n_threads):
            results(layer, 20, 1)
        live.append(denormals_live())

    call()
    for target in call, lambda: live.append(denormals_live()):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()
    assert live == [True] * 4
