# SPDX-License-Identifier: BSD-3-Clause
"""Arrays in, arrays out: shapes, layouts, allocation, and one call of the engine per layer and direction.

This is the last place that can say "x has shape ..."; below it are pointers. Inside, sequences are time-major views
(T, N, features) of whatever layout the caller has (see `Layout`), and states are (N, H).
"""

import math
from typing import NamedTuple

import numpy as np

from . import _core
from .arguments import FLOATS, as_floats, as_integers, readable
from .threads import effective


class Layout(NamedTuple):
    """How the caller lays out a sequence: (T, N, features), batch first, or unbatched (T, features)."""

    batched: bool
    batch_first: bool

    def time_major(self, array):
        """A view (T, N, features) of an array in this layout."""
        if not self.batched:
            return array[:, None, :]
        return array.swapaxes(0, 1) if self.batch_first else array

    def shape(self, T, N, features):
        """The shape of a sequence in this layout."""
        if not self.batched:
            return (T, features)
        return (N, T, features) if self.batch_first else (T, N, features)

    def laid_out(self, array):
        """A time-major (T, N, features) in this layout, C-ordered."""
        return np.ascontiguousarray(self.time_major(array)) if self.batched else array[:, 0]

    def axes(self, features):
        """That shape in words, for messages."""
        if not self.batched:
            return f"(T, {features})"
        return f"(N, T, {features})" if self.batch_first else f"(T, N, {features})"


def as_sequence(name, value, features, dtype, batch_first):
    """A sequence as a readable time-major view, and its layout.

    Returns
    -------
    x : ndarray, shape (T, N, features)
    layout : Layout
    """
    array = as_floats(name, value, dtype)
    layout = Layout(array.ndim != 2, batch_first)
    if array.ndim not in (2, 3) or array.shape[-1] != features:
        raise ValueError(
            f"{name}: expected {Layout(True, batch_first).axes(features)} or (T, {features}), got {array.shape}"
        )
    return readable(layout.time_major(array)), layout


def as_gradient(name, value, layout, shape, dtype, of="y"):
    """An upstream gradient of a sequence of shape (T, N, features), as a readable time-major view."""
    array = as_floats(name, value, dtype)
    if array.shape != layout.shape(*shape):
        raise ValueError(f"{name}: expected {layout.shape(*shape)}, the shape of {of}, got {array.shape}")
    return readable(layout.time_major(array))


def as_states(name, value, parts, shape, batched, dtype):
    """The arrays of a state, each C-ordered of `shape` (L*D, N, H), or None for each where `value` is None.

    Parameters
    ----------
    parts : tuple of str
        ("h",) or ("h", "c"): what the state consists of.
    batched : bool
        Whether the caller's arrays have the axis N.
    """
    if value is None:
        return (None,) * len(parts)
    given = (value,) if len(parts) == 1 else value
    if not isinstance(given, tuple | list) or len(given) != len(parts):
        got = len(given) if isinstance(given, tuple | list) else type(value).__name__
        raise TypeError(f"{name}: expected a tuple ({', '.join(parts)}), got {got}")
    wanted = shape if batched else (shape[0], shape[2])
    arrays = []
    for part, array in zip(parts, given, strict=True):
        label = f"{name}[{part}]" if len(parts) > 1 else name
        array = as_floats(label, array, dtype)
        if array.shape != wanted:
            raise ValueError(f"{label}: expected {wanted}, got {array.shape}")
        arrays.append(np.require(array, requirements=("C", "A")).reshape(shape))
    return tuple(arrays)


class Order(NamedTuple):
    """Which rows run at which step: the rows longest first, so that those that run are the first ones.

    `rows` (N,) are the batch rows in that order, `lengths` (N,) their lengths, and step s owns the tape rows
    ``first[s]:first[s + 1]``, one for each row that runs; `first` is (T + 1,).
    """

    rows: np.ndarray
    lengths: np.ndarray
    first: np.ndarray


