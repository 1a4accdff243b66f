# SPDX-License-Identifier: BSD-3-Clause
"""Consecutive layers of the engine, run together: a step is one call of the engine's stepper."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._engine import layers, passes
from ..._engine.arguments import Array, as_floats, readable
from ..._engine.cells import Cell
from ..._engine.layers import Course, Entry
from ..._engine.parts import State
from ..._engine.state_update import PLAIN, StateUpdate
from .._recurrent.stack import time_blocks
from .base import check_out, check_x

SMALL = 1 << 16  # elements of a block: beyond it, the overhead of Python code does not matter


class Link(NamedTuple):
    """One layer of a run, of one direction."""

    cell: Cell
    weights: Any  # passes.weights
    sizes: tuple[int, int]  # I and H
    dtype: np.dtype[Any]
    state: State = (None, None)  # h and c, (N, H), written at every step; None for what the cell does not have
    state_update: StateUpdate = PLAIN


class Run:
    """Layers that read one step per call, each the output of the one before.

    Parameters
    ----------
    links : sequence of Link
        Of one dtype, each with the I that is the H of the one before.
    batch : int
        N.
    """

    def __init__(self, links: Sequence[Link], batch: int) -> None:
        self.batch: int = batch
        self._links = tuple(links)
        self._I, self._O = links[0].sizes[0], links[-1].sizes[1]
        self._dtype = links[0].dtype
        self._stepper = self._exclusive = passes.stepper([(link.weights, *link.state) for link in links], batch)

    def step(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Process the next step.

        Parameters
        ----------
        x : array_like, shape (N, I), or (I,) with a batch of 1
        out : ndarray, optional
            An array for y: C-ordered, with y's shape and dtype, sharing no memory with `x`. The step then allocates
            nothing.

        Returns
        -------
        y : ndarray, shape (N, H), or (H,) for x (I,)

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what was given.
        RuntimeError
            Another thread is using the stream.
        """
        y = self._empty(x) if out is None else out
        if y is not None and self._stepper.step(x, y):
            return y
        x, y = self._checked("x", x, out)
        if not self._stepper.step(x, y):
            raise RuntimeError("the stepper refused arguments that had been checked")
        return y

    def steps(self, block: ArrayLike, out: Array | None = None) -> Array:
        """`Stream.steps` without resets."""
        y = out
        if y is None and type(block) is np.ndarray and block.size <= SMALL:
            y = self._empty(block)
        if y is not None and self._stepper.steps(block, y):
            return y
        x, y = self._checked("block", block, out)
        x, out = (array if array.ndim == 3 else array[:, None] for array in (x, y))
        with self._exclusive:
            widest = max(link.sizes[1] for link in self._links)
            arrays = [array for link in self._links for array in link.state if array is not None]
            before = [array.copy() for array in arrays]
            try:
                for part in time_blocks(len(x), self.batch, widest) if len(x) else ():
                    self._read(x[part], out[part])
            except BaseException:  # Ctrl-C: some layers have read more than others
                for array, old in zip(arrays, before, strict=True):
                    array[...] = old
                raise
        return y

    def _empty(self, x: ArrayLike) -> Array | None:
        """An array for what comes of x; None for what is no array."""
        return np.empty((*x.shape[:-1], self._O), self._dtype) if type(x) is np.ndarray else None

    def _read(self, x: Array, y: Array) -> None:
        """Write y (T, N, O) for x (T, N, I), and the states."""
        links = self._links
        entries = [Entry(link.cell, link.weights.pack(), link.state_update, link.state, link.state) for link in links]
        layers.forward(entries, Course(), x, [None] * (len(entries) - 1) + [y])

    def _step_rows(self, x: Array, rows: Array) -> Array:
        """One step of some rows of the batch: rows of the states, in any order, and all those of x (k, I)."""
        if x.ndim != 2 or x.shape[1] != self._I:
            raise ValueError(f"x: expected ({len(rows)}, {self._I}), got {x.shape}")
        y = np.empty((len(rows), self._O), self._dtype)
        self._stepper.step_rows(readable(x), rows, y)
        return y

    def _checked(self, name: str, x: ArrayLike, out: Array | None) -> tuple[Array, Array]:
        """x and `out` as the engine takes them, or the error that says what is wrong with them."""
        x = as_floats(name, x, self._dtype)
        check_x(name, x, x.shape[:1] if name == "block" else (), self.batch, self._I)
        shape = (*x.shape[:-1], self._O)
        if out is None:
            return readable(x), np.empty(shape, self._dtype)
        check_out(out, shape, self._dtype)
        if np.may_share_memory(x, out):
            raise ValueError(f"out: expected memory of its own, got an array that overlaps {name}")
        return readable(x), out
