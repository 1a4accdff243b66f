# SPDX-License-Identifier: BSD-3-Clause
"""Forward and backward passes of a stack of layers, each in one call of the engine.

Arrays are checked and time-major: x is (T, N, I), the outputs of a layer (T, N, D*H), a state of one layer and
direction (N, H). Lists have an item for each layer and direction, at l*D + d.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .arguments import Array
from .cells import Cell
from .parts import State
from .ragged import Order, length_mask, tape_rows
from .state_update import PLAIN, StateUpdate, for_core
from .threads import effective

NO_STATE: State = (None, None)
Grads = Sequence[Array | None]  # of w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,); None: not wanted


class Course(NamedTuple):
    """The order and selection of steps in a pass."""

    order: Order | None = None
    reverse: bool = False  # direction 0 reads each row from its own end, and direction 1 does not


class Entry(NamedTuple):
    """One layer and direction of a pass."""

    cell: Cell
    pack: Any  # of the weights, from `Weights.pack`
    state_update: StateUpdate = PLAIN
    initial: State = NO_STATE
    final: State = NO_STATE  # written; the arrays may be those of `initial`


class Dropout(NamedTuple):
    """Dropout of the inputs of all layers but the first: y mask scale."""

    scale: float
    masks: list[Array]  # bool (T, N, D*H), behind each layer but the last
    results: list[Array]  # written

    def steps(self, block: Any) -> "Dropout":
        """The dropout of the steps at these positions; its results are new arrays."""
        return Dropout.of(self.scale, [mask[block] for mask in self.masks], self.results[0].dtype)

    @classmethod
    def of(cls, scale: float, masks: list[Array], dtype: np.dtype[Any]) -> "Dropout":
        """The dropout with results that are 0 beyond a row's length."""
        return cls(scale, masks, [np.zeros(mask.shape, dtype) for mask in masks])


class Saved(NamedTuple):
    """The data that one layer and direction saves for its backward pass; R is the sum of the lengths, S =
    `Cell.saved`."""

    entry: Entry
    x: Array  # (T, N, I)
    y: Array  # (T, N, H)
    h_0: Array | None  # (N, H), of parts where resets cut rows
    c_0: Array | None
    gates: Array | None  # (R, S, H)
    c: Array | None  # (R, H)
    order: Order | None  # which rows run at which step
    reverse: bool  # whether each row is read from its own end


class Pass(NamedTuple):
    """The data that a forward pass saves for the backward pass."""

    entries: Sequence[Entry]
    course: Course
    x: Array
    ys: Sequence[Array]  # of each layer
    initial: list[State]
    tapes: list[tuple[Array | None, Array | None]]  # gates (R, S, H) and c (R, H)
    dropout: Dropout | None

    @property
    def directions(self) -> int:
        """D."""
        return len(self.entries) // len(self.ys)

    @property
    def nbytes(self) -> int:
        """Bytes beyond x and y."""
        arrays: list[Array | None] = [array for tape in self.tapes for array in tape]
        arrays += [array for entry in self.entries for array in entry.state_update.arrays]
        arrays += self.ys[:-1]
        arrays += [] if self.dropout is None else [*self.dropout.masks, *self.dropout.results]
        return sum(0 if array is None else array.nbytes for array in arrays)

    def saved(self, k: int) -> Saved:
        """The saved arrays of one layer and direction."""
        layer, d = divmod(k, self.directions)
        y = self.ys[layer]
        H = y.shape[2] // self.directions
        x = self.x if layer == 0 else self.ys[layer - 1] if self.dropout is None else self.dropout.results[layer - 1]
        order, reverse = self.course
        own = y if self.directions == 1 else y[..., d * H : (d + 1) * H]
        return Saved(self.entries[k], x, own, *self.initial[k], *self.tapes[k], order, (d == 1) != reverse)


def _recurrence(course: Course) -> Any:
    """A `Course` as `_core` takes it."""
    order, reverse = course
    if order is None:
        return _core.Recurrence(None, reverse, effective())
    return _core.Recurrence(order[:5], reverse, effective(), order.of.packed is not None)


def _reversed(course: Course, directions: int, k: int) -> bool:
    return (k % directions == 1) != course.reverse


