# SPDX-License-Identifier: BSD-3-Clause
"""Packed weights, calls with little overhead, and passes of a single layer and direction.

Arrays are checked and time-major: x is (T, N, I), y (T, N, H), states are (N, H).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from . import layers
from .arguments import FLOATS, Array
from .cells import Cell
from .layers import Course, Downstream, Entry, Grads, Pass, Upstream
from .parts import State
from .ragged import Order, rows_at, with_gradient
from .state_update import PLAIN, StateUpdate, for_core
from .threads import effective

Arrays = _core.Arrays  # the arrays that a layer owns
Kept = _core.Kept  # what a training step of `fast_path` saves


class Recurrence(NamedTuple):
    """The order of steps in a pass of one layer and direction, and its state update."""

    order: Order | None = None
    state_update: StateUpdate = PLAIN
    reverse: bool = False


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
    update = for_core(state_update)
    return _core.Weights(cell.code, FLOATS.index(dtype), input_size, hidden_size, arrays, names, update)


def inference(
    weights: list[_core.Weights], directions: int, parts: int, batch_first: bool, dtype: np.dtype[Any]
) -> _core.Inference:
    """Small calls of layers with little overhead; where it returns None, take the general path.

    Parameters
    ----------
    weights : list of Weights
        [layer * directions + direction].
    directions, parts : int
        1 or 2 directions; 0 parts of a state, 1 (h) or 2 (h, c).
    batch_first : bool
    dtype : dtype
    """
    return _core.Inference(weights, directions, parts, batch_first, effective, np.empty, np.ndarray, dtype)


def fast_path(
    weights: list[_core.Weights],
    directions: int,
    parts: int,
    batch_first: bool,
    dtype: np.dtype[Any],
    grads: Sequence[Sequence[Array | None]],
) -> _core.Training:
    """`inference`, and training steps of a stack.

    Parameters
    ----------
    weights, directions, parts, batch_first, dtype
        As of `inference`.
    grads : sequence of sequences
        The gradients of the four parameter arrays of each layer and direction; None where there is none.
    """
    numpy = np.empty, np.ndarray, dtype
    return _core.Training(weights, directions, parts, batch_first, effective, *numpy, grads)


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
    """A lock for ``with exclusive:``; a concurrent call from another thread raises RuntimeError."""
    return _core.Exclusive() if refusal is None else _core.exclusive(refusal)


def forward(
    cell: Cell, pack: Any, recurrence: Recurrence, x: Array, y: Array, state: State, final: State, keep: bool = False
) -> Pass | None:
    """`layers.forward` of one layer and direction.

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
    order, update, reverse = recurrence
    return layers.forward([Entry(cell, pack, update, state, final)], Course(order, reverse), x, [y], keep)


def backward(kept: Pass, dy: Array, dfinal: State, dx: Array | None, dstate: State, grads: Grads) -> None:
    """`layers.backward` of one layer and direction.

    Parameters
    ----------
    kept : Pass
        From `forward`; used up.
    dy : ndarray, shape (T, N, H)
    dfinal : tuple of (ndarray or None)
        Upstream gradients of h_n and c_n; None is zero.
    dx : ndarray, shape (T, N, I), or None
        Added to.
    dstate : tuple of (ndarray or None)
        Gradients of h_0 and c_0. Written.
    grads : sequence of (ndarray or None)
        Gradients of the four parameter arrays. Added to.
    """
    if kept.entries[0].cell.recurrent:
        gates = layers.backward(kept, Upstream([dy], [dfinal]), Downstream(dx, [dstate], [grads]))
        layers.release(kept.entries, gates)
    else:
        linear_backward(kept.entries[0].pack, kept.x, dy, dx, grads, kept.course.order)


def linear_backward(pack: Any, x: Array, dy: Array, dx: Array | None, grads: Grads, order: Order | None = None) -> None:
    """`backward` of a layer without memory: of the steps of `order`, or else of those `with_gradient`.

    Its outputs are its gates. So dy is their gradient, and is not copied unless it is not C-ordered, or steps do not
    run: 0.9 of the time with 640 rows of 256 inputs and 10,000 outputs, 0.82 with 2240 of 512 and 16,000 (one thread of
    Zen 5).

    Parameters
    ----------
    pack : Pack
        Of the weights, from `Weights.pack`.
    x : ndarray, shape (T, N, I)
    dy : ndarray, shape (T, N, H)
    dx : ndarray, shape (T, N, I), or None
        Added to.
    grads : sequence of (ndarray or None)
        As of `backward`.
    order : Order, optional
        Which rows run at which step.
    """
    order = with_gradient(dy) if order is None else order
    gates = np.ascontiguousarray(dy).reshape(-1, dy.shape[-1]) if order is None else rows_at(dy, order)
    _add(pack, (x, dy, None), gates[:, None], dx, grads, order)


def add_gradients(pack: Any, inputs: tuple[Array, Array, Array | None], gates: Array, grads: Grads) -> None:
    """Add the gradients of the parameters of one layer, given those of its gates, as backward passes leave them.

    So passes over single steps need not touch the gradients of matrices, which take longer than the rest of a step.

    Parameters
    ----------
    pack : Pack
    inputs : tuple
        x (T, N, I), y (T, N, H), and h before the first step, (N, H) or None for zero.
    gates : ndarray, shape (T * N, S, H)
    grads : sequence of (ndarray or None)
        As of `backward`.
    """
    _add(pack, inputs, gates, None, grads, None)


def _add(
    pack: Any,
    inputs: tuple[Array, Array, Array | None],
    gates: Array,
    dx: Array | None,
    grads: Grads,
    order: Order | None,
) -> None:
    """Add the contribution of the gradients of gates (R, S, H) to dx and to the gradients of the parameters."""
    x, y, h_0 = inputs
    nothing = None, None
    entry = pack, for_core(PLAIN), (h_0, None), (gates, None), nothing, nothing, grads
    recurrence = _core.Recurrence(None if order is None else order[:5], False, effective())
    _core.backward(recurrence, x, [y], [entry], ([None], dx), None, True)
