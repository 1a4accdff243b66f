# SPDX-License-Identifier: BSD-3-Clause
"""Sequences of different lengths as arrays of one kind."""

import numpy as np
import pytest

import fastrnn as fr


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
