# SPDX-License-Identifier: BSD-3-Clause
"""Sizes that do not fit the memory are refused at once, and leave a layer usable."""

import os
import subprocess
import sys
import textwrap

import pytest

# In a process of its own: it limits its address space, and a crash must not end the tests.
PRELUDE = """
import pathlib, resource
import numpy as np
from numpy.lib.stride_tricks import as_strided
import fastrnn as fr

def train(layer, x):
    y, _, tape = layer.forward(x)
    return layer.backward(tape, np.broadcast_to(np.float32(1), y.shape))

def limit(extra):  # bytes beyond what is in use now, or None
    used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard if extra is None else used + extra, hard))

def refused(call, errors=(MemoryError, ValueError)):
    try:
        call()
    except errors:
        return
    raise AssertionError("accepted")

fr.set_num_threads(2)
fr.LSTM(64, 64)(np.ones((20, 64, 64), np.float32))  # starts the threads: not what is tested
"""

own_address_space = pytest.mark.skipif(
    sys.platform != "linux" or "asan" in os.environ.get("LD_PRELOAD", ""),
    reason="needs RLIMIT_AS of Linux, and no sanitizer, which reserves more than any limit",
)


def run(code, timeout=20):
    """Run `code` in a fresh interpreter; it has to exit with 0, in time."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stdout}{done.stderr}"


@own_address_space
def test_giant_sequences_are_refused_at_once(kind):
    """Zero strides make 2**40 steps or rows of a few bytes; their results never fit."""
    run(f"""
        limit(4 << 30)
        for layers, both, batch_first in (1, False, False), (2, False, True), (2, True, False):
            layer = fr.{kind.__name__}(3, 4, layers, bidirectional=both, batch_first=batch_first)
            for shape in (2**40, 1), (1, 2**40), (2**40,), (2**30, 2**20), (2**58, 1):
                x = as_strided(np.ones(3, np.float32), (*shape, 3), (0,) * len(shape) + (4,))
                refused(lambda: layer(x))
                refused(lambda: layer.forward(x))
        layer, x = fr.{kind.__name__}(3, 4), np.ones((2, 2, 3), np.float32)
        refused(lambda: layer(np.zeros((0, 2**40, 3), np.float32)))  # the state does not fit
        lengths = as_strided(np.ones(1, int), (2**40,), (0,))
        state = as_strided(np.ones(1, np.float32), (1, 2**40, 4), (0, 0, 0))
        dy = as_strided(np.ones(1, np.float32), (2**40, 2, 4), (0, 0, 0))
        refused(lambda: layer(x, lengths=lengths))
        refused(lambda: layer(x, (state, state) if isinstance(layer, fr.LSTM) else state))
        tape = layer.forward(x)[2]
        refused(lambda: layer.backward(tape, dy))
        layer.backward(tape, np.ones((2, 2, 4), np.float32))
        """)


@own_address_space
@pytest.mark.parametrize("layers", [1, 2])
def test_a_giant_empty_batch_costs_nothing(layers):
    """2**40 steps of no rows are no work: inference, forward and backward."""
    run(
        f"""
        layer, x = fr.LSTM(3, 4, {layers}), np.zeros((2**40, 0, 3), np.float32)
        limit(4 << 30)
        assert layer(x)[0].shape == (2**40, 0, 4)
        assert train(layer, x)[0].shape == x.shape
        """,
        timeout=5,
    )


@own_address_space
def test_giant_layers_are_refused_at_once(kind):
    """Parameters that do not fit the memory, or an address, or any integer of C."""
    run(f"""
        limit(4 << 30)
        for size in 2**31, 2**40, 2**61, 2**62, 2**63, 10**30:
            refused(lambda: fr.{kind.__name__}(size, 4))
            refused(lambda: fr.{kind.__name__}(3, size))
        """)


@own_address_space
def test_giant_stacks_are_refused_at_once():
    """Before all memory is filled with the parameters of the first millions of layers."""
    run(
        """
        limit(4 << 30)
        for layers in 2**40, 2**62, 10**30:
            refused(lambda: fr.LSTM(3, 4, layers))
        """,
        timeout=5,
    )


@own_address_space
def test_what_does_not_fit_leaves_the_layer_usable(kind):
    """MemoryError for y, for the tape and for dx; afterwards the layer gives the same bits."""
    # Each big array has 39 MB or more, which malloc never takes from memory that it holds.
    run(f"""
        layer, other = (fr.{kind.__name__}(4096, 8, 2, seed=0) for _ in range(2))
        small, big = np.ones((2, 4, 4096), np.float32), np.ones(4096, np.float32)
        train(layer, small)
        before = layer(small)[0]
        limit(16 << 20)
        refused(lambda: layer(np.broadcast_to(big, (2000, 640, 4096))), MemoryError)
        refused(lambda: layer.forward(np.broadcast_to(big, (2000, 640, 4096))), MemoryError)
        assert (layer(small)[0] == before).all()
        limit(60 << 20)  # enough for y, not for the tape
        refused(lambda: layer.forward(np.broadcast_to(big, (2000, 640, 4096))), MemoryError)
        assert (layer.forward(small)[0] == before).all()
        limit(None)
        y, _, tape = layer.forward(np.broadcast_to(big, (40, 64, 4096)))
        limit(16 << 20)  # not for dx
        refused(lambda: layer.backward(tape, np.ones_like(y)), MemoryError)
        layer.zero_grad()
        train(layer, small)
        train(other, small)
        for name in other.grads:
            assert (layer.grads[name] == other.grads[name]).all(), name
        """)


@own_address_space
def test_weights_that_cannot_be_packed_leave_the_layer_usable(kind):
    """The first call packs them: a MemoryError where that does not fit, and nothing worse."""
    run(f"""
        layer = fr.{kind.__name__}(1024, 1024, seed=0)  # 8 MB of parameters or more
        x = np.ones((1, 1, 1024), np.float32)
        limit(1 << 20)
        refused(lambda: layer(x), MemoryError)
        refused(lambda: layer.forward(x), MemoryError)
        limit(12 << 20)
        refused(lambda: layer(x), MemoryError)
        limit(None)
        assert (layer(x)[0] == fr.{kind.__name__}(1024, 1024, seed=0)(x)[0]).all()
        """)
