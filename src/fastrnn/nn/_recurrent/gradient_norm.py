# SPDX-License-Identifier: BSD-3-Clause
"""A regularizer against vanishing gradients: Pascanu, Mikolov and Bengio 2013, arXiv 1211.5063, equations 9 and 10.

With a_t what a unit's activation is applied to, h_t = act(a_t), and the error's gradient d_t = dE/da_t,

    Omega = mean over rows of sum over t of (|v_t| / |d_t| - 1)**2,    v_t = (d_t W_hh) * act'(a_(t-1)),

so it penalizes changes of the norm of gradients that pass back through W_hh. Its gradient is the immediate one with
respect to W_hh: d_t and act' count as constants.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._engine.arguments import Array
from .._activation import FUNCTIONS

SLOPES = {name: FUNCTIONS[name].slope for name in ("tanh", "relu", "sigmoid", "identity")}  # act'(a), given h = act(a)
BLOCK_ROWS = 4096  # (step, row) pairs at a time, so that temporary arrays stay small


def _states_before(saved: Any) -> Iterator[tuple[int, int, Array]]:
    """h_(t-1) of the tape rows of every step but the first, in blocks: (first row, end, h)."""
    T, N, _ = saved.x.shape
    first = N * np.arange(T + 1) if saved.order is None else saved.order.first
    rows = np.arange(N) if saved.order is None else saved.order.rows
    lengths = np.full(N, T) if saved.order is None else saved.order.lengths
    for lo in range(first[1] if T else 0, first[-1], BLOCK_ROWS):
        tape = np.arange(lo, min(lo + BLOCK_ROWS, first[-1]))
        step = np.searchsorted(first, tape, side="right") - 1
        position = tape - first[step]
        time = lengths[position] - step if saved.reverse else step - 1
        yield lo, tape[-1] + 1, saved.y[time, rows[position]]


def _norms(rows: Array) -> Array:
    """Lengths of rows, (R, 1); in float64, where squares do not underflow."""
    return np.sqrt(np.einsum("rh,rh->r", rows, rows, dtype=np.float64))[:, None]


def add_gradient_norm(weight: float, nonlinearity: str, saved: Any, deltas: Array, w_hh: Any, dw_hh: Any) -> float:
    """Add `weight` times the gradient of Omega to `dw_hh` (H, H).

    Parameters
    ----------
    weight : float
    nonlinearity : str
        A key of `SLOPES`.
    saved : layers.Saved
    deltas : ndarray, shape (R, H)
        The gradients of the pre-activations.
    w_hh, dw_hh : ndarray, shape (H, H)

    Returns
    -------
    float
        Omega. Where no gradient arrives (|d_t| = 0) it has no term.
    """
    omega, N = 0.0, saved.x.shape[1]
    for lo, hi, h in _states_before(saved):
        slope, d = SLOPES[nonlinearity](h), deltas[lo:hi]
        v = (d @ w_hh) * slope
        d_norm, v_norm = _norms(d), _norms(v)
        d_norm[d_norm == 0] = np.inf
        excess = np.where(np.isfinite(d_norm), v_norm / d_norm - 1, 0)
        omega += float(np.square(excess).sum()) / N
        v_norm[v_norm == 0] = np.inf  # no direction in which to grow
        d_unit, v_unit = (d / d_norm).astype(d.dtype), (v / v_norm * excess).astype(d.dtype)
        dw_hh += (2 * weight / N) * (d_unit.T @ (v_unit * slope))
    return omega
