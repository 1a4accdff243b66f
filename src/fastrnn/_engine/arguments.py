# SPDX-License-Identifier: BSD-3-Clause
"""What callers give: arrays of any kind, numbers, sizes, flags, seeds; each refused by its name if it does not fit."""

import math
import operator
import os

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def as_array(name, value, expected="an array"):
    """`value` as an ndarray, without a copy where that can be: buffers, ``__array__``, DLPack CPU tensors, lists."""
    if type(value) is np.ndarray:
        return value
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        array = np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:
        raise TypeError(f"{name}: expected {expected} in CPU memory, got {type(value).__name__} ({error})") from error
    if np.ma.is_masked(value):
        raise TypeError(f"{name}: expected {expected}, got one with masked values; fill them first")
    if array.dtype == object and not hasattr(value, "dtype"):
        raise TypeError(f"{name}: expected {expected}, got {'None' if value is None else type(value).__name__}")
    return array


def as_floats(name, value, dtype):
    """`value` as an array of exactly `dtype`; Python numbers in lists have no dtype of their own and are converted."""
    if type(value) is np.ndarray and value.dtype == dtype:  # before NumPy spells out the dtype, which takes 2 us
        return value
    array = as_array(name, value, str(dtype))
    if array.dtype == dtype:
        return array
    if isinstance(value, list | tuple | float | int) and array.dtype.kind in "fiu":
        return array.astype(dtype)
    hint = ""
    if array.dtype.kind in "fiub":
        hint = f"; convert it with {name if name.isidentifier() else ''}.astype(np.{dtype})"
    if array.dtype in FLOATS:
        hint += f" or make the layer with dtype=np.{array.dtype}"
    raise TypeError(f"{name}: expected {dtype} (the layer's dtype), got {array.dtype}{hint}")


def as_integers(name, value):
    """`value` as an array of integers."""
    array = as_array(name, value, "integers")
    if array.size == 0 and isinstance(value, list | tuple):
        return array.astype(np.intp)  # an empty list has no dtype of its own
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    return array


def as_path(name, value):
    """`value` as a str: no descriptor of an open file, as `open` would take an integer."""
    try:
        return os.fsdecode(value)
    except TypeError:
        raise TypeError(f"{name}: expected str, bytes or os.PathLike, got {type(value).__name__}") from None


def as_flag(name, value):
    """`value`, which is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def as_number(name, value, expected, fits):
    """`value` as a float for which `fits` is true; `expected` says it in words."""
    try:
        if isinstance(value, bool | np.bool_ | str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {expected}, got {value!r}") from None
    except OverflowError:  # an integer above 1e308
        number = math.inf
    if not fits(number):
        raise ValueError(f"{name}: expected {expected}, got {value!r}")
    return number


def as_probability(name, value):
    """`value` as a float in [0, 1)."""
    return as_number(name, value, "a probability in [0, 1)", lambda number: 0 <= number < 1)


def as_positive(name, value):
    """`value` as a float above 0."""
    return as_number(name, value, "a finite number above 0", lambda number: 0 < number < math.inf)


def as_nonnegative(name, value):
    """`value` as a float of at least 0."""
    return as_number(name, value, "a finite number of at least 0", lambda number: 0 <= number < math.inf)


def as_share(name, value):
    """`value` as a float in (0, 1]."""
    return as_number(name, value, "a number in (0, 1]", lambda number: 0 < number <= 1)


def as_size(name, value, low=1):
    """`value` as an int of at least `low`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from None
    if size < low:
        raise ValueError(f"{name}: expected at least {low}, got {size}")
    return size


def as_integer(name: str, value: object) -> int:
    """`value` as an int, of any size and sign."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from None


def can_have(nbytes, what):
    """Raise MemoryError now if the memory cannot be had, and not after filling most of it."""
    try:
        np.empty(nbytes, np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise MemoryError(f"{what}: the parameters would need {nbytes} bytes") from None


def as_dtype(dtype):
    """`dtype` as one of the two that the engines have."""
    try:
        found = None if dtype is None else np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found not in FLOATS:  # to NumPy, None is the default dtype
        raise TypeError(f"dtype: expected np.float32 or np.float64, got {dtype!r}")
    return found


def as_rng(seed):
    """A random generator; the same seed, the same numbers."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"seed: expected an integer of at least 0 or None, got {seed!r}") from None


def readable(array):
    """`array` itself if C can walk its rows (last axis contiguous, whole elements, aligned), else a copy."""
    itemsize = array.itemsize
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    if array.flags.aligned and array.strides[-1] == itemsize and not any(stride % itemsize for stride in array.strides):
        return array
    return np.require(array, requirements=("C", "A"))
