# SPDX-License-Identifier: BSD-3-Clause
"""Parameters and gradients, element by element: the step of an optimizer, and what norms are made of."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypedDict, Unpack

import numpy as np

from .. import _core
from .arguments import FLOATS, Array
from .threads import effective


class Numbers(TypedDict, total=False):
    """The numbers of a rule, as in csrc/engine/update.h. `rate` is required; without the others their terms vanish."""

    rate: float
    keep: float
    decay: float
    beta1: float
    beta2: float
    root: float
    eps: float
    momentum: float
    nesterov: bool


def update(
    rule: str,
    p: Array,
    g: Array,
    *,
    m: Array | None = None,
    s: Array | None = None,
    v: Array | None = None,
    **numbers: Unpack[Numbers],
) -> None:
    """One step of an optimizer on one parameter, in place, as in csrc/engine/update.h.

    Parameters
    ----------
    rule : str
        One of `_core.RULES`.
    p, g : ndarray
        The parameter and its gradient, of one shape and dtype, in any memory layout.
    m, s, v : ndarray or None
        The moments of the rule, with the shape and dtype of p.
    **numbers
        As in `Numbers`.

    Raises
    ------
    ValueError
        The arrays are not all float32 or all float64, or differ in shape.
    """
    arrays = {"p": p, "g": g, "m": m, "s": s, "v": v}
    for name, array in arrays.items():  # C sees only pointers
        if array is not None and (array.shape != p.shape or array.dtype != p.dtype or array.dtype not in FLOATS):
            raise ValueError(f"{name}: expected floats of {p.dtype} {p.shape}, as p, got {array.dtype} {array.shape}")
    passed = [None if array is None else walkable(array) for array in arrays.values()]
    _core.update(rule, *passed, effective(), **numbers)  # type: ignore[arg-type]
    for array, used in zip(arrays.values(), passed, strict=True):
        if used is not array and array is not None and array is not g:
            array[...] = used


BLOCK = 16384  # elements: a few arrays of so many fit in the cache, and take longer than the calls of NumPy


def blocks(written: Sequence[Array], read: Array) -> Iterator[tuple[Array, ...]]:
    """Parts of at most `BLOCK` elements of arrays of one shape, in any memory layout, for rules in NumPy.

    Parameters
    ----------
    written : sequence of ndarray
        What is written into a part is written into the array.
    read : ndarray

    Yields
    ------
    parts : tuple of ndarray, each (n,)
        Of `written`, in their order, then of `read`. Temporaries of a rule are as small as they.
    """
    flags: Any = [["readwrite"]] * len(written) + [["readonly"]]
    whole: Any = np.nditer([*written, read], ["buffered", "external_loop", "zerosize_ok"], flags, buffersize=BLOCK)
    with whole:
        for part in whole:
            yield part if written else (part,)  # NumPy gives a single array as it is


def sum_of_squares(array: Array) -> float:
    """The sum over all elements, in float64; the order of the sum depends on the size alone."""
    return _core.sum_of_squares(walkable(array if array.dtype in FLOATS else array.astype(np.float64)))


def norm_of(array: Array, p: float) -> float:
    """The norm (sum of |x|**p)**(1/p) over all elements, in float64; with p = inf the largest magnitude."""
    if p == 2:
        return math.sqrt(sum_of_squares(array))
    largest = _largest(array)
    if math.isinf(p) or not 0 < largest < math.inf:
        return largest
    parts = (np.abs(part, dtype=np.float64) / largest for (part,) in blocks((), array))  # powers of at most 1
    with np.errstate(over="ignore", under="ignore"):
        return largest * float(np.float64(sum(float((part**p).sum()) for part in parts)) ** (1 / p))


def largest_magnitude(name: str, array: Array) -> float:
    """The largest magnitude of an element, 0 if there is none; FloatingPointError if it is not finite."""
    largest = _largest(array)
    if not math.isfinite(largest):
        raise FloatingPointError(f"{name}: expected finite values, got {largest}")
    return largest


def _largest(array: Array) -> float:
    """The largest magnitude of an element, 0 if there is none; nan if one is."""
    with np.errstate(invalid="ignore"):
        return float(max(array.max(initial=0), -array.min(initial=0)))


def walkable(array: Array) -> Array:
    """`array` itself if C can walk it from end to end, else a copy."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.require(array, requirements=("C", "A"))
