# SPDX-License-Identifier: BSD-3-Clause
"""Rows in batches: slices of arrays, or sequences padded with what belongs to them."""

import numpy as np
import pytest
from support.batches import rows_of, sequences

import fastrnn as fr


@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_of_arrays_stay_together(batch_first):
    x = np.arange(4 * 6 * 2, dtype=np.float32).reshape(4, 6, 2)  # (T, N, F)
    y = x.sum(axis=-1)
    layout = (lambda a: a.swapaxes(0, 1)) if batch_first else (lambda a: a)
    for batch in fr.Batches(layout(x), layout(y), batch_size=4, batch_first=batch_first, seed=0):
        assert batch.lengths is None and batch.steps == 4 * layout(batch.x).shape[1]
        np.testing.assert_array_equal(batch.x.sum(axis=-1), batch.y)
        assert layout(batch.x).shape[0] == 4


def test_rows_without_time_and_tokens():
    (batch,) = fr.Batches(np.zeros((6, 4), np.float32), np.zeros(6))
    assert batch.x.shape == (6, 4) and batch.steps == 6
    (batch,) = fr.Batches(np.zeros((6, 4), int), np.zeros(4))
    assert batch.x.shape == (6, 4) and batch.y.shape == (4,) and batch.steps == 24


@pytest.mark.parametrize("batch_first", [False, True])
def test_sequences_are_padded_with_their_lengths(batch_first):
    x = sequences(40)
    y = [row[:, 0].astype(int) for row in x]
    seen = []
    for batch in fr.Batches(x, y, batch_size=8, batch_first=batch_first, seed=0):
        steps = batch.x.swapaxes(0, 1) if batch_first else batch.x
        targets = batch.y.T if batch_first else batch.y
        assert steps.shape == (batch.lengths.max(), 8, 3) and batch.steps == batch.lengths.sum()
        for n, length in enumerate(batch.lengths):
            assert not steps[length:, n].any() and not targets[length:, n].any()
            if length:
                row = int(targets[0, n])
                seen.append(row)
                np.testing.assert_array_equal(steps[:length, n], x[row])
                np.testing.assert_array_equal(targets[:length, n], y[row])
    assert sorted(seen) == [n for n, row in enumerate(x) if len(row)]


def test_targets_of_a_list():
    x = sequences(10)
    array = fr.Batches(x, np.arange(10), batch_size=4, shuffle=False)
    assert rows_of(array) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    labels = [list(range(n % 3)) for n in range(10)]  # of lengths of their own, as ctc_loss takes them
    other = fr.Batches(x, labels, batch_size=4, shuffle=False)
    assert [batch.y for batch in other] == [labels[:4], labels[4:8], labels[8:]]


def test_collate_fn_makes_the_batches():
    """As a model of several inputs needs them; rows of similar lengths still meet."""
    sources, targets = [[n] * (n % 7 + 1) for n in range(60)], [str(n) for n in range(60)]

    def collate(x, y):
        assert [row[0] for row in x] == [int(name) for name in y]
        return {"source": x, "target": y}, y

    batches, seen = fr.Batches(sources, targets, batch_size=6, collate_fn=collate, seed=0), []
    for batch in batches:
        assert batch.x["target"] is batch.y and batch.lengths is None
        assert max(map(len, batch.x["source"])) - min(map(len, batch.x["source"])) <= 1
        seen += batch.y
    assert sorted(seen) == sorted(targets)


def test_lengths_of_arrays():
    x, y = np.ones((9, 6, 2), np.float32), np.ones((9, 6), int)
    lengths = np.array([1, 2, 3, 4, 0, 5])
    batches = fr.Batches(x, y, lengths=lengths, batch_size=3, shuffle=False)
    assert [(b.x.shape, b.y.shape, b.lengths.tolist()) for b in batches] == [
        ((3, 3, 2), (3, 3), [1, 2, 3]),
        ((5, 3, 2), (5, 3), [4, 0, 5]),
    ]
    assert batches.steps == 15
