# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark case: its operations and its arrays."""

import numpy as np

from fastrnn.benchmarks import Case
from fastrnn.benchmarks._suite.cases import make_data


def test_operations_match_a_count_by_hand():
    """Two operations for each weight, row and step; three times that in training."""
    weights = 3 * 5 * 7 + 3 * 5 * 5  # GRU, H=5, I=7: w_ih and w_hh
    assert Case("x", "gru", 4, 2, 7, 5).flop == 2 * 4 * 2 * weights
    assert Case("x", "gru", 4, 2, 7, 5, training=True).flop == 3 * 2 * 4 * 2 * weights
    upper = 3 * 5 * 10 + 3 * 5 * 5  # the second layer reads both directions
    assert Case("x", "gru", 4, 2, 7, 5, L=2, D=2).flop == 2 * 4 * 2 * 2 * (weights + upper)
    assert Case("x", "rnn_tanh", 1, 1, 1, 1).flop == 4


def test_concurrent_streams_are_streams():
    """One row each, which take their steps together or one after another."""
    for group, each in (("streams-pooled", False), ("streams-each", True)):
        case = Case(group, "gru", 1, 8, 7, 5)
        assert case.streaming and case.concurrent and case.each == each
    case = Case("streaming", "gru", 1, 1, 7, 5)
    assert case.streaming and not case.concurrent and not case.each


def test_a_ragged_case_counts_its_lengths():
    """In the operations, in the rows that run, and in the gradient that is passed in."""
    case = Case("ragged", "lstm", 9, 6, 3, 4, ragged=True)
    total = int(case.lengths.sum())
    assert case.lengths.min() >= 1 and case.lengths.max() <= 9 and total < 9 * 6
    assert case.flop == 2 * total * 4 * 4 * (3 + 4)
    assert case.running.tolist() == [int((case.lengths > t).sum()) for t in range(9)]
    dy = make_data(case)["dy"]
    assert (dy.any(axis=2) == (np.arange(9)[:, None] < case.lengths)).all()
