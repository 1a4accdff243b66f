# SPDX-License-Identifier: BSD-3-Clause
"""Base class of streams: methods, copies, and argument checks."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array, as_floats, as_integers


class StreamBase(ABC):
    """A layer that reads one step per call, and keeps its state in between. Made by ``layer.stream(batch)``.

    Attributes
    ----------
    batch : int
        N.
    """

    batch: int
    _layer: Any

    @abstractmethod
    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Process the next step."""

    @abstractmethod
    def steps(self, block: ArrayLike, out: Array | None = None, resets: ArrayLike | None = None) -> Array:
        """Process the next steps at once, with results bit-identical to those of single steps."""

    @property
    @abstractmethod
    def state(self) -> Any:
        """The current state in the form that the layer's calls take and return: copies that cannot be written."""

    @state.setter
    @abstractmethod
    def state(self, value: Any) -> None: ...

    @abstractmethod
    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to the initial state, or only some rows of the batch."""

    def _steps_between(self, resets: ArrayLike, block: ArrayLike, out: Array | None) -> Array:
        """`steps` of the parts of a block between resets (T, N); nothing has been read if they do not fit it."""
        array = as_array("resets", resets, "bools")
        x = block if isinstance(block, list | tuple) else as_array("block", block)
        expected = {(len(x), self.batch), (len(x),)} if self.batch == 1 else {(len(x), self.batch)}
        if array.dtype != bool:
            raise TypeError(f"resets: expected bools, True for rows to reset before the step, got {array.dtype}")
        if array.shape not in expected:
            raise ValueError(f"resets: expected {max(expected)}, a row for each step of the block, got {array.shape}")
        if out is not None and np.shape(out)[:1] != (len(x),):
            raise ValueError(f"out: expected {len(x)} steps, as the block has, got shape {np.shape(out)}")
        array = array.reshape(len(x), self.batch)
        cuts = [0, *np.flatnonzero(array[1:].any(axis=1)) + 1, len(x)]
        parts, before = [], self.state
        try:
            for start, stop in zip(cuts, cuts[1:], strict=False):
                if len(array) and array[start].any():
                    self.reset(array[start])
                parts.append(self.steps(x[start:stop], None if out is None else out[start:stop]))
        except BaseException:  # of the block or `out`, of a token in it, or Ctrl-C
            self.state = before
            raise
        return np.concatenate(parts) if out is None else out

    def _step_rows(self, x: Array, rows: Array) -> Array:
        """`step` of some rows of the batch (k,), in any order, of x (k, I): y (k, O). The others stay as they are.

        Whoever calls it lets in one thread at a time.
        """
        raise NotImplementedError

    def _can_step_rows(self) -> bool:
        """Whether `_step_rows` is there, in all that the stream is made of."""
        return type(self)._step_rows is not StreamBase._step_rows

    def _write_row(self, row: int, state: Any) -> None:
        """Write the state of one row of the batch, given as that of a batch of one."""
        self.state = with_row("state", self.state, row, state)

    def _pieces(self) -> list[Any]:
        """The parts that a container runs at each step: streams, and engine layers that it joins (`Link`)."""
        return [self]

    def __repr__(self) -> str:
        return f"{self._layer!r}.stream(batch={self.batch})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Copies and pickles: a stream in the same state. `copy.copy` shares the layer, as two of its streams do."""
        return restored, (self._layer, self.batch, self.state)


def restored(layer: Any, batch: int, state: Any) -> StreamBase:
    """A stream of a layer, in a state."""
    stream = layer.stream(batch)
    stream.state = state
    return stream


def with_row(name: str, whole: Any, row: int, part: Any) -> Any:
    """A state with one row of the batch replaced by a state for a batch of one, or an error that names it."""
    if isinstance(whole, tuple):
        if not isinstance(part, tuple | list) or len(part) != len(whole):
            got = len(part) if isinstance(part, tuple | list) else type(part).__name__
            raise TypeError(f"{name}: expected a tuple of {len(whole)}, got {got}")
        pairs = enumerate(zip(whole, part, strict=True))
        return tuple(with_row(f"{name}[{k}]", each, row, new) for k, (each, new) in pairs)
    if whole is None:
        return None
    part, result = as_floats(name, part, whole.dtype), whole.copy()
    expected = (whole.shape[0], 1, *whole.shape[2:])
    if part.shape != expected:
        raise ValueError(f"{name}: expected {expected}, got {part.shape}")
    result[:, row] = part[:, 0]
    return result


def frozen(array: Array) -> Array:
    """A copy that cannot be written."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy


# -- arguments -------------------------------------------------------------------------------------------------------


def check_x(name: str, x: Array, lead: tuple[int, ...], N: int, features: int) -> None:
    """Raise ValueError unless x is (*lead, N, features), or (*lead, features) where N is 1."""
    shapes = [(N, features), (features,)][: 2 if N == 1 else 1]
    if x.shape not in [(*lead, *shape) for shape in shapes]:
        words = ["(" + ", ".join(["T"] * len(lead) + [str(n) for n in shape]) + ")" for shape in shapes]
        text = " or ".join(words) if lead else " or ".join(map(str, shapes))
        raise ValueError(f"{name}: expected {text}, got {x.shape}")


def check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise TypeError or ValueError unless y can be written into `out`."""
    if not isinstance(out, np.ndarray) or out.dtype != dtype:
        kind = getattr(out, "dtype", type(out).__name__)
        raise TypeError(f"out: expected an ndarray of {dtype}, got {kind}")
    if out.shape != shape or not out.flags.carray:
        got = "a read-only one" if not out.flags.writeable else f"strides {out.strides}"
        got = f"shape {out.shape}" if out.shape != shape else got
        raise ValueError(f"out: expected a writable C-ordered array of shape {shape}, got {got}")


def written(y: Array, out: Array | None) -> Array:
    """y, in `out` if there is one."""
    if out is None:
        return y
    check_out(out, y.shape, y.dtype)
    out[...] = y
    return out


def as_rows(name: str, rows: ArrayLike, N: int) -> Array:
    """A mask of N rows, or row numbers, as an index, or an error that begins with `name`."""
    mask = as_array(name, rows, "a mask of bool or row numbers")
    if mask.dtype == bool:
        if mask.shape != (N,):
            raise ValueError(f"{name}: expected a mask of shape ({N},), one for each row, got {mask.shape}")
        return mask
    numbers = as_integers(name, rows)
    if numbers.ndim > 1:
        raise ValueError(f"{name}: expected row numbers of shape (rows,), got {numbers.shape}")
    wrong = numbers[(numbers < 0) | (numbers >= N)]
    if wrong.size:
        raise ValueError(f"{name}: expected row numbers from 0 to {N - 1}, got {wrong[0]}")
    return numbers


def check_one_direction(layer: Any) -> None:
    """Raise ValueError for a layer that begins at the end of a sequence."""
    if layer.reads_ahead:
        kind = "bidirectional layer" if layer.bidirectional else "layer with reverse=True"
        raise ValueError(f"stream: a {kind} needs the end of the sequence before its first step; got {layer!r}")
