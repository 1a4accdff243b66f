# SPDX-License-Identifier: BSD-3-Clause
"""One call of the engine per layer and direction: packed weights, a forward and a backward pass.

Arrays are checked and time-major: x is (T, N, I), y (T, N, H), states are (N, H).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .arguments import FLOATS, Array
from .cells import Cell
from .parts import State
from .ragged import Order, length_mask, tape_rows
from .threads import effective


class StateUpdate(NamedTuple):
    """How a state goes from one step to the next, beyond the cell (see fr_state_update in csrc/fastrnn.h)."""

    fraction_h: Array | None = None  # of the new h, the rest of the old; (T, N, H), or (H,) for every step and row
    fraction_c: Array | None = None
    mask: Array | None = None  # (N, H): what the product with w_hh reads is multiplied by it, at every step
    clip: float = 0.0  # backward, gradients of the pre-activations are kept within +-clip; 0: all are

    @property
    def arrays(self) -> tuple[Array, ...]:
        """Those that are not None."""
        return tuple(array for array in self[:3] if array is not None)

    def steps(self, block: slice) -> "StateUpdate":
        """The state update of a slice of time."""
        h, c = (part[block] if part is not None and part.ndim == 3 else part for part in self[:2])
        return StateUpdate(h, c, self.mask, self.clip)


Arrays = _core.Arrays  # the arrays that a layer owns
PLAIN = StateUpdate()
_PLAIN = _core.StateUpdate(*PLAIN)


class Recurrence(NamedTuple):
    """Which steps a pass takes, and how a state goes from one to the next."""

    order: Order | None = None
    state_update: StateUpdate = PLAIN
    reverse: bool = False


def _for_core(recurrence: Recurrence) -> Any:
    """A `Recurrence` as `_core` takes it."""
    order, update, reverse = recurrence
    update = _PLAIN if update is PLAIN else _core.StateUpdate(*update)
    if order is None:
        return _core.Recurrence(None, update, reverse, effective())
    return _core.Recurrence(order[:5], update, reverse, effective(), order.of.packed is not None)


def weights(
    cell: Cell,
    dtype: np.dtype[Any],
    input_size: int,
    hidden_size: int,
    arrays: Arrays,
    names: Sequence[str | None],
    state_update: StateUpdate = PLAIN,
) -> _core.Weights:
    """Bind the parameter arrays of one layer and direction to packed copies that follow them.

    Parameters
    ----------
    cell : Cell
    dtype : dtype
    input_size, hidden_size : int
        I and H.
    arrays : Arrays
    names : sequence of (str or None)
        Of w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,) among them; None for one that there is not.
    state_update : StateUpdate
        Of inference on the fast path and of streams, the same at every step.
    """
    update = _PLAIN if state_update is PLAIN else _core.StateUpdate(*state_update)
    return _core.Weights(cell.code, FLOATS.index(dtype), input_size, hidden_size, arrays, names, update)


def inference(
    weights: list[_core.Weights], directions: int, parts: int, batch_first: bool, dtype: np.dtype[Any]
) -> _core.Inference:
    """The fast path through a stack for small calls; where it returns None, take the general one.

    Parameters
    ----------
    weights : list of Weights
        [layer * directions + direction].
    directions, parts : int
        1 or 2 directions; 1 part of a state (h) or 2 (h, c).
    batch_first : bool
    dtype : dtype
    """
    return _core.Inference(weights, directions, parts, batch_first, effective, np.empty, np.ndarray, dtype)


def stepper(stack: Sequence[tuple[Any, Any, Any]], N: int) -> _core.Stepper:
    """One step at a time through a stack of one-directional layers.

    Parameters
    ----------
    stack : list of (Weights, h, c)
        h and c are (N, H): the state, written in place; None for a layer without one.
    N : int
    """
    return _core.Stepper(stack, N, effective)


def exclusive(refusal: str | None = None) -> _core.Exclusive:
    """What ``with exclusive:`` lets one call use at a time; a call from another thread raises RuntimeError."""
    return _core.Exclusive() if refusal is None else _core.exclusive(refusal)


class Saved(NamedTuple):
    """What one layer and direction saves for its backward pass; R is the sum of the lengths, S = `Cell.saved`."""

    pack: Any
    x: Array  # (T, N, I)
    y: Array  # (T, N, H)
    h_0: Array | None  # (N, H)
    c_0: Array | None  # (N, H)
    gates: Array | None  # (R, S, H)
    c: Array | None  # (R, H)
    recurrence: Recurrence

    @property
    def order(self) -> Order | None:
        """Which rows run at which step."""
        return self.recurrence.order

    @property
    def reverse(self) -> bool:
        """Whether each row is read from its own end."""
        return self.recurrence.reverse

    @property
    def nbytes(self) -> int:
        """Bytes beyond x and y."""
        arrays = (self.gates, self.c, *self.recurrence.state_update.arrays)
        return sum(0 if array is None else array.nbytes for array in arrays)


def _tape_arrays(cell: Cell, pack: Any, rows: int, H: int, dtype: np.dtype[Any]) -> tuple[Array, Array | None]:
    """Gates and c, in memory that an earlier tape of these weights no longer uses if that is large enough."""
    gates = rows * cell.saved * H
    size = gates + rows * H if cell.has_c else gates
    try:
        flat = pack.spare.pop()  # another thread may have been quicker
    except IndexError:
        flat = None
    if flat is None or flat.size < size:
        flat = np.empty(size, dtype)
    c = flat[gates:size].reshape(rows, H) if cell.has_c else None
    return flat[:gates].reshape(rows, cell.saved, H), c


def forward(
    cell: Cell, pack: Any, recurrence: Recurrence, x: Array, y: Array, state: State, final: State, keep: bool = False
) -> Saved | None:
    """One layer, one direction.

    Parameters
    ----------
    cell : Cell
    pack : Pack
        Of the weights, from `Weights.pack`.
    recurrence : Recurrence
    x : ndarray, shape (T, N, I)
    y : ndarray, shape (T, N, H)
        Written.
    state : tuple of (ndarray or None)
        h_0 and c_0.
    final : tuple of (ndarray or None)
        h_n and c_n. Written; they may be the arrays of `state`.
    keep : bool
        Keep what `backward` needs.
    """
    order, gates, c = recurrence.order, None, None
    initial, last, parts = state, final, None if order is None else order.parts
    if parts is not None:
        state, final = parts.of_rows(initial, not recurrence.reverse), parts.like(last)
    h_0, c_0 = state
    if keep:
        if cell.recurrent:
            T, N, H = y.shape
            gates, c = _tape_arrays(cell, pack, tape_rows(order, T, N), H, x.dtype)
        h_0, c_0 = None if h_0 is None else h_0.copy(), None if c_0 is None else c_0.copy()
    _core.forward(pack, _for_core(recurrence), x, y, (h_0, c_0), final, (gates, c))
    if order is not None and parts is not None:
        parts.to_rows(final, initial, last, recurrence.reverse)
        if order.of.lengths is not None:
            y[~length_mask(order.of.lengths, len(y))] = 0
    return Saved(pack, x, y, h_0, c_0, gates, c, recurrence) if keep else None


def backward(
    cell: Cell,
    saved: Saved,
    dy: Array,
    dfinal: State,
    dx: Array,
    dstate: State,
    grads: Sequence[Array | None],
    after: Callable[[Array], None] | None = None,
) -> None:
    """Back-propagate through what `forward` saved. `saved.gates` is overwritten.

    Parameters
    ----------
    cell : Cell
    saved : Saved
    dy : ndarray, shape (T, N, H)
    dfinal : tuple of (ndarray or None)
        Upstream gradients of h_n and c_n; None is zero.
    dx : ndarray, shape (T, N, I)
        Added to.
    dstate : tuple of (ndarray or None)
        Gradients of h_0 and c_0. Written.
    grads : sequence of (ndarray or None)
        Gradients of the four parameter arrays. Added to.
    after : callable, optional
        Called with the gradients of the gates, (R, S, H), before their memory serves for another call.
    """
    pack, x, y, h_0, c_0, gates, c, recurrence = saved
    if gates is None:  # a cell without memory saves nothing: its gates exist only as gradients
        T, N, H = dy.shape
        gates, _ = _tape_arrays(cell, pack, tape_rows(recurrence.order, T, N), H, dy.dtype)
    last, initial, parts = dfinal, dstate, None if recurrence.order is None else recurrence.order.parts
    if parts is not None:
        dfinal, dstate = parts.of_rows(last, recurrence.reverse), parts.like(initial)
    arrays = (x, y, h_0, c_0, gates, c)
    _core.backward(pack, _for_core(recurrence), arrays, (dy, *dfinal), (dx, *dstate), grads)
    if parts is not None:
        parts.to_rows(dstate, last, initial, not recurrence.reverse)
    if after is not None:
        after(gates)
    memory: Any = gates.base
    if memory.nbytes <= _core.SPARE_BYTES:
        pack.spare[:] = [memory]  # for the next tape
