# SPDX-License-Identifier: BSD-3-Clause
"""The largest value of each feature over the steps of a row: csrc/engine/pool.h."""

import numpy as np

from .. import _core
from .arguments import Array, readable
from .ragged import Order


def largest(x: Array, lengths: Array) -> tuple[Array, Array]:
    """Of x (T, N, F), over the first `lengths` (N,) steps: values (N, F), and the first steps that have them.

    NaN is the largest of all. A row of length 0 gives 0.
    """
    return _largest(readable(x), None, lengths)


def largest_packed(x: Array, order: Order) -> tuple[Array, Array]:
    """Of packed rows x (R, F): values (N, F), in their order, and the places in x that have them."""
    y, steps = _largest(np.ascontiguousarray(x), order.first, order.lengths)
    return y, order.first[steps] + np.arange(len(order.lengths))[:, None]


def _largest(x: Array, first: Array | None, lengths: Array) -> tuple[Array, Array]:
    y = np.empty((len(lengths), x.shape[-1]), x.dtype)
    steps = np.empty(y.shape, np.intp)
    _core.max_pool(x, first, np.ascontiguousarray(lengths, np.intp), y, steps)
    return y, steps
