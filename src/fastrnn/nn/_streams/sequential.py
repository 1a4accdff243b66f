# SPDX-License-Identifier: BSD-3-Clause
"""A Sequential, one step at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import passes
from ..._engine.arguments import Array, as_array, as_size
from .._recurrent.stack import time_blocks
from .base import StreamBase, check_out
from .children import joined, stream_of
from .run import Run


class SequentialStream(StreamBase):
    """A `Sequential` that reads one step per call. Made by ``model.stream(batch)``; used like a `Stream`.

    Attributes
    ----------
    batch : int
        N.
    """

    def __init__(self, layer: Any, batch: int = 1) -> None:
        self.batch: int = as_size("batch", batch)
        self._layer = layer
        self._exclusive = passes.exclusive()
        self._streams: dict[str, StreamBase] = {}
        for name, child in layer.children().items():
            with layer._noted(name):
                self._streams[name] = stream_of(child, self.batch)
        self._stages = joined(self._pieces(), self.batch) or [*self._streams.values()]
        *self._first, self._last = self._stages
        self._run: Run | None = None  # of the whole model: it lets in one thread at a time by itself
        if not self._first and isinstance(self._last, Run):
            self._run, self._exclusive = self._last, self._last._exclusive
        self._features: int | None = layer.features_after(layer.features_in)
        self._widest: int = max(child.features_after(child.features_in) or 1 for child in layer.children().values())

    def _pieces(self) -> list[Any]:
        """The pieces of all layers, whose streams may be of different classes."""
        streams = self._streams.values()
        return [piece for one in streams for piece in (one._pieces() if isinstance(one, StreamBase) else [one])]

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Process the next step.

        Parameters
        ----------
        x : array_like, shape (N, I), or (I,) with a batch of 1
            For a model that begins with an `Embedding`, tokens (N,), or () with a batch of 1.
        out : ndarray, optional
            Where to write y: C-ordered, of y's shape and dtype, sharing no memory with `x`. Nothing is allocated then
            by a model of recurrent layers and `Linear`.

        Returns
        -------
        y : ndarray, shape (N, O), or (O,) for x without the batch

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what was given.
        RuntimeError
            Another thread is using the stream.
        """
        if self._run is not None:
            return self._run.step(x, out)
        with self._exclusive:
            self._check_out(out, ())
            for stage in self._first:
                x = stage.step(x)
            return self._last.step(x, out)

    def steps(self, block: ArrayLike, out: Array | None = None, resets: ArrayLike | None = None) -> Array:
        """Process the next steps at once, with results bit-identical to those of single steps.

        Parameters
        ----------
        block : array_like, shape (T, N, I), or (T, I) with a batch of 1
            For a model that begins with an `Embedding`, tokens (T, N), or (T,) with a batch of 1. Time first, also for
            layers with `batch_first`.
        out : ndarray, optional
            As of `step`.
        resets : array_like of bool, shape (T, N), optional
            As of `Stream.steps`.

        Returns
        -------
        y : ndarray, shape (T, N, O), or (T, O) for a block without the batch
        """
        if resets is not None:
            return self._steps_between(resets, block, out)
        if self._run is not None:
            return self._run.steps(block, out)
        with self._exclusive:
            return self._read(block, out)

    def _read(self, block: Any, out: Array | None) -> Array:
        """Run all stages on blocks of steps, so that memory between them stays small."""
        block = block if isinstance(block, list | tuple) else as_array("block", block)
        if not np.ndim(block):
            raise ValueError("block: expected (T, N, ...), got a scalar")
        T = len(block)
        self._check_out(out, (T,))
        parts = list(time_blocks(T, self.batch, self._widest))
        before = [stream.state for _, stream in self._stateful]
        try:
            for part in parts:
                x = block[part]
                for stage in self._first:
                    x = stage.steps(x)
                if out is None and len(parts) == 1:
                    return self._last.steps(x)
                if out is None:
                    y = self._last.steps(x)
                    out = np.empty((T, *y.shape[1:]), y.dtype)
                    out[part] = y
                else:
                    self._last.steps(x, out[part])
        except BaseException:  # of a token in a part that is not the first, of a layer of one's own, or Ctrl-C
            for (_, stream), state in zip(self._stateful, before, strict=True):
                stream.state = state
            raise
        return out  # type: ignore[return-value]

    def _step_rows(self, x: Array, rows: Array) -> Array:
        for stage in self._stages:
            x = stage._step_rows(x, rows)
        return x

    def _can_step_rows(self) -> bool:
        return all(isinstance(stream, StreamBase) and stream._can_step_rows() for stream in self._streams.values())

    def _check_out(self, out: Array | None, lead: tuple[int, ...]) -> None:
        """Raise TypeError or ValueError, before anything is read, if y cannot be written into `out`."""
        if out is not None and self._features is not None:
            unbatched = self.batch == 1 and getattr(out, "ndim", 0) == len(lead) + 1
            rows = () if unbatched else (self.batch,)
            check_out(out, (*lead, *rows, self._features), self._layer.dtype)

    # -- state -------------------------------------------------------------------------------------------------------

    @property
    def _stateful(self) -> list[tuple[str, StreamBase]]:
        """Name and stream of each layer with a state."""
        children = self._layer.children()
        return [(name, stream) for name, stream in self._streams.items() if children[name].stateful]

    @property
    def state(self) -> tuple[Any, ...]:
        """The current state in the form that the model's calls take and return: one of each recurrent layer.

        The arrays are read-only copies. To change the state, assign to this property or call `reset`.
        """
        with self._exclusive:
            return tuple(stream.state for _, stream in self._stateful)

    @state.setter
    def state(self, value: Any) -> None:
        given = zip(self._layer, self._layer._states("state", value), strict=True)
        states = [each for layer, each in given if layer.stateful]
        with self._exclusive:
            before = [stream.state for _, stream in self._stateful]
            try:
                for (name, stream), each in zip(self._stateful, states, strict=True):
                    with self._layer._noted(name):
                        stream.state = each
            except (TypeError, ValueError):
                for (_, stream), each in zip(self._stateful, before, strict=True):
                    stream.state = each
                raise

    def reset(self, rows: ArrayLike | None = None) -> None:
        """Return to the initial state, or only some rows of the batch, as `Stream.reset`."""
        with self._exclusive:
            for stream in self._streams.values():
                stream.reset(rows)


class Streamed:
    """The streaming interface of a `Sequential`."""

    def stream(self, batch: int = 1) -> SequentialStream:
        """Run the model one step at a time, with results bit-identical to those of the whole sequence.

        Its layers may be unidirectional recurrent layers, causal convolutions, layers that act on each position
        separately (`Linear`, `Embedding`, `LayerNorm`, `Activation`, `Dropout`, custom layers with `keeps_axes`), and
        `Sequential` or `Residual` of these.

        Parameters
        ----------
        batch : int, default 1
            N.

        Returns
        -------
        SequentialStream
            With the methods of `Stream`.

        Raises
        ------
        TypeError, ValueError
            A layer is not causal (bidirectional or pooling), or does not declare that it is.
        """
        return SequentialStream(self, batch)
