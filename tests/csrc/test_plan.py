# SPDX-License-Identifier: BSD-3-Clause
"""How a call is divided among 1 to 128 threads, by the model of csrc/engine/cost.h: no machine has to have them.

The caches are those of three kinds of machines, so the results do not depend on the one that runs the tests.
"""

import itertools

import numpy as np
import pytest

from fastrnn import _core
from fastrnn._engine.ragged import sorted_by_length

KB, MB = 1 << 10, 1 << 20
SERVERS = {"zen": (32 * KB, MB, 32 * MB), "xeon": (48 * KB, 2 * MB, 100 * MB)}
CACHES = SERVERS | {"desktop": (32 * KB, 256 * KB, 8 * MB)}
THREADS = range(1, 129)
FORWARD, BACKWARD = False, True

TINY = [(1, 1, 64, 64), (4, 2, 16, 16), (20, 1, 32, 32), (8, 2, 16, 16), (1, 1, 1, 1)]
SMALL = [(50, 1, 256, 256), (1000, 1, 128, 128), (150, 4, 256, 256), (25, 2, 512, 512), (1, 1, 512, 512), (3, 5, 7, 77)]
RESIDENT = [(100, 32, 128, 128), (784, 64, 1, 128), (200, 4, 16, 32), (60, 200, 5, 15)]
LARGE = [(25, 16, 512, 512), (50, 64, 1024, 1024), (50, 64, 256, 256)]
SHAPES = TINY + SMALL + RESIDENT + LARGE
CELLS = ("lstm", "gru", "gru_reset_before", "rnn_tanh", "linear")
by_pass = pytest.mark.parametrize("backward", [FORWARD, BACKWARD], ids=["forward", "backward"])
by_caches = pytest.mark.parametrize("caches", CACHES.values(), ids=CACHES)


def plans(sizes, backward, caches, cell="lstm", order=None, threads=THREADS):
    """(rows, cols, modelled seconds) for each number of threads that may be used."""
    recurrences = [_core.Recurrence(order, False, n) for n in threads]
    return [_core.plan(recurrence, cell, sizes, 0, backward, caches) for recurrence in recurrences]


def never_rises(numbers):
    return all(b <= a for a, b in itertools.pairwise(numbers))


@by_caches
@by_pass
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_one_more_thread_never_takes_longer(isa, sizes, backward, caches):
    """Nor are more used than there may be, or more groups than there are rows."""
    for cell in CELLS:
        found = plans(sizes, backward, caches, cell)
        assert never_rises([seconds for _, _, seconds in found]), cell
        assert all(rows * cols <= n and rows <= sizes[1] for n, (rows, cols, _) in zip(THREADS, found, strict=True))


@by_pass
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_twice_the_threads_are_used_where_they_bring_a_fifth(isa, sizes, backward):
    """Time times the fourth root of the threads never rises either: what brings less is not used."""
    found = plans(sizes, backward, SERVERS["zen"])
    assert never_rises(
        [seconds * (rows * cols) ** 0.25 * (1 - 1e-12 * n) for n, (rows, cols, seconds) in enumerate(found)]
    )


@by_pass
@pytest.mark.parametrize("caches", SERVERS.values(), ids=SERVERS)
@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_large_calls_use_what_there_is(isa, sizes, backward, caches):
    """At least two thirds of up to 64 threads, at 55 % efficiency; all of 2, 4, 8 and 16, at 80 %, and of 32, at 75 %.

    To wake 32 threads takes a fifth of the 0.2 ms that the shortest of these calls then needs.
    """
    found = plans(sizes, backward, caches, threads=range(1, 65))
    for n, (rows, cols, seconds) in enumerate(found, 1):
        used = rows * cols
        efficiency = found[0][2] / seconds / used
        assert used >= 2 / 3 * n and efficiency >= 0.55, (n, rows, cols, efficiency)
        if n in (2, 4, 8, 16, 32):
            assert used == n and efficiency >= (0.75 if n == 32 else 0.8), (n, rows, cols, efficiency)