def as_lengths(lengths, T, N, *, name="lengths", of="x"):
    """`lengths` as N integers in 0..T."""
    array = as_integers(name, lengths)
    if array.shape != (N,):
        raise ValueError(f"{name}: expected {N} of them, one for each row of the batch, got shape {array.shape}")
    wrong = (array < 0) | (array > T)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"{name}: expected 0..{T} (the steps of {of}), got {array[row]} for row {row}")
    return array.astype(np.intp)


def order_of(lengths, T):
    """The `Order` of a batch, or None where no lengths are given or every row is full."""
    if lengths is None or (lengths == T).all():
        return None
    rows = np.argsort(-lengths, kind="stable")
    ascending = lengths[rows][::-1]
    running = len(rows) - np.searchsorted(ascending, np.arange(T), side="right")  # rows longer than s
    first = np.zeros(T + 1, np.intp)
    np.cumsum(running, out=first[1:])
    return Order(rows, np.ascontiguousarray(ascending[::-1]), first)


def tape_rows(order, T, N):
    """How many (step, row) pairs run: the sum of the lengths."""
    return T * N if order is None else int(order.first[-1])


# -- the engine ------------------------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """What the arrays of a cell look like (see fr_cell_info in csrc/fastrnn.h)."""

    code: int
    gates: int
    saved: int
    has_c: bool
    recurrent: bool
    gate_names: tuple[str, ...]  # in PyTorch's order
    gate_blocks: tuple[int, ...]  # where each lies in `Saved.gates`
    activation: str | None  # of a plain recurrent cell


CELLS = {name: Cell(*info) for name, info in _core.CELLS.items()}


class StateUpdate(NamedTuple):
    """How a state goes from one step to the next, beyond the cell (see fr_state_update in csrc/fastrnn.h)."""

    fraction_h: np.ndarray | None = None  # of the new h, the rest of the old; (T, N, H), or (H,) for every step and row
    fraction_c: np.ndarray | None = None
    mask: np.ndarray | None = None  # (N, H): what the product with w_hh reads is multiplied by it, at every step
    clip: float = 0.0  # backward, gradients of the pre-activations are kept within +-clip; 0: all are

    @property
    def arrays(self):
        return tuple(array for array in self[:3] if array is not None)

    def steps(self, block):
        """That of a slice of time."""
        fractions = (part[block] if part is not None and part.ndim == 3 else part for part in self[:2])
        return StateUpdate(*fractions, self.mask, self.clip)


PLAIN = StateUpdate()
_PLAIN = _core.StateUpdate(*PLAIN)


def _for_core(state_update):
    """A `StateUpdate` as `_core` takes it."""
    return _PLAIN if state_update is PLAIN else _core.StateUpdate(*state_update)


def weights(cell, dtype, input_size, hidden_size, arrays, access, state_update=PLAIN):
    """Bind the parameter arrays of one layer and direction to packed copies that follow them.

    Parameters
    ----------
    arrays : sequence of (ndarray or None)
        w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,).
    access : object
        Its ``count`` grows whenever one of the arrays is given out.
    state_update : StateUpdate
        Of inference on the fast path and of streams, the same at every step.
    """
    return _core.Weights(
        cell.code, FLOATS.index(dtype), input_size, hidden_size, arrays, access, _for_core(state_update)
    )


def inference(weights, directions, parts, batch_first, dtype):
    """The fast path through a stack for small calls; where it returns None, take the general one.

    Parameters
    ----------
    weights : list of Weights
        [layer * directions + direction].
    directions, parts : int
        1 or 2 directions; 1 part of a state (h) or 2 (h, c).
    """
    return _core.Inference(weights, directions, parts, batch_first, effective, np.empty, np.ndarray, dtype)


def stepper(stack, between):
    """One step at a time through a stack of one-directional layers.

    Parameters
    ----------
    stack : list of (Weights, h, c)
        h and c, or None, are (N, H): the state, written in place.
    between : list of ndarray
        (N, H) of each layer but the last, for its output.
    """
    return _core.Stepper(stack, between, effective)


