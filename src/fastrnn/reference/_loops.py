# SPDX-License-Identifier: BSD-3-Clause
"""The two time loops: forward, and back-propagation through time."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ._activations import Array
from ._cells import CELLS, Saved


class StateUpdate(NamedTuple):
    """How a state passes from one step to the next, apart from the cell: leaky units, zoneout, recurrent dropout."""

    fraction_h: Array | float = 1
    """k in h = k*h + (1-k)*h_prev, broadcast to (T, N, H)."""
    fraction_c: Array | float = 1
    """The same for c."""
    mask: Array | float = 1
    """m, which multiplies h_prev in every product, at all steps; broadcast to (N, H)."""


class Step(NamedTuple):
    """The data that one step of `forward` saves for `backward`."""

    t: int
    rows: Array
    """(N,) bool: the rows that have a step t. The other arrays are of these rows alone."""
    reset: Array
    """(N,) bool: the rows whose state is set to zero before time t, so after this step in reverse."""
    fractions: tuple[Array, Any]
    """k of h, and k of c or None."""
    saved: Saved
    """The cell's own."""


class Tape(NamedTuple):
    """The data that `forward` saves for `backward`. It refers to x and the weights without copies."""

    x: Array
    weights: tuple[Any, ...]
    """w_ih, w_hh, b_ih, b_hh."""
    steps: list[Step]
    """In the order in which they were taken."""
    reverse: bool


def _set_to_zero(rows: Array, *states: Array | None) -> None:
    for state in states:
        if state is not None:
            state[rows] = 0


def forward(
    cell: str,
    x: Array,
    h0: Array,
    c0: Array | None,
    *weights: Any,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    update: StateUpdate | None = None,
    resets: ArrayLike | None = None,
) -> tuple[Array, Array, Array | None, Tape]:
    """Run one layer in one direction. Shapes are not checked, to keep the equations readable.

    Parameters
    ----------
    cell : str
        A key of `CELLS`.
    x : ndarray, shape (T, N, I), float32 or float64 (complex128 for a complex step)
        Results have the common dtype of all arrays.
    h0, c0 : ndarray, shape (N, H)
        The initial state; c0 is None if the cell has no c.
    *weights : four of ndarray or None
        w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,); the last two may be None.
    lengths : array_like of int, shape (N,), default T for every row
        0 to T. Row n is x[:lengths[n], n]; what lies beyond is never read.
    reverse : bool, default False
        Run backwards in time, from each row's own last step to its first.
    update : StateUpdate, default StateUpdate()
        By default the state of the cell passes from step to step unchanged.
    resets : array_like of bool, shape (T, N), default none
        No state passes between time t - 1 and time t of row n where resets[t, n], in either direction: it is zero.

    Returns
    -------
    y : ndarray, shape (T, N, H)
        The h after x[t] was read; 0 beyond a row's length.
    hn, cn : ndarray, shape (N, H)
        The state after the last step that each row takes; cn is None if the cell has no c.
    tape : Tape
        For `backward`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn import reference
    >>> x, h0, w = np.array([[[1.0]], [[2.0]], [[3.0]]]), np.zeros((1, 1)), np.ones((1, 1))
    >>> y, hn, cn, tape = reference.forward("rnn_identity", x, h0, None, w, w, None, None)
    >>> y.ravel()  # with unit weights: the running sum of x
    array([1., 3., 6.])
    >>> dx, *_ = reference.backward("rnn_identity", tape, dy=np.ones_like(y))
    >>> dx.ravel()  # x[0] is in three outputs, x[2] in one
    array([3., 2., 1.])
    """
    _, has_c, step, _ = CELLS[cell]
    w_ih, w_hh, b_ih, b_hh = weights
    T, N, _ = x.shape
    dtype = np.result_type(*(a for a in (x, h0, c0, *weights) if a is not None))
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    fraction_h, fraction_c, m = update or StateUpdate()
    fraction_h, fraction_c = (np.broadcast_to(k, (T, *h0.shape)) for k in (fraction_h, fraction_c))
    m = np.broadcast_to(m, h0.shape)
    b_ih, b_hh = (np.zeros(len(w_hh), dtype) if b is None else b for b in (b_ih, b_hh))

    resets = np.zeros((T, N), bool) if resets is None else np.asarray(resets)

    h = h0.astype(dtype)
    k_c: Any = None
    c: Any = c0.astype(dtype) if c0 is not None and has_c else None
    y = np.zeros((T, *h.shape), dtype)
    steps = []
    for t in reversed(range(T)) if reverse else range(T):
        rows = t < lengths  # (N,) bool: only the rows that have a step t take it
        reset = rows & resets[t]
        if not reverse:
            _set_to_zero(reset, h, c)
        a_x = x[t, rows] @ w_ih.T + b_ih
        h_t, c_t, saved = step(a_x, h[rows], c[rows] if has_c else None, w_hh, b_hh, m[rows])
        k = fraction_h[t, rows]
        h[rows] = y[t, rows] = k * h_t + (1 - k) * h[rows]
        if has_c:
            k_c = fraction_c[t, rows]
            c[rows] = k_c * c_t + (1 - k_c) * c[rows]
        if reverse:
            _set_to_zero(reset, h, c)
        steps.append(Step(t, rows, reset, (k, k_c), saved))
    return y, h, c, Tape(x, weights, steps, reverse)


