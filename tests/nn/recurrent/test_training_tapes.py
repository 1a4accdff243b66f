# SPDX-License-Identifier: BSD-3-Clause
"""The tapes of recurrent layers: what they hold, and the memory that the next one uses again."""

import subprocess
import sys

import numpy as np
import pytest
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.nn._tape import open_tape


@pytest.mark.parametrize(("cell", "blocks"), [("lstm", 5), ("gru", 4), ("gru_reset_before", 4), ("rnn_tanh", 1)])
@pytest.mark.parametrize("lengths", [None, [7, 0, 3]])
def test_a_tape_holds_the_gates_of_the_steps_that_run(cell, blocks, lengths):
    layer = make_layer(cell, 3, 11, seed=0)
    tape = layer.forward(np.ones((7, 3, 3), np.float32), lengths=lengths)[2]
    rows = 21 if lengths is None else sum(lengths)
    assert tape.nbytes == blocks * 11 * rows * 4


def test_output_of_training_is_read_only_because_the_tape_needs_it():
    y, _, _ = fr.LSTM(3, 4, seed=0).forward(np.ones((2, 1, 3), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        y[0] = 0


def test_a_tape_is_used_once_and_only_by_its_layer():
    layer, other = fr.LSTM(3, 4, seed=0), fr.LSTM(3, 4, seed=0)
    y, _, tape = layer.forward(np.ones((2, 1, 3), np.float32))
    with pytest.raises(ValueError, match="tape: expected one that this LSTM made"):
        other.backward(tape, y)
    layer.backward(tape, y)
    with pytest.raises(ValueError, match="a tape can be used once"):
        layer.backward(tape, y)
    with pytest.raises(TypeError, match="tape: expected what LSTM.forward returned, got ndarray"):
        layer.backward(y, y)


def test_inference_of_a_stack_needs_no_buffer_that_grows_with_time():
    """Three layers, 300 000 steps: beyond y (73 MB) less than a tenth of what one layer's output takes."""
    code = """
import resource, numpy as np, fastrnn as fr
layer = fr.LSTM(1, 64, 3, seed=0)
layer(np.zeros((1000, 1, 1), np.float32))
x = np.zeros((300_000, 1, 1), np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
y, _ = layer(x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, y.nbytes // 1024)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, output = map(int, run.stdout.split())
    assert grown < 1.1 * output


def test_the_memory_of_a_tape_is_used_again_by_the_next(rng):
    """A training loop allocates its tapes once; an unused tape holds its own memory."""
    lstm = fr.LSTM(3, 8, seed=0)
    x = rng.standard_normal((20, 2, 3)).astype(np.float32)

    def step():
        y, _, tape = lstm.forward(x, lengths=[20, 19])
        ((_, trained),) = open_tape(tape, lstm)
        address = trained.kept.saved(0).gates.ctypes.data
        return address, lstm.backward(tape, np.ones_like(y))[0]

    first, dx = step()
    assert step()[0] == first
    waiting = lstm.forward(x, lengths=[20, 19])[2]
    assert step()[0] != first
    np.testing.assert_array_equal(lstm.backward(waiting, np.ones((20, 2, 8), np.float32))[0], dx)


@pytest.mark.parametrize("shapes", [[(20, 2), (5, 1), (40, 3), (20, 2)], [(1, 1), (0, 2), (3, 1)]])
def test_memory_of_another_size_changes_nothing(cell, shapes, rng):
    """Longer and shorter sequences in turn give what a new layer gives."""
    layer = make_layer(cell, 3, 8, seed=0)
    for T, N in shapes:
        x = rng.standard_normal((T, N, 3)).astype(np.float32)
        results = []
        for one in (layer, make_layer(cell, 3, 8, seed=0)):
            y, _, tape = one.forward(x)
            results.append([y, one.backward(tape, np.ones_like(y))[0]])
        for ours, expected in zip(*results, strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_much_memory_is_not_kept():
    """Beyond 32 MB a tape's memory goes back to the system."""
    rnn = fr.RNN(1, 64, seed=0)
    for T, expected in ((1000, True), (10_000, False)):
        x = np.zeros((T, 20, 1), np.float32)
        y, _, tape = rnn.forward(x)
        rnn.backward(tape, y)
        assert bool(rnn.stack.weights[0].pack().spare) == expected