class Saved(NamedTuple):
    """What one layer and direction leaves for its backward pass; R is the sum of the lengths, S = `Cell.saved`."""

    pack: object
    x: np.ndarray  # (T, N, I)
    y: np.ndarray | None  # (T, N, H)
    h_0: np.ndarray | None  # (N, H)
    c_0: np.ndarray | None  # (N, H)
    gates: np.ndarray | None  # (R, S, H)
    c: np.ndarray | None  # (R, H)
    order: Order | None
    state_update: StateUpdate
    reverse: bool

    @property
    def nbytes(self):
        """Bytes beyond x and y."""
        return sum(0 if array is None else array.nbytes for array in (self.gates, self.c, *self.state_update.arrays))


def _take(pack, shape, dtype):
    """An array for a tape, in memory that an earlier tape of these weights has done with if there is enough of it."""
    size = math.prod(shape)
    try:
        flat = pack.spare.pop()  # the largest; another thread may have been quicker
    except IndexError:
        flat = None
    if flat is None or flat.size < size:
        flat = np.empty(size, dtype)
    return flat[:size].reshape(shape)


def _give(pack, arrays):
    """The arrays of a tape that has been used up, for the next."""
    owners = [array.base for array in arrays if array is not None and array.base.nbytes <= _core.SPARE_BYTES]
    pack.spare[:] = sorted(owners, key=len)


def forward(cell, pack, x, y, state, final, *, order=None, state_update=PLAIN, reverse=False, keep=False):
    """One layer, one direction.

    Parameters
    ----------
    cell : Cell
    pack : Pack
        Of the weights, from `Weights.pack`.
    x : ndarray, shape (T, N, I)
    y : ndarray, shape (T, N, H)
        Written.
    state : tuple of (ndarray or None)
        h_0 and c_0, (N, H); None is zero, and stands for a c that the cell does not have.
    final : tuple of (ndarray or None)
        h_n and c_n, (N, H). Written; they may be the arrays of `state`.
    order : Order, optional
    state_update : StateUpdate
    reverse : bool
    keep : bool
        Keep what `backward` needs.

    Returns
    -------
    Saved or None
    """
    T, N, H = y.shape
    gates = c = None
    if keep:
        rows = tape_rows(order, T, N)
        gates = _take(pack, (rows, cell.saved, H), x.dtype) if cell.recurrent else None
        c = _take(pack, (rows, H), x.dtype) if cell.has_c else None
        state = tuple(None if array is None else array.copy() for array in state)
    recurrence = _core.Recurrence(order, _for_core(state_update), reverse, effective())
    _core.forward(pack, recurrence, x, y, state, final, (gates, c))
    return Saved(pack, x, y, *state, gates, c, order, state_update, reverse) if keep else None


def backward(cell, saved, dy, dfinal, dx, dstate, grads, after=None):
    """Back-propagate through what `forward` saved. `saved.gates` is used up.

    Parameters
    ----------
    cell : Cell
    saved : Saved
    dy : ndarray, shape (T, N, H)
    dfinal : tuple of (ndarray or None)
        Upstream gradients of h_n and c_n, (N, H); None is zero.
    dx : ndarray, shape (T, N, I)
        Added to.
    dstate : tuple of (ndarray or None)
        Gradients of h_0 and c_0, (N, H). Written.
    grads : sequence of (ndarray or None)
        Gradients of the four parameter arrays. Added to.
    after : callable, optional
        Called with the gradients of the gates, (R, S, H), before their memory serves for another call.
    """
    gates = saved.gates
    if gates is None:  # a cell without memory saves nothing: its gates exist only as gradients
        T, N, H = dy.shape
        gates = _take(saved.pack, (T * N, cell.saved, H), dy.dtype)
    recurrence = _core.Recurrence(saved.order, _for_core(saved.state_update), saved.reverse, effective())
    arrays = (saved.x, saved.y, saved.h_0, saved.c_0, gates, saved.c)
    _core.backward(saved.pack, recurrence, arrays, (dy, *dfinal), (dx, *dstate), grads)
    if after is not None:
        after(gates)
    _give(saved.pack, (gates, saved.c))
