# SPDX-License-Identifier: BSD-3-Clause
"""Many streams of one model, any of which take a step together."""

import itertools
import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array, as_floats, as_size
from ..._engine.layout import select_rows
from .base import StreamBase
from .children import stream_of


class StreamPool:
    """Many streams of one model, any of which can be stepped together as one batch.

    A step of k streams reads the weights once instead of k times. The results of each stream are bit-identical to those
    of a single stream. All states are in one block of memory, allocated with the pool.

    The methods may be called from many threads; one call runs at a time. A pool cannot be copied or pickled.

    Parameters
    ----------
    model : Layer
        Any model with a stream: unidirectional recurrent layers, and a Sequential or Residual of these and of layers
        that act on each position separately.
    capacity : int
        How many streams may be open at a time.

    Attributes
    ----------
    capacity : int

    Raises
    ------
    TypeError, ValueError
        The model has no stream, or has one of your own that cannot step some of its rows.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.Linear(8, 2, seed=1))
    >>> pool = fr.StreamPool(model, capacity=100)
    >>> first, second = pool.open(), pool.open()
    >>> x = np.ones(3, np.float32)
    >>> both = pool.step({first: x, second: x})
    >>> one = pool.step({first: x})  # the second waits for its next input
    >>> y, _ = model(np.ones((2, 3), np.float32))
    >>> bool((both[second] == y[0]).all()), bool((one[first] == y[1]).all())
    (True, True)
    >>> pool.close(second)
    """

    def __init__(self, model: Any, capacity: int) -> None:
        self.capacity: int = as_size("capacity", capacity)
        self._model = model
        self._stream = stream_of(model, self.capacity)
        if not isinstance(self._stream, StreamBase) or not self._stream._can_step_rows():
            raise TypeError(f"model: expected one whose streams can step some of their rows, got {model!r}")
        self._lock = threading.RLock()  # a layer of your own may fork in a step: see `_hold`
        self._slots: dict[int, int] = {}  # of each open stream
        self._free = list(range(self.capacity))[::-1]
        self._numbers = itertools.count()
        _pools.add(self)

    def open(self, state: Any = None) -> int:
        """Open a stream.

        Parameters
        ----------
        state : array_like or tuple, optional
            The initial state for a batch of one, as returned by `state`; by default that of the model.

        Returns
        -------
        int
            The key of the stream. Keys are never reused in a pool, so an old key raises an error.

        Raises
        ------
        RuntimeError
            The pool is full.
        TypeError, ValueError
            The state does not fit the model. No stream is opened.
        """
        with self._lock:
            if not self._free:
                raise RuntimeError(
                    f"expected at most {self.capacity} open streams, the capacity of the pool: close one"
                )
            slot = self._free[-1]
            if state is None:
                self._stream.reset([slot])
            else:
                self._stream._write_row(slot, state)
            key = next(self._numbers)
            self._slots[key] = self._free.pop()
            return key

    def close(self, key: int) -> None:
        """Close a stream; KeyError if no stream with this key is open."""
        with self._lock:
            self._free.append(self._slot(key))
            del self._slots[key]

    def step(self, inputs: Mapping[int, ArrayLike]) -> dict[int, Array]:
        """Process the next step of some streams.

        Parameters
        ----------
        inputs : mapping of int to array_like, shape (I,)
            By key. For a model that begins with an `Embedding`, tokens ().

        Returns
        -------
        dict of int to ndarray, shape (O,)
            Rows of one array.

        Raises
        ------
        KeyError
            A key has no open stream. No state is changed.
        TypeError, ValueError
            An input has the wrong dtype or shape. No state is changed.
        """
        if not isinstance(inputs, Mapping):
            raise TypeError(f"inputs: expected a dict of inputs by key, got {type(inputs).__name__}")
        keys, tokens = list(inputs), self._model.reads_tokens
        dtype = None if tokens else self._model.dtype
        rows = [
            as_array(f"inputs[{key!r}]", x) if tokens else as_floats(f"inputs[{key!r}]", x, dtype)  # type: ignore
            for key, x in inputs.items()
        ]
        for key, row in zip(keys, rows, strict=True):
            if row.shape != rows[0].shape or row.dtype != rows[0].dtype:
                expected = f"{rows[0].shape} of {rows[0].dtype}, as inputs[{keys[0]!r}]"
                raise ValueError(f"inputs[{key!r}]: expected {expected}, got {row.shape} of {row.dtype}")
        return dict(zip(keys, self.step_rows(keys, np.stack(rows)), strict=True)) if keys else {}

    def step_rows(self, keys: Iterable[int], x: ArrayLike) -> Array:
        """Process the next step of some streams, with inputs in one array.

        Parameters
        ----------
        keys : iterable of int
            k different keys.
        x : array_like, shape (k, I)
            Row i is the input of the i-th key. For a model that begins with an `Embedding`, tokens (k,).

        Returns
        -------
        y : ndarray, shape (k, O)

        Raises
        ------
        KeyError, TypeError, ValueError
            As `step`.
        """
        with self._lock:
            slots = self._different(keys)
            x = as_array("x", x) if self._model.reads_tokens else as_floats("x", x, self._model.dtype)
            if x.ndim == 0 or len(x) != len(slots):
                raise ValueError(f"x: expected a row for each of {len(slots)} keys, got shape {x.shape}")
            return self._stream._step_rows(x, slots)

    def state(self, key: int) -> Any:
        """A copy of the state of a stream, for a batch of one, in the form that the model's calls take and return."""
        with self._lock:
            return select_rows(self._stream.state, np.array([self._slot(key)]))

    def _different(self, keys: Iterable[int]) -> Array:
        """The slots of different keys. A loop in Python would take as long as the step of a small model."""
        if not isinstance(keys, Iterable):
            raise TypeError(f"keys: expected several keys, got {keys!r}")
        keys = list(keys)
        try:
            slots = [*map(self._slots.__getitem__, keys)]
        except (KeyError, TypeError):
            slots = [*map(self._slot, keys)]
        if len(set(slots)) != len(slots):
            raise ValueError(f"keys: expected different ones, got {keys}")
        return np.array(slots, np.intp)

    def _slot(self, key: int) -> int:
        try:
            return self._slots[key]
        except (KeyError, TypeError):
            raise KeyError(f"no open stream of key {key!r} in this pool") from None

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._slots)

    def __repr__(self) -> str:
        return f"StreamPool({self._model!r}, capacity={self.capacity}), {len(self)} open"

    def __reduce__(self) -> Any:
        raise TypeError("a pool cannot be copied or pickled: its streams belong to clients of this process")


_pools: "weakref.WeakSet[StreamPool]" = weakref.WeakSet()
_forking = threading.RLock()  # one fork at a time, so that no two wait for each other's pools
_held: list[Any] = []  # the locks of the pools during a fork
PATIENCE = 1.0  # seconds for a step to end


def _hold() -> None:
    """Before a fork: let no step run, half of which the child would have."""
    _forking.acquire()
    _held.extend(pool._lock for pool in list(_pools) if pool._lock.acquire(timeout=PATIENCE))


def _release() -> None:
    while _held:
        _held.pop().release()
    _forking.release()


def _renew_locks() -> None:
    """In the child, which has no other threads."""
    global _forking
    _forking = threading.RLock()
    _held.clear()
    for pool in _pools:
        pool._lock = threading.RLock()


os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_renew_locks)
