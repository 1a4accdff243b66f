# SPDX-License-Identifier: BSD-3-Clause
"""The cells: one step forward, one step backward.

For the N rows that take a step, a_x and da_x are (N, G*H), h, c, dh, dc and the mask m (N, H); w_hh is (G*H, H), b_hh
(G*H,). A cell without c receives None for c_prev and dc, and returns None for c and dc_prev.

The functions are the equations of `fastrnn.reference`, in the same order.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ._activations import SELU_ALPHA, SELU_SCALE, Array, Function, identity, relu, selu, sigmoid, tanh

Saved: TypeAlias = tuple[Any, ...]  # what the backward step needs of the forward step; no other code opens it
NextState: TypeAlias = tuple[Array, Array | None, Saved]  # h, c, saved
Gradients: TypeAlias = tuple[Array, Array, Array | None, Array, Array]  # da_x, dh_prev, dc_prev, dw_hh, db_hh


def rnn_forward(
    act: Function, a_x: Array, h_prev: Array, c_prev: None, w_hh: Array, b_hh: Array, m: Array
) -> NextState:
    """Simple RNN, one step; act is the activation."""
    h = act(a_x + (m * h_prev) @ w_hh.T + b_hh)
    return h, None, (m, h_prev, h)


def rnn_backward(slope: Function, saved: Saved, dh: Array, dc: None, w_hh: Array, clip: Function) -> Gradients:
    """Gradients of `rnn_forward`; slope(h) is the derivative of act where its value is h."""
    m, h_prev, h = saved
    da = clip(dh * slope(h))
    return da, m * (da @ w_hh), None, da.T @ (m * h_prev), da.sum(axis=0)


def lstm_forward(a_x: Array, h_prev: Array, c_prev: Array, w_hh: Array, b_hh: Array, m: Array) -> NextState:
    """LSTM, one step."""
    a_i, a_f, a_g, a_o = np.split(a_x + (m * h_prev) @ w_hh.T + b_hh, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c_prev + i * g
    tanh_c = tanh(c)
    h = o * tanh_c
    return h, c, (m, h_prev, c_prev, i, f, g, o, tanh_c)


def lstm_backward(saved: Saved, dh: Array, dc: Array, w_hh: Array, clip: Function) -> Gradients:
    """Gradients of `lstm_forward`."""
    m, h_prev, c_prev, i, f, g, o, tanh_c = saved
    do = dh * tanh_c  # h = o * tanh_c
    dc = dc + dh * o * (1 - tanh_c * tanh_c)
    di, df, dg, dc_prev = dc * g, dc * c_prev, dc * i, dc * f  # c = f * c_prev + i * g
    da = [di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)]
    da = clip(np.concatenate(da, axis=1))
    return da, m * (da @ w_hh), dc_prev, da.T @ (m * h_prev), da.sum(axis=0)


def gru_forward(a_x: Array, h_prev: Array, c_prev: None, w_hh: Array, b_hh: Array, m: Array) -> NextState:
    """GRU with the reset after the product (PyTorch), one step."""
    x_r, x_z, x_n = np.split(a_x, 3, axis=1)
    h_r, h_z, h_n = np.split((m * h_prev) @ w_hh.T + b_hh, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    h = (1 - z) * n + z * h_prev
    return h, None, (m, h_prev, r, z, n, h_n)


def gru_backward(saved: Saved, dh: Array, dc: None, w_hh: Array, clip: Function) -> Gradients:
    """Gradients of `gru_forward`."""
    m, h_prev, r, z, n, h_n = saved
    dn, dz = dh * (1 - z), dh * (h_prev - n)  # h = (1 - z) * n + z * h_prev
    da_n = dn * (1 - n * n)
    dr = da_n * h_n  # n = tanh(x_n + r * h_n)
    da_r, da_z = dr * r * (1 - r), dz * z * (1 - z)
    da_x = clip(np.concatenate([da_r, da_z, da_n], axis=1))
    da_h = clip(np.concatenate([da_r, da_z, da_n * r], axis=1))
    return da_x, dh * z + m * (da_h @ w_hh), None, da_h.T @ (m * h_prev), da_h.sum(axis=0)


def gru_reset_before_forward(a_x: Array, h_prev: Array, c_prev: None, w_hh: Array, b_hh: Array, m: Array) -> NextState:
    """GRU with the reset before the product, one step."""
    x_r, x_z, x_n = np.split(a_x, 3, axis=1)
    (w_r, w_z, w_n), (b_r, b_z, b_n) = np.split(w_hh, 3), np.split(b_hh, 3)
    r = sigmoid(x_r + (m * h_prev) @ w_r.T + b_r)
    z = sigmoid(x_z + (m * h_prev) @ w_z.T + b_z)
    n = tanh(x_n + (m * r * h_prev) @ w_n.T + b_n)
    h = (1 - z) * n + z * h_prev
    return h, None, (m, h_prev, r, z, n)


def gru_reset_before_backward(saved: Saved, dh: Array, dc: None, w_hh: Array, clip: Function) -> Gradients:
    """Gradients of `gru_reset_before_forward`."""
    m, h_prev, r, z, n = saved
    w_r, w_z, w_n = np.split(w_hh, 3)
    dn, dz = dh * (1 - z), dh * (h_prev - n)  # h = (1 - z) * n + z * h_prev
    da_n = clip(dn * (1 - n * n))
    drh = m * (da_n @ w_n)  # n = tanh(x_n + (m * r * h_prev) @ w_n.T + b_n)
    dr = drh * h_prev
    da_r, da_z = clip(dr * r * (1 - r)), clip(dz * z * (1 - z))
    da = np.concatenate([da_r, da_z, da_n], axis=1)
    dh_prev = dh * z + drh * r + m * (da_r @ w_r + da_z @ w_z)
    dw_hh = np.concatenate([da_r.T @ (m * h_prev), da_z.T @ (m * h_prev), da_n.T @ (m * r * h_prev)])
    return da, dh_prev, None, dw_hh, da.sum(axis=0)


class Cell(NamedTuple):
    """The functions and sizes of a cell, for the time loops."""

    gates: int
    """G, the number of blocks of H rows in a weight."""
    has_c: bool
    """Whether the state is (h, c), not h alone."""
    forward: Callable[..., NextState]
    """One step: (a_x, h_prev, c_prev, w_hh, b_hh, m) -> h, c, saved."""
    backward: Callable[..., Gradients]
    """Its gradients: (saved, dh, dc, w_hh, clip) -> da_x, dh_prev, dc_prev, dw_hh, db_hh."""


def _rnn(act: Function, slope: Callable[[Array], Any]) -> Cell:
    """A simple RNN, given its activation and the derivative of that in terms of its output h."""
    return Cell(1, False, partial(rnn_forward, act), partial(rnn_backward, slope))


CELLS = {
    "rnn_tanh": _rnn(tanh, lambda h: 1 - h * h),
    "rnn_relu": _rnn(relu, lambda h: np.real(h) > 0),
    "rnn_sigmoid": _rnn(sigmoid, lambda h: h * (1 - h)),
    "rnn_selu": _rnn(selu, lambda h: np.where(np.real(h) > 0, SELU_SCALE, h + SELU_SCALE * SELU_ALPHA)),
    "rnn_identity": _rnn(identity, lambda h: 1),
    "lstm": Cell(4, True, lstm_forward, lstm_backward),
    "gru": Cell(3, False, gru_forward, gru_backward),
    "gru_reset_before": Cell(3, False, gru_reset_before_forward, gru_reset_before_backward),
}