def forward(
    entries: Sequence[Entry],
    course: Course,
    x: Array,
    ys: Sequence[Array | None],
    keep: bool = False,
    dropout: Dropout | None = None,
) -> Pass | None:
    """Run layers, each on the outputs of the one below.

    Parameters
    ----------
    entries : sequence of Entry
        Of each layer and direction; the final states are written.
    course : Course
    x : ndarray, shape (T, N, I)
    ys : sequence of (ndarray or None)
        The outputs of each layer, (T, N, D*H). Written. None, with `keep` False, if not needed.
    keep : bool
        Keep what `backward` needs.
    dropout : Dropout, optional
    """
    parts, D = None if course.order is None else course.order.parts, len(entries) // len(ys)
    initial, final = [entry.initial for entry in entries], [entry.final for entry in entries]
    if parts is not None:
        initial = [parts.of_rows(state, not _reversed(course, D, k)) for k, state in enumerate(initial)]
        final = [parts.like(state) for state in final]
    tapes: list[tuple[Array | None, Array | None]] = [(None, None)] * len(entries)
    if keep:
        R = tape_rows(course.order, *x.shape[:2])
        tapes = [tape_arrays(entry, R, x.dtype) if entry.cell.recurrent else (None, None) for entry in entries]
        initial = [_copies(state) for state in initial]
    core = [
        (entry.pack, for_core(entry.state_update), first, last, tape)
        for entry, first, last, tape in zip(entries, initial, final, tapes, strict=True)
    ]
    _core.forward(_recurrence(course), x, ys, core, dropout)
    if parts is not None and course.order is not None:
        for k, (entry, state) in enumerate(zip(entries, final, strict=True)):
            parts.to_rows(state, entry.initial, entry.final, _reversed(course, D, k))
        clear_ends([y for y in ys if y is not None], course.order)
    return Pass(entries, course, x, ys, initial, tapes, dropout) if keep else None  # type: ignore[arg-type]


def clear_ends(ys: Iterable[Array], order: Order) -> None:
    """Write zeros beyond the lengths of rows that resets split into parts."""
    if order.of.lengths is not None:
        for y in ys:
            y[~length_mask(order.of.lengths, len(y))] = 0


def _copies(state: State) -> State:
    h, c = state
    return None if h is None else h.copy(), None if c is None else c.copy()


def tape_arrays(entry: Entry, R: int, dtype: np.dtype[Any]) -> tuple[Array, Array | None]:
    """Arrays for gates and c; they reuse the memory of an earlier tape of these weights if it is large enough."""
    cell, pack = entry.cell, entry.pack
    H = pack.hidden_size
    gates = R * cell.saved * H
    size = gates + R * H if cell.has_c else gates
    try:
        flat = pack.spare.pop()  # another thread may have been quicker
    except IndexError:
        flat = None
    if flat is None or flat.size < size:
        flat = np.empty(size, dtype)
    c = flat[gates:size].reshape(R, H) if cell.has_c else None
    return flat[:gates].reshape(R, cell.saved, H), c


class Upstream(NamedTuple):
    """Gradients of the outputs of a pass."""

    dys: Sequence[Array | None]  # (T, N, D*H), of each layer; None: zero, beyond what comes from the layer above
    dfinal: Sequence[State]


class Downstream(NamedTuple):
    """Gradients of the inputs of a pass, and of the parameters."""

    dx: Array | None  # (T, N, I), added to; None: not wanted
    dinitial: Sequence[State]  # written
    grads: Sequence[Grads]  # added to


def backward(kept: Pass, upstream: Upstream, downstream: Downstream) -> list[Array]:
    """Back-propagate through what `forward` kept, which is used up.

    Returns
    -------
    list of ndarray
        The gradients of the gates of each layer and direction, (R, S, H), until `release`.
    """
    order, D = kept.course.order, kept.directions
    parts = None if order is None else order.parts
    tapes = [
        tape if tape[0] is not None else tape_arrays(entry, tape_rows(order, *kept.x.shape[:2]), kept.x.dtype)
        for entry, tape in zip(kept.entries, kept.tapes, strict=True)
    ]  # a cell without memory saves nothing: its gates exist only as gradients
    dfinal, dinitial = upstream.dfinal, downstream.dinitial
    if parts is not None:
        dfinal = [parts.of_rows(state, _reversed(kept.course, D, k)) for k, state in enumerate(dfinal)]
        dinitial = [parts.like(state) for state in dinitial]
    core = [
        (entry.pack, for_core(entry.state_update), *rest)
        for entry, *rest in zip(kept.entries, kept.initial, tapes, dfinal, dinitial, downstream.grads, strict=True)
    ]
    gradients = upstream.dys, downstream.dx
    _core.backward(_recurrence(kept.course), kept.x, kept.ys, core, gradients, kept.dropout)
    if parts is not None:
        for k, state in enumerate(dinitial):
            other, out = upstream.dfinal[k], downstream.dinitial[k]
            parts.to_rows(state, other, out, not _reversed(kept.course, D, k))
    return [gates for gates, _ in tapes if gates is not None]


def release(entries: Sequence[Entry], gates: Sequence[Array]) -> None:
    """Keep the memory of used tapes for later ones, except that of a `_core.Kept`, which all layers share."""
    for entry, used in zip(entries, gates, strict=True):
        memory: Any = used.base
        if memory.flags.owndata and memory.nbytes <= _core.SPARE_BYTES:
            entry.pack.spare[:] = [memory]
