# SPDX-License-Identifier: BSD-3-Clause
"""Attention of the engine as the package calls it: any threads, Ctrl-C. The numbers are in tests/csrc."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from support.child import in_child, linux_only, needs_openmp, not_sanitized

import fastrnn as fr
from fastrnn._engine.attention import Memory, add_outer, attend, attend_back

S, N, T, F = 40, 9, 30, 24


def arrays(rng, dtype):
    keys, values = rng.standard_normal((2, N, T, F)).astype(dtype)
    lengths = rng.integers(0, T + 1, N)
    return Memory(keys, values, np.ones(F, dtype), lengths), rng.standard_normal((S, N, F)).astype(dtype)


def passes(memory, query):
    """Every array that a forward and a backward pass write."""
    context, weights = np.empty((S, N, F), query.dtype), np.empty((S, N, T), query.dtype)
    attend(query, memory, context, weights)
    dscores, dquery, dhidden = np.empty_like(weights), np.empty_like(query), np.zeros_like(memory.keys)
    dv, dvalues = np.zeros((N, F), query.dtype), np.zeros_like(memory.values)
    attend_back((query, weights), (context, None), memory, (dscores, dquery, dhidden, dv))
    add_outer(weights, context, memory.lengths, dvalues)
    return context, weights, dscores, dquery, dhidden, dv, dvalues


@needs_openmp
def test_the_same_bits_on_any_number_of_threads(dtype, rng):
    """As `threads` says."""
    given = arrays(rng, dtype)
    with fr.threads(1):
        expected = passes(*given)
    for n in (2, 3):
        with fr.threads(n):
            for ours, theirs in zip(passes(*given), expected, strict=True):
                assert ours.tobytes() == theirs.tobytes()


def unmoved(*shape):
    """An array in which only the last axis moves."""
    row = np.zeros(shape[-1], np.float32)
    return np.lib.stride_tricks.as_strided(row, shape, (*[0] * (len(shape) - 1), row.itemsize))


def delay_of_ctrl_c(back):
    """Seconds from SIGINT, sent into a call that would take many, to KeyboardInterrupt. Its queries are one array."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent set
    S, T, F = 10**6, 2000, 64
    keys, query, weights = np.zeros((1, T, F), np.float32), unmoved(S, 1, F), unmoved(S, 1, T)
    dcontext = unmoved(S, 1, F)
    dcontext[0] = 1  # queries of which it is 0 are left out
    memory = Memory(keys, keys, np.ones(F, np.float32), None)
    sent = []

    def send():
        time.sleep(0.5)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    delays = []
    for _ in range(3):
        sender = threading.Thread(target=send)
        sender.start()
        try:
            with fr.threads(1):
                if back:
                    results = unmoved(S, 1, T), unmoved(S, 1, F), np.zeros_like(keys), np.zeros((1, F), np.float32)
                    attend_back((query, weights), (dcontext, None), memory, results)
                else:
                    attend(query, memory, unmoved(S, 1, F), weights)
            raise SystemExit("the call was over before the signal came")
        except KeyboardInterrupt:
            delays.append(time.monotonic() - sent[-1])
        sender.join()
        if delays[-1] < 0.3:
            break
    return min(delays)


@linux_only
@not_sanitized
@pytest.mark.parametrize("back", [False, True], ids=["forward", "backward"])
def test_ctrl_c_is_honoured_within_0_3_s(back):
    imports = "import os, signal, threading, time\nimport numpy as np\nimport fastrnn as fr\n"
    imports += "from fastrnn._engine.attention import Memory, attend, attend_back\n"
    assert in_child(delay_of_ctrl_c, back, uses=(unmoved,), imports=imports) < 0.3
