# SPDX-License-Identifier: BSD-3-Clause
"""Argument checks: arrays of any kind, numbers, sizes, flags, seeds. Errors name the argument."""

import math
import operator
import os
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array: TypeAlias = NDArray[Any]
if TYPE_CHECKING:
    Generator: TypeAlias = np.random.Generator
    SeedLike: TypeAlias = int | np.random.Generator | np.random.SeedSequence | None
else:  # for annotations only: NumPy loads its random numbers when they are first used, which takes 20 ms

    class Generator:
        """A np.random.Generator."""

    SeedLike = int | Generator | None

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

# -- arrays ----------------------------------------------------------------------------------------------------------


def as_array(name: str, value: Any, expected: str = "an array") -> Array:
    """`value` as an ndarray, without a copy where possible: buffers, ``__array__``, DLPack CPU tensors, lists."""
    if type(value) is np.ndarray:
        return value
    check_no_results(name, value, expected, ndim=3)  # of one step, y and a state h make an array of 4 axes
    if is_packed(value):  # the four arrays of one step make an array, too
        words = f"expected {expected}, got a packed sequence; where all steps are treated alike, use {name}.data"
        raise TypeError(f"{name}: {words}")
    try:
        if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
            return np.from_dlpack(value)
        array = np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:
        check_no_results(name, value, expected)
        raise TypeError(f"{name}: expected {expected} in CPU memory, got {type(value).__name__} ({error})") from error
    if np.ma.is_masked(value):
        raise TypeError(f"{name}: expected {expected}, got one with masked values; fill them first")
    if array.dtype == object and not hasattr(value, "dtype"):
        raise TypeError(f"{name}: expected {expected}, got {'None' if value is None else type(value).__name__}")
    return array


def is_packed(value: Any) -> bool:
    """Whether `value` is a packed sequence, ours or PyTorch's."""
    return type(value) is not np.ndarray and hasattr(value, "batch_sizes") and hasattr(value, "data")


def check_no_results(name: str, value: Any, expected: str, ndim: int = 1) -> None:
    """Raise TypeError for the tuple (y, state) or (y, state, tape) of a layer, with y of at least `ndim` axes."""
    if isinstance(value, tuple) and len(value) in (2, 3) and getattr(value[0], "ndim", 0) >= ndim:
        tapes = (any(base.__name__ == "Tape" for base in type(part).__mro__) for part in value[1:])
        parts = ", ".join("tape" if tape else "state" for tape in tapes)
        kind = "a layer's forward" if parts == "tape" else "a recurrent layer"
        raise TypeError(f"{name}: expected {expected}, got a tuple (y, {parts}) as {kind} returns it: use result[0]")


def as_floats(name: str, value: ArrayLike, dtype: np.dtype[Any]) -> Array:
    """`value` as an array of exactly `dtype`. Lists of Python numbers have no dtype of their own and are converted."""
    if type(value) is np.ndarray and value.dtype == dtype:  # first: NumPy takes 2 us to spell out a dtype
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


def as_integers(name: str, value: ArrayLike) -> Array:
    """`value` as an array of integers."""
    array = as_array(name, value, "integers")
    if array.size == 0 and isinstance(value, list | tuple):
        return array.astype(np.intp)  # an empty list has no dtype of its own
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    return array


def readable(array: Array) -> Array:
    """`array` itself if C can walk its rows (last axis contiguous, whole elements, aligned), else a copy."""
    flags, itemsize = array.flags, array.itemsize
    if flags.aligned and flags.c_contiguous:
        return array
    if flags.aligned and array.strides[-1] == itemsize and not any(stride % itemsize for stride in array.strides):
        return array
    return np.require(array, requirements=("C", "A"))


# -- numbers ---------------------------------------------------------------------------------------------------------