@by_pass
@by_caches
def test_few_rows_are_divided_by_units_too(isa, backward, caches):
    """16 rows among 32 threads: groups of rows, and units within each."""
    rows, cols, _ = plans((25, 16, 512, 512), backward, SERVERS["zen"], threads=[32])[0]
    assert rows > 1 and cols > 1 and rows * cols == 32
    rows, cols, _ = plans((50, 64, 256, 256), backward, caches, threads=[128])[0]
    assert rows > 1 and cols > 1 and rows * cols > 64


@by_pass
@by_caches
def test_one_row_is_divided_by_its_units(isa, backward, caches):
    """Also where there are as many threads as panels of units, or more: three times as fast on 16."""
    one, sixteen, most = plans((50, 1, 256, 256), backward, caches, threads=[1, 16, 128])
    for rows, cols, seconds in (sixteen, most):
        assert rows == 1 and cols >= 4 and seconds < one[2] / 3


@by_pass
@by_caches
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("sizes", TINY, ids=str)
def test_tiny_calls_stay_on_one_thread(isa, sizes, cell, backward, caches):
    assert {found[:2] for found in plans(sizes, backward, caches, cell)} == {(1, 1)}


def test_a_slice_that_fits_a_cache_is_faster_than_its_share():
    """One row of 512 units reads 4 MB of weights at every step: 16 threads find theirs in their own caches."""
    one, sixteen = plans((1000, 1, 64, 512), FORWARD, SERVERS["zen"], threads=[1, 16])
    assert sixteen[:2] == (1, 16) and one[2] / sixteen[2] > 16


@by_pass
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_larger_caches_never_take_longer(sizes, backward):
    """On one thread; on more, a machine with small ones may be worth more threads."""
    sets = [(32 * KB, l2, l3) for l2, l3 in [(256 * KB, 4 * MB), (MB, 4 * MB), (MB, 32 * MB), (4 * MB, 256 * MB)]]
    assert never_rises([plans(sizes, backward, caches, threads=[1])[0][2] for caches in sets])


# ---- ragged batches ----


def order_of(lengths, T):
    return *sorted_by_length(np.array(lengths), T), None, None


@by_pass
def test_ragged_batches(backward):
    """Modelled time follows the rows that run: about half of that of full rows for half of the steps."""
    T, N, caches = 50, 64, SERVERS["zen"]
    ragged = order_of(np.random.default_rng(0).integers(1, T + 1, N), T)
    short, full = (plans((T, N, 256, 256), backward, caches, order=order) for order in (ragged, None))
    assert never_rises([seconds for _, _, seconds in short])
    share = int(ragged[2][-1]) / (T * N)
    assert 0.4 < share < 0.6
    for n in (1, 2, 8, 64):
        assert share / 1.5 < short[n - 1][2] / full[n - 1][2] < share * 1.5
    assert short[63][0] * short[63][1] >= 32


@pytest.mark.parametrize("sizes", [(0, 4, 8, 8), (9, 0, 8, 8)], ids=str)
def test_nothing_to_do_needs_one_thread(sizes):
    assert plans(sizes, FORWARD, SERVERS["zen"], threads=[64]) == [(1, 1, 0.0)]


# ---- the bindings ----


def test_without_caches_those_of_this_machine_count():
    """The default is what the system says, or a guess: larger ones than any machine has take less time."""
    sizes, recurrence = (100, 8, 1024, 1024), _core.Recurrence(None, False, 1)
    own, huge, none = (
        _core.plan(recurrence, "lstm", sizes, 0, False, c)[2] for c in (None, (MB, 1 << 34, 1 << 40), (0,) * 3)
    )
    assert huge < own < none


@pytest.mark.parametrize("sizes", [(-1, 1, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)], ids=str)
def test_sizes_out_of_range_are_refused(sizes):
    with pytest.raises(ValueError, match="out of range"):
        plans(sizes, FORWARD, None, threads=[2])
