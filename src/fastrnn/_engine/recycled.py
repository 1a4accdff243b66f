# SPDX-License-Identifier: BSD-3-Clause
"""Large arrays that reuse the memory of earlier ones.

A training step allocates tens of megabytes and frees them at its end. The allocator then returns them to the system,
and the next step gets pages that the system has to fill with zeros: 7 % of the time of a step of a `Seq2Seq` with 256
units. Here the memory of a large array goes to the next one as soon as no array views it any more. In inference, too:
what the allocator does with its arrays depends on what training has left in the heap.
"""

import math
import weakref
from typing import Any

import numpy as np

from .arguments import Array

LEAST = 1 << 18  # bytes of an array that is large
MOST = 1 << 25  # bytes of the largest that leaves its memory to others
LIMIT = 1 << 26  # bytes of the memory that waits for the next arrays
ALIGNMENT = 64  # bytes of the widest vectors

_waiting: dict[int, Array] = {}  # by id, the oldest first; each change is one operation on a dict, so needs no lock


def empty(shape: tuple[int, ...], dtype: np.dtype[Any] | type) -> Array:
    """`numpy.empty`."""
    dtype = np.dtype(dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    if not LEAST <= nbytes <= MOST:
        return np.empty(shape, dtype)
    memory = _taken(nbytes)
    if memory is None:
        memory = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    # An array's base is the object that owns the memory, but through a memoryview NumPy does not look: all views of
    # this array have it as their base, so that it lives as long as any of them.
    array = np.frombuffer(memory.data[start : start + nbytes], dtype)
    weakref.finalize(array, _leave, memory)
    return array.reshape(shape)


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any] | type) -> Array:
    """`numpy.zeros`."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def check_memory(nbytes: int, names: str) -> None:
    """Raise MemoryError at once if `nbytes` cannot be allocated, instead of after filling most of the memory."""
    try:
        np.empty(nbytes, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise MemoryError(f"{names}: the parameters would need {nbytes} bytes") from None


def _taken(nbytes: int) -> Array | None:
    """The latest kept memory that fits this many bytes with at most a quarter unused, or None."""
    for memory in reversed(list(_waiting.values())):
        if nbytes <= memory.nbytes - ALIGNMENT <= nbytes + nbytes // 3:
            if _waiting.pop(id(memory), None) is not None:  # else another thread was quicker
                return memory
    return None


def _leave(memory: Array) -> None:
    """Keep memory for later arrays; drop the oldest beyond LIMIT."""
    _waiting[id(memory)] = memory
    total = 0
    for each in reversed(list(_waiting.values())):
        total += each.nbytes
        if total > LIMIT:
            _waiting.pop(id(each), None)
