# SPDX-License-Identifier: BSD-3-Clause
"""Entries of `_core` for pooling, as those of `bindings`."""

import numpy as np

from fastrnn import _core

WRITTEN = ("y", "steps")


def packed_arrays():
    """Two rows of 3 and 2 steps."""
    x, first, lengths = np.ones((5, 7), np.float32), np.array([0, 2, 4, 5], np.intp), np.array([3, 2], np.intp)
    return {"x": x, "first": first, "lengths": lengths} | written(2)


def full_arrays():
    return {"x": np.ones((4, 3, 7), np.float32), "lengths": np.array([4, 0, 2], np.intp)} | written(3)


def written(N):
    return {"y": np.ones((N, 7), np.float32), "steps": np.zeros((N, 7), np.intp)}


POOLING = {
    "max_pool": (full_arrays, lambda a: _core.max_pool(first=None, **a), WRITTEN),
    "max_pool of packed rows": (packed_arrays, lambda a: _core.max_pool(**a), WRITTEN),
}
