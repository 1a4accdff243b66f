# SPDX-License-Identifier: BSD-3-Clause
"""Parameters and gradients, element by element: the step of an optimizer, and what a norm is made of."""

import numpy as np

from . import _core
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
        What the rule remembers: C-ordered, like p.
    **numbers
        rate, keep, decay, beta1, beta2, root, eps, momentum (float) and nesterov (bool).
    """
    whole = _whole(p)
    _core.update(rule, whole, _whole(g), m, s, v, effective(), **numbers)
    if whole is not p:
        p[...] = whole


def sum_of_squares(array):
    """Of all elements, in float64; in the same order for the same size."""
    return _core.sum_of_squares(_whole(array))


def _whole(array):
    """`array` itself if C can walk it from end to end, else a copy."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.require(array, requirements=("C", "A"))
