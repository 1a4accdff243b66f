# SPDX-License-Identifier: BSD-3-Clause
"""Where targets have their rows: what is said decides, or shapes of which only one reading is possible."""

import numpy as np
import pytest

import fastrnn as fr


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
