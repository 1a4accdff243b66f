# SPDX-License-Identifier: BSD-3-Clause
"""A batch before its rows are read, and what is read of it."""

import numpy as np

import fastrnn as fr
from fastrnn.training._data.draw import Draw


class Recorded:
    """Three rows of data, and which of them were read."""

    start = 0

    def __init__(self):
        self.read = []

    def batch(self, rows):
        self.read.append(rows.tolist())
        return fr.Batch(np.where(rows == 1, np.nan, rows), rows)


def test_nothing_is_read_before_it_is_asked_for():
    data = Recorded()
    draw = Draw(data, np.array([2, 0, 1]))
    assert data.read == []
    assert draw.part(np.array([1, 0])).y.tolist() == [0, 2] and data.read == [[0, 2]]
    assert draw.batch().y.tolist() == [2, 0, 1] and draw.not_finite() == ["x"]
