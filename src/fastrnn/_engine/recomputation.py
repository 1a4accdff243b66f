# SPDX-License-Identifier: BSD-3-Clause
"""Training that saves states instead of gates: one layer, one direction, in blocks of time.

    forward     for each block:            save the state before it; run it as inference does
    backward    for each, from the last:   run it again from that state, with gates; go back through it

A step is computed twice forward and once backward, 4/3 of the operations; the gates of one block exist at a time. The
outputs have the same bits; sums over time (the gradients of the parameters) are rounded in another order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import passes
from .arguments import Array
from .cells import Cell
from .passes import Recurrence, State

# Large enough that a block is several chunks of the engine's backward loop and that the cost of a call is negligible;
# small enough that its gates stay in the last cache.
BLOCK_ROWS = 2048  # (step, row) pairs
BLOCK_STEPS = 16  # at least: a state for every step would be no saving


class Saved(NamedTuple):
    """What one layer and direction saves for `backward`."""

    pack: Any
    x: Array  # (T, N, I)
    states: list[State]  # before each block in the order of running
    recurrence: Recurrence

    @property
    def nbytes(self) -> int:
        """Bytes beyond x."""
        states = (array for state in self.states for array in state if array is not None)
        return sum(array.nbytes for array in (*states, *self.recurrence.state_update.arrays))


def blocks(T: int, N: int, reverse: bool) -> list[slice]:
    """Slices of time, in the order in which a direction runs through them."""
    steps = max(BLOCK_STEPS, BLOCK_ROWS // max(N, 1))
    slices = [slice(t, min(t + steps, T)) for t in range(0, T, steps)]
    return slices[::-1] if reverse else slices


def _inside(recurrence: Recurrence, block: slice) -> Recurrence:
    """The recurrence of a block."""
    order, update, reverse = recurrence
    order = None if order is None else order.of.inside(block).order(block.stop - block.start)
    return Recurrence(order, update.steps(block), reverse)


def forward(cell: Cell, pack: Any, recurrence: Recurrence, x: Array, y: Array, state: State, final: State) -> Saved:
    """Like `passes.forward`."""
    T, N, _ = x.shape
    states = []
    for block in blocks(T, N, recurrence.reverse):
        h, c = (None if array is None else array.copy() for array in state)
        states.append((h, c))
        passes.forward(cell, pack, _inside(recurrence, block), x[block], y[block], state, final)
        state = final
    return Saved(pack, x, states, recurrence)


def backward(
    cell: Cell, saved: Saved, dy: Array, dfinal: State, dx: Array, dstate: State, grads: Sequence[Array | None]
) -> None:
    """Like `passes.backward`."""
    T, N, H = dy.shape
    steps = blocks(T, N, saved.recurrence.reverse)
    longest = max(block.stop - block.start for block in steps)
    y = np.empty((longest, N, H), dy.dtype)
    h, c = (None if array is None else np.empty((N, H), dy.dtype) for array in dstate)
    for block, state in zip(reversed(steps), reversed(saved.states), strict=True):
        inside, out = _inside(saved.recurrence, block), y[: block.stop - block.start]
        again = passes.forward(cell, saved.pack, inside, saved.x[block], out, state, (h, c), keep=True)
        assert again is not None
        passes.backward(cell, again, dy[block], dfinal, dx[block], dstate, grads)
        dfinal = dstate
