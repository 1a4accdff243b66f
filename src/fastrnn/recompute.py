# SPDX-License-Identifier: BSD-3-Clause
"""Training that keeps states instead of gates: one layer, one direction, in blocks of time.

    forward     for each block:            keep the state before it; run it as inference does
    backward    for each, from the last:   run it again from that state, with gates; go back through it

A step is computed twice forward and once backward, 4/3 of the operations; the gates of one block exist at a time. The
outputs have the bits of the plain way; sums over time (the gradients of the parameters) are rounded in another order.
"""

from typing import NamedTuple

import numpy as np

from . import functional

# Large enough that a block is several chunks of the engine's backward loop and what a call costs is nothing beside it;
# small enough that its gates stay in the last cache.
BLOCK_ROWS = 2048  # (step, row) pairs
BLOCK_STEPS = 16  # at least: a state for every step would be no saving


class Saved(NamedTuple):
    """What one layer and direction leaves for `backward`."""

    pack: object
    x: np.ndarray  # (T, N, I)
    states: list  # of (h, c) before each block in the order of running, (N, H) or None
    state_update: functional.StateUpdate
    lengths: np.ndarray | None  # (N,)
    reverse: bool

    @property
    def nbytes(self):
        """Bytes beyond x."""
        states = (array for state in self.states for array in state if array is not None)
        return sum(array.nbytes for array in (*states, *self.state_update.arrays))


def blocks(T, N, reverse):
    """Slices of time, in the order in which a direction runs through them."""
    steps = max(BLOCK_STEPS, BLOCK_ROWS // max(N, 1))
    slices = [slice(t, min(t + steps, T)) for t in range(0, T, steps)]
    return slices[::-1] if reverse else slices


def _order(lengths, block):
    """Which rows run when, inside a block."""
    if lengths is None:
        return None
    steps = block.stop - block.start
    return functional.order_of(np.clip(lengths - block.start, 0, steps), steps)


def forward(cell, pack, x, y, state, final, *, lengths, state_update, reverse):
    """As `functional.forward`, with lengths (N,) or None in place of an order.

    Returns
    -------
    Saved
    """
    T, N, _ = x.shape
    states = []
    for block in blocks(T, N, reverse):
        states.append(tuple(None if array is None else array.copy() for array in state))
        order = _order(lengths, block)
        functional.forward(
            cell,
            pack,
            x[block],
            y[block],
            state,
            final,
            order=order,
            state_update=state_update.steps(block),
            reverse=reverse,
        )
        state = final
    return Saved(pack, x, states, state_update, lengths, reverse)


def backward(cell, saved, dy, dfinal, dx, dstate, grads):
    """As `functional.backward`."""
    T, N, H = dy.shape
    steps = blocks(T, N, saved.reverse)
    longest = max(block.stop - block.start for block in steps)
    y = np.empty((longest, N, H), dy.dtype)
    final = tuple(None if array is None else np.empty((N, H), dy.dtype) for array in dstate)
    for block, state in zip(reversed(steps), reversed(saved.states), strict=True):
        again = functional.forward(
            cell, saved.pack, saved.x[block], y[: block.stop - block.start], state, final,
            order=_order(saved.lengths, block), state_update=saved.state_update.steps(block),
            reverse=saved.reverse, keep=True,
        )  # fmt: skip
        functional.backward(cell, again, dy[block], dfinal, dx[block], dstate, grads)
        dfinal = dstate
