# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of batches share: numbered sequences, and the numbers in batches."""

import numpy as np


def sequences(count, longest=20, features=(3,), seed=0):
    """Sequences of lengths 0 to `longest`; the row's own number is in every step."""
    lengths = np.random.default_rng(seed).integers(0, longest + 1, count)
    return [np.full((length, *features), n, np.float32) for n, length in enumerate(lengths)]


def rows_of(batches):
    """The row numbers of one epoch, batch by batch; each array's y is the number of its row."""
    return [batch.y.tolist() for batch in batches]
