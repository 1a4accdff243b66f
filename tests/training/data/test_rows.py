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


@pytest.mark.parametrize("shape", [(10,), (10, 3), (7, 10), (7, 10, 2)])
def test_where_the_rows_of_targets_are(shape):
    """One for each row, or a sequence of another length for each."""
    axis = shape.index(10)
    y = np.zeros(shape) + np.arange(10).reshape([10 if k == axis else 1 for k in range(len(shape))])
    x = np.broadcast_to(np.arange(10.0)[None, :, None], (5, 10, 1))
    for batch in fr.Batches(x, y, batch_size=4, seed=0):
        np.testing.assert_array_equal(
            np.moveaxis(batch.y, axis, 0).reshape(len(batch.x[0]), -1)[:, 0], batch.x[0, :, 0]
        )


def test_targets_of_either_meaning_are_refused():
    with pytest.raises(ValueError, match=r"y: expected \(10, ...\) or \(S, 10, ...\) but not both, got \(10, 10\)"):
        fr.Batches(np.zeros((5, 10, 2)), np.zeros((10, 10)))
    x, y = np.zeros((10, 10, 2)), np.arange(100.0).reshape(10, 10)
    with pytest.raises(
        ValueError,
        match=r"a target for each step, or one of shape \(10,\) for each row, got .*; say which by per_step=",
    ):
        fr.Batches(x, y)
    for per_step, expected in (True, y[:, [0]]), (False, y[[0]]):
        batches = fr.Batches(x, y, per_step=per_step, batch_size=1, shuffle=False)
        np.testing.assert_array_equal(next(iter(batches)).y, expected)


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


def test_per_step_decides_what_targets_are_of():
    """By default their lengths do, if those cannot agree by chance: all rows of one length is refused."""
    x, labels = [np.ones((2, 3)), np.ones((2, 3))], [[1, 2], [3, 4]]
    for per_step, expected in (True, [[1, 3], [2, 4]]), (False, labels):
        batches = fr.Batches(x, labels, per_step=per_step, shuffle=False)
        (batch,) = batches
        assert np.array_equal(batch.y, expected) and batches.per_step == per_step
    with pytest.raises(ValueError, match="a target for each step, or one of 2 numbers for each row; say which by per"):
        fr.Batches(x, labels)
    (batch,) = fr.Batches([np.ones((2, 3)), np.ones((1, 3))], [[1, 2], [3]], shuffle=False)
    assert batch.y.tolist() == [[1, 3], [2, 0]]
    x, y = np.zeros((2, 2, 3)), np.array([[1, 3], [2, 4]])
    for per_step, expected in (True, [[1], [2]]), (False, [[1, 3]]):
        row = next(iter(fr.Batches(x, y, batch_size=1, per_step=per_step, shuffle=False)))
        assert row.y.tolist() == expected
    assert fr.Batches(np.ones((2, 3), int), [0, 1], batch_first=True, per_step=False).per_step is False


@pytest.mark.parametrize(
    ("error", "message", "x", "y", "per_step"),
    [
        (ValueError, r"y\[1\]: expected 2 targets, one for .* of x\[1\], got 1", [[1], [1, 2]], [[1], [1]], True),
        (ValueError, r"y\[0\]: expected 1 targets, .*, got a single one", [[1], [1, 2]], [1, [1, 2]], True),
        (TypeError, "y: expected a list of sequences, as x, .*, got ndarray", [[1]], np.ones(1), True),
        (ValueError, r"y: expected \(4, 3, ...\), .*, got \(3,\)", np.ones((4, 3), int), np.ones(3), True),
        (ValueError, r"y: expected \(3, ...\), one for each of the 3", np.ones((4, 3), int), np.ones((4, 3)), False),
        (TypeError, "per_step: expected True or False, got 1", [[1]], [[1]], 1),
    ],
)  # fmt: skip
def test_targets_that_contradict_per_step(error, message, x, y, per_step):
    with pytest.raises(error, match=message):
        fr.Batches(x, y, per_step=per_step)


def test_python_numbers_have_no_dtype_of_their_own():
    """NumPy's, of all rows together. The dtype that is asked for is that of arrays, too."""
    rows = [[[1], [2]], [[0.5]], []]
    for dtype, expected in (None, np.float64), (np.float32, np.float32), ("float64", np.float64):
        (batch,) = fr.Batches(rows, [0, 1, 0], shuffle=False, dtype=dtype)
        assert batch.x.dtype == expected and batch.x.shape == (2, 3, 1) and batch.lengths.tolist() == [2, 1, 0]
        assert batch.x[:, 0, 0].tolist() == [1, 2] and batch.x[0, 1, 0] == 0.5
    (batch,) = fr.Batches([[3, 1], [], (2,)], [[1, 0], [], [0.5]], shuffle=False)
    assert batch.x.tolist() == [[3, 0, 2], [1, 0, 0]] and batch.x.dtype.kind == "i"
    assert batch.y.tolist() == [[1, 0, 0.5], [0, 0, 0]]
    (batch,) = fr.Batches([np.ones((2, 3), np.float32), []], [0, 1], shuffle=False)
    assert batch.x.dtype == np.float32 and batch.x.shape == (2, 2, 3)
    (batch,) = fr.Batches([np.ones((2, 3)), np.ones((1, 3))], [0, 1], dtype=np.float32)
    assert batch.x.dtype == np.float32
    (batch,) = fr.Batches(np.ones((3, 2, 1), int), [0, 1], dtype=np.float32)
    assert batch.x.dtype == np.float32
    with pytest.raises(TypeError, match=r"x\[1\]: expected float64, as x\[0\], got float32"):
        fr.Batches([np.ones(2), np.ones(1, np.float32)], [0, 1])
    for x in np.full((3, 2, 1), 1e300), [np.full((3, 1), 1e300)] * 2:
        with pytest.raises(ValueError, match=r"x: expected numbers up to 3.4e\+38, the largest of float32, got larger"):
            list(fr.Batches(x, [0, 1], dtype=np.float32))
    with pytest.raises(ValueError, match=r"x\[1\]: expected steps of shape \(1,\), got \(2,\)"):
        fr.Batches([[[1.0]], [[1.0, 2.0]]], [0, 1])
    with pytest.raises(TypeError, match="dtype: expected np.float32 or np.float64, got 'int32'"):
        fr.Batches([[1]], [0], dtype="int32")


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
