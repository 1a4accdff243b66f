# SPDX-License-Identifier: BSD-3-Clause
"""The bits of every result are the same for every number of threads.

How a call is divided is the engine's choice, but two shapes leave it little. One row: only its units can be divided.
H = 15: those are few panels of units, so its rows are. Both are long enough for several chunks of steps, forward and
backward; 200 rows are more than two row blocks on one thread, and more than one on each of two. Both at once:
test_grids.py.
"""

import os

import numpy as np
import pytest
from support.child import differing, in_child, linux_only, needs_openmp, results
from support.recurrent import make_layer

import fastrnn as fr

UNITS = {"input_size": 20, "hidden_size": 390, "T": 520, "N": 1}
ROWS = {"input_size": 5, "hidden_size": 15, "T": 80, "N": 200}
RAGGED_UNITS = UNITS | {"T": 300, "N": 4, "lengths": [41, 300, 0, 233]}
RAGGED_ROWS = ROWS | {"lengths": [(7 * k) % 81 for k in range(200)]}
SHAPES = {
    "units": UNITS,
    "rows": ROWS,
    "ragged-units": RAGGED_UNITS,
    "ragged-rows": RAGGED_ROWS,
}
by_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def assert_same_bits(cell, shape, threads=(2, 3, 5), **options):
    layer = make_layer(cell, shape["input_size"], shape["hidden_size"], seed=0, **options)
    arguments = shape["T"], shape["N"], shape.get("lengths")
    with fr.threads(1):
        alone = results(layer, *arguments)
    for n in threads:
        with fr.threads(n):
            assert not differing(alone, results(layer, *arguments)), f"{n} threads"


@needs_openmp
@by_shape
@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_reset_before", "rnn_tanh"])
def test_same_bits_on_any_number_of_threads(cell, shape):
    assert_same_bits(cell, shape)


@needs_openmp
@by_shape
def test_same_bits_on_any_number_of_threads_on_every_engine(isa, shape):
    assert_same_bits("lstm", shape, threads=(3,))


@needs_openmp
@by_shape
def test_same_bits_on_any_number_of_threads_in_float64(shape):
    assert_same_bits("gru_reset_before", shape, threads=(3,), dtype=np.float64)


@needs_openmp
@pytest.mark.parametrize("lengths", [None, [5, 0, 30, 17, 29, 30, 1, 12, 30, 8]])
def test_same_bits_on_any_number_of_threads_in_a_stack_of_two_directions(lengths):
    shape = {"input_size": 33, "hidden_size": 70, "T": 30, "N": 10, "lengths": lengths}
    assert_same_bits("lstm", shape, num_layers=2, bidirectional=True)


@needs_openmp
def test_same_bits_from_run_to_run():
    """Six runs each on one thread, and on three that meet in another order every time."""
    for shape in UNITS, ROWS:
        layer = fr.GRU(shape["input_size"], shape["hidden_size"], seed=0)
        for n in 1, 3:
            with fr.threads(n):
                runs = [results(layer, 40, shape["N"]) for _ in range(6)]
            assert not any(differing(runs[0], again) for again in runs[1:]), f"{n} threads"


@needs_openmp
def test_same_bits_on_any_number_of_threads_of_linear():
    """A layer that multiplies all positions at once."""
    rng = np.random.default_rng(0)
    linear = fr.Linear(40, 33, seed=0)
    x = rng.standard_normal((3000, 40)).astype(np.float32)
    dy = rng.standard_normal((3000, 33)).astype(np.float32)

    def run():
        linear.zero_grad()
        y, tape = linear.forward(x)
        arrays = linear(x), y, linear.backward(tape, dy), *linear.grads.values()
        return [array.tobytes() for array in arrays]

    with fr.threads(1):
        alone = run()
    for n in 2, 3, 5:
        with fr.threads(n):
            assert run() == alone


def threads_made(cell, input_size, hidden_size, T, N, lengths=None):
    """How many threads a call with threads(3) adds to a process that had none of OpenMP."""
    layer = getattr(fr, cell)(input_size, hidden_size, seed=0)
    x = np.ones((T, N, input_size), np.float32)
    before = len(os.listdir("/proc/self/task"))
    with fr.threads(1):
        layer(x, lengths=lengths)
    assert len(os.listdir("/proc/self/task")) == before, "threads(1) made a thread"
    with fr.threads(3):
        layer(x, lengths=lengths)
    return len(os.listdir("/proc/self/task")) - before


@linux_only
@needs_openmp
@by_shape
def test_the_shapes_are_divided_among_threads(shape):
    """The comparisons above compare one thread with several, in both ways of dividing."""
    made = in_child(threads_made, "RNN", *shape.values())
    assert made == 2


@linux_only
@needs_openmp
def test_small_calls_stay_on_one_thread():
    """Waking a team costs more than a tiny call."""
    assert in_child(threads_made, "LSTM", 16, 16, 4, 2) == 0


def bits_of_a_starved_team():
    """Bits of threads(3), as equal to those of threads(1), where OpenMP may grant fewer."""
    result = []
    for H, T, N in (390, 600, 1), (15, 12, 200):
        layer = fr.LSTM(20, H, seed=0)
        with fr.threads(1):
            alone = results(layer, T, N)
        with fr.threads(3):
            result.append(results(layer, T, N) == alone)
    return result


@needs_openmp
@pytest.mark.parametrize(
    "setting",
    ["OMP_THREAD_LIMIT=1", "OMP_THREAD_LIMIT=2", "OMP_DYNAMIC=true", "OMP_MAX_ACTIVE_LEVELS=0"],
)
def test_same_bits_when_openmp_grants_fewer_threads(setting):
    env = dict([setting.split("=")])
    assert in_child(bits_of_a_starved_team, uses=[results], env=env) == [True, True]
