# SPDX-License-Identifier: BSD-3-Clause
"""A layer with its arguments as a loss."""

import numpy as np

import fastrnn as fr
from fastrnn.nn._gradient_check.case import Case


def test_the_loss_is_the_sum_of_all_outputs_and_of_the_state_with_weights(rng):
    lstm, x = fr.LSTM(3, 4, seed=0, dtype=np.float64), rng.standard_normal((5, 2, 3))
    case = Case(lstm, x, None, [5, 2], seed=1)
    y, (h, c) = lstm(x, case.named["state"], [5, 2])
    dh, dc = case.dstate
    np.testing.assert_allclose(case.loss(), (y * case.dy).sum() + (h * dh).sum() + (c * dc).sum(), rtol=1e-12)
    assert all((np.abs(array) >= 0.5).all() and (np.abs(array) <= 1.5).all() for array in (case.dy, dh, dc))
    assert case.size() > abs(case.loss())


def test_the_loss_is_the_same_every_time_and_reads_copies(rng):
    dropout, x = fr.Dropout(0.5, seed=0), np.ones((4, 5), np.float32)
    case = Case(dropout, x, None, None, seed=0)
    first = case.loss()
    x[...] = 7
    assert case.loss() == first != 0


def test_gradients_have_the_names_of_what_they_belong_to(rng):
    x = rng.standard_normal((5, 2, 3))
    problems, pairs = Case(fr.LSTM(3, 4, seed=0, dtype=np.float64), x, None, None, seed=0).gradients()
    assert problems == [] and list(pairs)[-3:] == ["x", "state[0]", "state[1]"]
    _, pairs = Case(fr.Attention(3, 3, score="dot", dtype=np.float64), (x, x), None, None, seed=0).gradients()
    assert list(pairs) == ["x[0]", "x[1]"]
