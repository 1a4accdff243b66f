# SPDX-License-Identifier: BSD-3-Clause
"""A step of some rows of a stepper's states: the bits of each row alone, and nothing else changes."""

import numpy as np
import pytest
from support.layers import assert_same_bits

import fastrnn as fr

N, I, H = 6, 3, 5


def stream(seed=0, layers=2):
    return fr.LSTM(I, H, num_layers=layers, seed=seed).stream(N)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("rows", [[0], [5, 2], [3, 1, 4, 0], [*range(N)], []])
def test_rows_have_the_bits_of_a_whole_step(layers, rows, rng):
    some, whole = stream(layers=layers), stream(layers=layers)
    x = rng.standard_normal((3, N, I)).astype(np.float32)
    for x_t in x:
        before = [array.copy() for array in some._state]
        for array, other in zip(whole._state, before, strict=True):
            array[...] = other
        y = some._step_rows(x_t[rows], np.array(rows, np.intp))
        assert_same_bits(y, whole.step(x_t)[rows])
        others = [n for n in range(N) if n not in rows]
        for array, after, old in zip(some._state, whole._state, before, strict=True):
            assert_same_bits(np.ascontiguousarray(array[:, rows]), np.ascontiguousarray(after[:, rows]))
            assert_same_bits(np.ascontiguousarray(array[:, others]), np.ascontiguousarray(old[:, others]))


@pytest.mark.parametrize(("rows", "got"), [([0, 6], "6"), ([-1], "-1"), ([2, 2], "2 again"), ([2**62], str(2**62))])
def test_rows_that_do_not_exist_are_named(rows, got):
    x, out = np.ones((len(rows), I), np.float32), np.ones((len(rows), H), np.float32)
    with pytest.raises(ValueError, match=rf"^rows: expected different ones of 0\.\.5, got {got}$"):
        stream()._stepper.step_rows(x, np.array(rows, np.intp), out)


def test_one_call_at_a_time(rng):
    running, x = stream(), rng.standard_normal((1, I)).astype(np.float32)
    with running._exclusive, pytest.raises(RuntimeError, match="stream: expected one call at a time"):
        running._step_rows(x, np.array([0], np.intp))
