# SPDX-License-Identifier: BSD-3-Clause
"""Parameters and gradients, element by element: the step of an optimizer, and what a norm is made of."""

import numpy as np

from .. import _core
from .arguments import FLOATS
from .threads import effective


def update(rule, p, g, *, m=None, s=None, v=None, **numbers):
    """One step of an optimizer on one parameter, in place, as csrc/engine/update.h says.

    Parameters
    ----------
    rule : str
        One of `_core.RULES`.
    p, g : ndarray
        The parameter and its gradient, of one shape and dtype, of any layout.
    m, s, v : ndarray or None
        What the rule remembers, like p.
    **numbers
        rate, keep, decay, beta1, beta2, root, eps, momentum (float) and nesterov (bool).

    Raises
    ------
    ValueError
        The arrays are not float32 or float64 alike, of one shape.
    """
    given = {"p": p, "g": g, "m": m, "s": s, "v": v}
    for name, array in given.items():  # below here are pointers
        if array is not None and (array.shape != p.shape or array.dtype != p.dtype or array.dtype not in FLOATS):
            raise ValueError(f"{name}: expected floats of {p.dtype} {p.shape}, as p, got {array.dtype} {array.shape}")
    whole = [None if array is None else _whole(array) for array in given.values()]
    _core.update(rule, *whole, effective(), **numbers)
    for array, used in zip(given.values(), whole, strict=True):
        if used is not array and array is not g:
            array[...] = used


def sum_of_squares(array):
    """Of all elements, in float64; in the same order for the same size."""
    return _core.sum_of_squares(_whole(array if array.dtype in FLOATS else array.astype(np.float64)))


def _whole(array):
    """`array` itself if C can walk it from end to end, else a copy."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.require(array, requirements=("C", "A"))
