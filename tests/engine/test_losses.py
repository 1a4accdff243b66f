# SPDX-License-Identifier: BSD-3-Clause
"""Losses of the engine as the package calls them: any memory layout, any threads, Ctrl-C."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from support.child import in_child, linux_only, needs_openmp, not_sanitized

import fastrnn as fr
from fastrnn._engine import losses

M, V = 40, 7
T, N, S = 9, 4, 3


def rows(rng, dtype):
    spread = rng.random((M, V)).astype(dtype)
    return rng.standard_normal((M, V)).astype(dtype), rng.integers(0, V, M), np.ones(M), spread, rng.random(M)


def batch(rng, dtype):
    labels, counts, steps = rng.integers(1, V, (N, S)), np.array([3, 1, 0, 2]), np.array([9, 4, 3, 9])
    return rng.standard_normal((T, N, V)).astype(dtype), (labels, counts, steps), rng.random(N)


def strided(array):
    """The same numbers with a step between them."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[..., ::2]
    wide[...] = array
    return wide


def unaligned(array):
    moved = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


layouts = pytest.mark.parametrize("layout", [np.asfortranarray, strided, unaligned, frozen])


@layouts
def test_cross_entropy_takes_any_layout(layout, dtype, rng):
    z, target, peak, spread, scale = rows(rng, dtype)
    expected = losses.cross_entropy(z, target, peak, spread, scale)
    result = losses.cross_entropy(layout(z), target, peak, layout(spread), scale)
    for ours, theirs in zip(result, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)
        assert ours.flags.c_contiguous


@pytest.mark.parametrize("spreads", [False, True])
@pytest.mark.parametrize("classes", [2, 7, 100])
def test_the_gradient_may_replace_the_logits(classes, spreads, isa, dtype, rng):
    """The same bits as in an array of its own, also where every class has a part in the target."""
    z, target = rng.standard_normal((M, classes)).astype(dtype), rng.integers(-1, classes, M)
    spread = rng.random((M, classes)).astype(dtype) if spreads else None
    scale = rng.random(M)
    expected = losses.cross_entropy(z, target, np.ones(M), spread, scale)
    values, dz = losses.cross_entropy(z, target, np.ones(M), spread, scale, z)
    assert dz is z
    np.testing.assert_array_equal(values, expected[0])
    np.testing.assert_array_equal(z, expected[1])


@layouts
def test_ctc_takes_any_layout(layout, dtype, rng):
    z, given, scale = batch(rng, dtype)
    dz, expected = np.empty_like(z), np.empty_like(z)
    values = losses.ctc(layout(z), given, 0, scale, False, dz)
    np.testing.assert_array_equal(values, losses.ctc(z, given, 0, scale, False, expected))
    np.testing.assert_array_equal(dz, expected)


@needs_openmp
@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_same_bits_on_any_number_of_threads(n, dtype, rng):
    """Of the losses that the package offers, of a batch that is divided."""
    logits, classes = rng.standard_normal((70, 30, 50)).astype(dtype), rng.integers(1, 50, (70, 30))

    def everything():
        yield fr.cross_entropy(logits, classes, label_smoothing=0.1, lengths=[*range(30, 60)])
        yield fr.cross_entropy(logits, rng_free_probabilities(logits), sample_weight=np.arange(30))
        yield fr.ctc_loss(logits, classes[:12].T, None)

    with fr.threads(1):
        expected = [*everything()]
    with fr.threads(n):
        for (loss, slope), (expected_loss, expected_slope) in zip(everything(), expected, strict=True):
            assert loss == expected_loss and slope.tobytes() == expected_slope.tobytes()


def rng_free_probabilities(logits):
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))[::-1]
    return p / p.sum(axis=-1, keepdims=True)


def delay_of_ctrl_c():
    """Seconds from SIGINT, sent into a call of CTC that would take many, to KeyboardInterrupt. Its steps and rows are
    one in memory."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the parent set
    T, N, V, S = 2000, 200_000, 16, 4
    z, dz = (np.lib.stride_tricks.as_strided(np.zeros(V, np.float32), (T, N, V), (0, 0, 4)) for _ in range(2))
    given = np.ones((N, S), np.intp), np.full(N, S), np.full(N, T)
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
                losses.ctc(z, given, 0, np.ones(N), False, dz)
            raise SystemExit("the call was over before the signal came")
        except KeyboardInterrupt:
            delays.append(time.monotonic() - sent[-1])
        sender.join()
        if delays[-1] < 0.3:
            break
    return min(delays)


@linux_only
@not_sanitized
def test_ctrl_c_is_honoured_within_0_3_s():
    imports = "import os, signal, threading, time\nimport numpy as np\nimport fastrnn as fr\n"
    assert in_child(delay_of_ctrl_c, imports=imports + "from fastrnn._engine import losses\n") < 0.3
