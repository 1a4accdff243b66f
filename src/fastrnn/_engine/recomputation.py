# SPDX-License-Identifier: BSD-3-Clause
"""Recomputation (gradient checkpointing): passes in blocks of time that save states instead of gates.

    forward     for each block:            save the states before it; run it as inference does
    backward    for each, from the last:   run it again from those states, with gates; go back through it

A step is computed twice forward and once backward, 4/3 of the operations; the gates of one block, and the outputs of
all layers but the last, exist at a time. The outputs have the same bits; sums over time (the gradients of the
parameters) are rounded in another order. Layers of one direction go through time together; of two directions each goes
by itself, since the layer above waits for both.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from . import layers
from .arguments import Array
from .layers import Course, Downstream, Dropout, Entry, Upstream
from .parts import State, empty_like

# Large enough that a block is several chunks of the engine's backward loop and that the cost of a call is negligible;
# small enough that its gates stay in the last cache.
BLOCK_ROWS = 2048  # (step, row) pairs
BLOCK_STEPS = 16  # at least: a state for every step would be no saving


class Pass(NamedTuple):
    """The data that a forward pass in one direction saves."""

    entries: Sequence[Entry]
    course: Course
    x: Array  # (T, N, I)
    states: list[list[State]]  # before each block in the order of running, of each layer and direction
    count: int  # L
    dropout: Dropout | None  # its results are of the last block

    @property
    def nbytes(self) -> int:
        """Bytes beyond x."""
        arrays = [array for before in self.states for state in before for array in state if array is not None]
        arrays += [array for entry in self.entries for array in entry.state_update.arrays]
        return sum(array.nbytes for array in (*arrays, *([] if self.dropout is None else self.dropout.masks)))


class Apart(NamedTuple):
    """The data that a forward pass in two directions saves."""

    passes: list[Pass]  # of each layer and direction
    dropout: Dropout | None

    @property
    def entries(self) -> list[Entry]:
        """The entries of each layer and direction."""
        return [entry for kept in self.passes for entry in kept.entries]

    @property
    def x(self) -> Array:
        """(T, N, I)."""
        return self.passes[0].x

    @property
    def nbytes(self) -> int:
        """Bytes beyond x and y."""
        between = [kept.x for kept in self.passes[2::2]]
        masks = [] if self.dropout is None else self.dropout.masks
        return sum(kept.nbytes for kept in self.passes) + sum(array.nbytes for array in (*between, *masks))


def blocks(T: int, N: int, reverse: bool) -> list[slice]:
    """Slices of time, in the order in which a direction runs through them."""
    steps = max(BLOCK_STEPS, BLOCK_ROWS // max(N, 1))
    slices = [slice(t, min(t + steps, T)) for t in range(0, T, steps)]
    return slices[::-1] if reverse else slices


def steps_and_rows(course: Course, x: Array) -> tuple[int, int]:
    """T and N."""
    T, N, _ = x.shape
    return (T, N) if course.order is None else course.order.of.sizes((T, N))


def _inside(course: Course, block: slice) -> Course:
    """The course of a block."""
    order, reverse = course
    return Course(None if order is None else order.inside(block), reverse)


def _place(course: Course, block: slice) -> Any:
    """The positions of the steps of a block in an array (T, N, features), or (1, R, features) of packed rows."""
    if course.order is None or course.order.of.packed is None:
        return block
    first = course.order.first
    return slice(None), slice(first[block.start], first[block.stop])


def _beginning(entries: Sequence[Entry], states: Sequence[State], block: slice) -> list[Entry]:
    """The entries of a block that begins with these states."""
    together = zip(entries, states, strict=True)
    return [entry._replace(initial=state, state_update=entry.state_update.steps(block)) for entry, state in together]


def forward(
    entries: Sequence[Entry], course: Course, x: Array, ys: Sequence[Array | None], dropout: Dropout | None = None
) -> Pass | Apart:
    """Like `layers.forward`; of the outputs only the last are written."""
    if len(entries) == 2 * len(ys):
        return _forward_apart(entries, course, x, ys[-1], dropout)  # type: ignore[arg-type]
    return _forward(entries, course, x, ys, dropout)


def backward(kept: Pass | Apart, upstream: Upstream, downstream: Downstream) -> None:
    """Like `layers.backward`."""
    if isinstance(kept, Apart):
        _backward_apart(kept, upstream, downstream)
    else:
        _backward(kept, upstream, downstream)


def _forward(
    entries: Sequence[Entry], course: Course, x: Array, ys: Sequence[Array | None], dropout: Dropout | None = None
) -> Pass:
    T, N = steps_and_rows(course, x)
    final, before = [entry.final for entry in entries], [entry.initial for entry in entries]
    states: list[list[State]] = []
    for block in blocks(T, N, course.reverse):
        states.append([(None if h is None else h.copy(), None if c is None else c.copy()) for h, c in before])
        at = _place(course, block)
        out = [None if y is None else y[at] for y in ys]
        drop = None if dropout is None else dropout.steps(at)
        layers.forward(_beginning(entries, before, block), _inside(course, block), x[at], out, dropout=drop)
        before = final
    return Pass(entries, course, x, states, len(ys), dropout)


def _backward(kept: Pass, upstream: Upstream, downstream: Downstream) -> None:
    (T, N), dtype = steps_and_rows(kept.course, kept.x), kept.x.dtype
    dx = downstream.dx
    dfinal, dinitial = upstream.dfinal, downstream.dinitial
    steps = blocks(T, N, kept.course.reverse)
    pieces = [kept.x[_place(kept.course, block)] for block in steps]
    longest = max(piece.shape[:2] for piece in pieces)
    D = len(kept.entries) // kept.count
    widths = [D * entry.pack.hidden_size for entry in kept.entries[::D]]
    ys = [np.empty((*longest, width), dtype) for width in widths]
    scratch = [empty_like(entry.final) for entry in kept.entries]
    for block, x, states in zip(reversed(steps), reversed(pieces), reversed(kept.states), strict=True):
        at = _place(kept.course, block)
        entries = [
            entry._replace(final=final)
            for entry, final in zip(_beginning(kept.entries, states, block), scratch, strict=True)
        ]
        out = [y[: x.shape[0], : x.shape[1]] for y in ys]
        drop = None if kept.dropout is None else kept.dropout.steps(at)
        again = layers.forward(entries, _inside(kept.course, block), x, out, True, drop)
        assert again is not None
        above = Upstream([None if dy is None else dy[at] for dy in upstream.dys], dfinal)
        below = Downstream(None if dx is None else dx[at], dinitial, downstream.grads)
        layers.release(entries, layers.backward(again, above, below))
        dfinal = dinitial


def _halves(y: Array) -> tuple[Array, Array]:
    """The outputs of each direction."""
    H = y.shape[2] // 2
    return y[..., :H], y[..., H:]


def _forward_apart(entries: Sequence[Entry], course: Course, x: Array, y: Array, dropout: Dropout | None) -> Apart:
    passes, L = [], len(entries) // 2
    for layer in range(L):
        if layer and dropout is not None:
            x = np.multiply(x, dropout.masks[layer - 1], out=dropout.results[layer - 1])
            x *= dropout.scale
        out = y if layer == L - 1 else np.empty(y.shape, y.dtype)
        for d, half in enumerate(_halves(out)):
            own = Course(course.order, course.reverse != (d == 1))
            passes.append(_forward(entries[2 * layer + d : 2 * layer + d + 1], own, x, [half]))
        x = out
    return Apart(passes, dropout)


def _backward_apart(kept: Apart, upstream: Upstream, downstream: Downstream) -> None:
    dy = upstream.dys[-1]
    for layer in reversed(range(len(kept.passes) // 2)):
        dx = downstream.dx if layer == 0 else np.zeros(kept.passes[2 * layer].x.shape, kept.x.dtype)
        for d, half in enumerate((None, None) if dy is None else _halves(dy)):
            k = 2 * layer + d
            above = Upstream([half], [upstream.dfinal[k]])
            _backward(kept.passes[k], above, Downstream(dx, [downstream.dinitial[k]], [downstream.grads[k]]))
        if layer and kept.dropout is not None and dx is not None:
            dx *= kept.dropout.masks[layer - 1]
            dx *= kept.dropout.scale
        dy = dx