def backward(
    cell: str, tape: Tape, dy: Array, dhn: Array | None = None, dcn: Array | None = None, clip: float = np.inf
) -> tuple[Array, Array, Array | None, Array, Array, Array | None, Array | None]:
    """Differentiate `forward`: the steps of its tape in the opposite order (BPTT).

    Parameters
    ----------
    cell : str
        That of `forward`.
    tape : Tape
        That which `forward` returned; it is not changed.
    dy : ndarray, shape (T, N, H)
        Gradient of the loss with respect to y. What lies beyond a row's length is never read.
    dhn, dcn : ndarray, shape (N, H), default 0
        Gradients with respect to hn and cn.
    clip : float, default inf
        Gradients of pre-activations are clipped to +-clip.

    Returns
    -------
    dx, dh0, dc0, dw_ih, dw_hh, db_ih, db_hh : ndarray
        Of the shapes of the arguments of `forward`; None for an argument that is None. dx is 0 beyond a row's length.
    """
    _, has_c, _, step = CELLS[cell]
    x, (w_ih, w_hh, b_ih, b_hh) = tape.x, tape.weights
    dtype = np.result_type(dy, x, w_ih, w_hh)
    zeros = np.zeros(dy.shape[1:])

    dh = (zeros if dhn is None else dhn).astype(dtype)
    dc: Any = (zeros if dcn is None else dcn).astype(dtype) if has_c else None
    dx, dw_ih, dw_hh = (np.zeros(a.shape, dtype) for a in (x, w_ih, w_hh))
    db_ih, db_hh = np.zeros(len(w_ih), dtype), np.zeros(len(w_hh), dtype)
    for t, rows, reset, (k, k_c), saved in reversed(tape.steps):
        if tape.reverse:
            _set_to_zero(reset, dh, dc)
        dh_t = dh[rows] + dy[t, rows]  # h_t went into the next step and into y
        dc_t = k_c * dc[rows] if has_c else None
        da_x, dh_prev, dc_prev, dw_hh_t, db_hh_t = step(saved, k * dh_t, dc_t, w_hh, lambda a: np.clip(a, -clip, clip))
        dh[rows] = dh_prev + (1 - k) * dh_t
        if has_c:
            dc[rows] = dc_prev + (1 - k_c) * dc[rows]
        if not tape.reverse:
            _set_to_zero(reset, dh, dc)
        dx[t, rows] = da_x @ w_ih  # a_x = x[t] @ w_ih.T + b_ih
        dw_ih += da_x.T @ x[t, rows]
        db_ih += da_x.sum(axis=0)
        dw_hh += dw_hh_t
        db_hh += db_hh_t
    return dx, dh, dc, dw_ih, dw_hh, None if b_ih is None else db_ih, None if b_hh is None else db_hh