class Interval(NamedTuple):
    """The numbers from `low` to `high`.

    Parameters
    ----------
    low : float
    high : float, default inf
    ends : {"[)", "()", "(]", "[]"}
        As in mathematics: whether the bounds are included. NaN is in no interval.
    words : str, optional
        What messages say; by default the interval as in mathematics.
    """

    low: float
    high: float = math.inf
    ends: str = "[)"
    words: str = ""

    def __contains__(self, number: object) -> bool:
        left, right = self.ends
        above = number > self.low or (left == "[" and number == self.low)  # type: ignore[operator]
        return above and (number < self.high or (right == "]" and number == self.high))  # type: ignore[operator]

    @property
    def text(self) -> str:
        """The expected values, for error messages."""
        return self.words or f"a number in {self.ends[0]}{self.low}, {self.high}{self.ends[1]}"


POSITIVE = Interval(0, math.inf, "()", "a finite number above 0")
NONNEGATIVE = Interval(0, math.inf, "[)", "a finite number of at least 0")
PROBABILITY = Interval(0, 1, "[)", "a probability in [0, 1)")
FRACTION = Interval(0, 1, "(]")
UNIT = Interval(0, 1, "[]")
FINITE = Interval(-math.inf, math.inf, "()", "a finite number")
LIMIT = Interval(0, math.inf, "[]", "a number of at least 0")  # infinity: no limit
NUMBER = Interval(-math.inf, math.inf, "[]", "a number")


def as_number(name: str, value: Any, interval: Interval) -> float:
    """`value` as a float in an interval."""
    if type(value) is float and value in interval:
        return value
    try:
        if isinstance(value, (bool, np.bool_, str, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {interval.text}, got {value!r}") from None
    except OverflowError:  # an integer above 1e308
        number = math.inf
    if number not in interval:
        raise ValueError(f"{name}: expected {interval.text}, got {value!r}")
    return number


def as_probability(name: str, value: Any) -> float:
    """`value` as a float in [0, 1)."""
    return as_number(name, value, PROBABILITY)


def as_positive(name: str, value: Any) -> float:
    """`value` as a finite float above 0."""
    return as_number(name, value, POSITIVE)


def as_nonnegative(name: str, value: Any) -> float:
    """`value` as a finite float of at least 0."""
    return as_number(name, value, NONNEGATIVE)


def as_fraction(name: str, value: Any) -> float:
    """`value` as a float in (0, 1]."""
    return as_number(name, value, FRACTION)


def as_size(name: str, value: Any, low: float = 1) -> int:
    """`value` as an int of at least `low`."""
    size = as_integer(name, value)
    if size < low:
        raise ValueError(f"{name}: expected at least {low}, got {size}")
    return size


def as_integer(name: str, value: Any) -> int:
    """`value` as an int of any size and sign."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from None


# -- other values ----------------------------------------------------------------------------------------------------


def as_path(name: str, value: Any) -> str:
    """`value` as a str. The descriptor of an open file, an integer, is not a path."""
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise TypeError(f"{name}: expected str, bytes or os.PathLike, got {type(value).__name__}") from None
    if "\0" in path:
        raise ValueError(f"{name}: expected a path without null characters, got {path!r}")
    return path


def as_flag(name: str, value: Any) -> bool:
    """`value`, which is True or False."""
    if isinstance(value, (bool, np.bool_)):  # a union takes longer
        return bool(value)
    raise TypeError(f"{name}: expected True or False, got {value!r}")


def as_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """`value`, which is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def as_dtype(name: str, value: DTypeLike) -> np.dtype[Any]:
    """`value` as one of the two dtypes that the engine has."""
    try:
        dtype = None if value is None else np.dtype(value)  # to NumPy, None is the default dtype
    except TypeError:
        dtype = None
    if dtype is None or dtype not in FLOATS:
        raise TypeError(f"{name}: expected np.float32 or np.float64, got {value!r}")
    return dtype


def as_rng(seed: SeedLike) -> Generator:
    """A random generator. The same seed gives the same numbers."""
    expected = "seed: expected an integer of at least 0 or None"
    try:
        if isinstance(seed, (bool, np.bool_)):
            raise TypeError
        rng = np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{expected}, got {seed!r}") from None
    if not hasattr(rng.bit_generator.seed_seq, "spawn"):  # of a RandomState, which has no independent parts
        raise TypeError(f"{expected}, got {type(seed).__name__} of a legacy seed; use np.random.default_rng(...)")
    return rng
