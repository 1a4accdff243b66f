# SPDX-License-Identifier: BSD-3-Clause
"""Calls that are divided by rows and by units at once, on 8 and 16 threads."""

import os

import numpy as np
import pytest
from support.child import differing, in_child, linux_only, needs_openmp, results
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn import _core
from fastrnn._engine.ragged import sorted_by_length

T, N, I, H = 160, 12, 20, 230  # several chunks of steps, forward and backward
LENGTHS = [160, 31, 0, 159, 96, 160, 1, 140, 77, 128, 160, 150]
CELLS = ["lstm", "gru", "gru_reset_before"]


def grids(cell, n_threads, lengths=None):
    """(rows, cols) of a call forward, and backward."""
    order = None if lengths is None else (*sorted_by_length(np.array(lengths), T), None, None)
    recurrence = _core.Recurrence(order, False, n_threads)
    return [_core.plan(recurrence, cell, (T, N, I, H), 0, backward)[:2] for backward in (False, True)]


@needs_openmp
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.parametrize("cell", CELLS)
def test_same_bits_where_rows_and_units_are_divided(cell, lengths):
    layer = make_layer(cell, I, H, seed=0)
    with fr.threads(1):
        alone = results(layer, T, N, lengths)
    for rows, cols in grids(cell, 16, lengths):
        assert rows > 1 and cols > 1
    for n in 8, 16:
        with fr.threads(n):
            assert not differing(alone, results(layer, T, N, lengths)), f"{n} threads"


@needs_openmp
def test_same_bits_with_masks_and_clipping_where_rows_and_units_are_divided():
    """Everything that a step may do beside its products, which has memory of its own for each thread."""
    found = []
    for n in (1, 16):
        layer = make_layer("lstm", I, H, recurrent_dropout=0.3, zoneout=0.1, seed=1)
        with fr.threads(n):
            found.append(results(layer, T, N, LENGTHS))
    assert not differing(*found)


def results_on_one_core(cell):
    """Whether the bits are those of one thread where 16 have one core and leave the work to few of them."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    layer = make_layer(cell, 20, 230, seed=0)
    with fr.threads(1):
        alone = results(layer, 160, 12)
    with fr.threads(16):
        return [differing(alone, results(layer, 160, 12)) for _ in range(2)]


@linux_only
@needs_openmp
@pytest.mark.parametrize("cell", CELLS)
def test_same_bits_where_threads_leave_the_work_to_one_of_their_group(cell):
    """Each group of a forward pass goes on with one thread, a backward pass with one for all groups."""
    assert in_child(results_on_one_core, cell, uses=[results, differing, make_layer]) == [[], []]
