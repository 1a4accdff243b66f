# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent layers in plain NumPy: what the C engine computes, to read, to test and to time against.

Sizes: T time steps, N batch, I input size, H hidden size, G gates. Parameters have PyTorch's layout and gate order:
w_ih (G*H, I), w_hh (G*H, H), b_ih and b_hh (G*H,). Below, * is elementwise, @ the matrix product, [p, q] puts blocks of
H columns side by side; w_k, b_k are the rows of gate k in w_hh, b_hh; dv is the gradient of the loss with respect to v.

Forward: h_t = act(W x_t + U h_{t-1} + b) with W = w_ih, U = w_hh, b = b_ih + b_hh. For the N rows of a batch at once,
where the time loop computes a_x and the step of the cell the rest:

    every cell        a_x = x_t @ w_ih.T + b_ih
    rnn               h = act(a_x + h_prev @ w_hh.T + b_hh)
    lstm (i,f,g,o)    [a_i, a_f, a_g, a_o] = a_x + h_prev @ w_hh.T + b_hh
                      i = sigmoid(a_i)   f = sigmoid(a_f)   g = tanh(a_g)   o = sigmoid(a_o)
                      c = f*c_prev + i*g                    h = o*tanh(c)
    gru (r,z,n)       [x_r, x_z, x_n] = a_x                 [h_r, h_z, h_n] = h_prev @ w_hh.T + b_hh
                      r = sigmoid(x_r + h_r)                z = sigmoid(x_z + h_z)
                      n = tanh(x_n + r*h_n)                 h = (1-z)*n + z*h_prev
    gru_reset_before  the same, but n = tanh(x_n + (r*h_prev) @ w_n.T + b_n)

Backward: the step at t receives dh (from y_t and from step t+1) and dc (from step t+1); each equation differentiates
one of the above, with the slope of act written in terms of its output:

    rnn               da = dh*slope(h)                      (tanh: slope(h) = 1 - h*h)
    lstm              do = dh*tanh(c)                       dc = dc + dh*o*(1 - tanh(c)*tanh(c))
                      di = dc*g          df = dc*c_prev     dg = dc*i          dc_prev = dc*f
                      da = [di*i*(1-i), df*f*(1-f), dg*(1-g*g), do*o*(1-o)]
    rnn, lstm         da_x = da          da_h = da          dh_prev = da_h @ w_hh
    gru               dn = dh*(1-z)      da_n = dn*(1-n*n)
                      dr = da_n*h_n      da_r = dr*r*(1-r)
                      dz = dh*(h_prev-n) da_z = dz*z*(1-z)
                      da_x = [da_r, da_z, da_n]             da_h = [da_r, da_z, da_n*r]
                      dh_prev = dh*z + da_h @ w_hh
    gru_reset_before  drh = da_n @ w_n   dr = drh*h_prev    da_x = da_h = [da_r, da_z, da_n]
                      dh_prev = dh*z + drh*r + da_r @ w_r + da_z @ w_z
    every cell        dx_t = da_x @ w_ih                    dw_ih = da_x.T @ x_t
                      db_ih, db_hh = sums over the rows of da_x, da_h
                      dw_hh = da_h.T @ h_prev               (gru_reset_before: dw_n has r*h_prev)

From one step to the next a state may also be modified, by the time loop or by the cell:

    h = k*h + (1-k)*h_prev                        leaky units (k constant), zoneout (k is 0 or 1); c likewise
    m*h_prev, m*(r*h_prev)  in every product      recurrent dropout; m is 0 or 1/(1-p), the same at all steps
    da clipped to +-clip, backward                each block of da_x and da_h separately

All t share one set of weights. So errors are accumulated backwards through time and the gradients of the steps are
summed: backpropagation through time (BPTT).

Sources: BPTT, Werbos 1990. LSTM, Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000. GRU, Cho et al. 2014,
arXiv:1406.1078: v1 is gru (as in PyTorch and cuDNN), v3 is gru_reset_before. SELU, Klambauer et al. 2017. Leaky units,
Jaeger et al. 2007. Zoneout, Krueger et al. 2017, which feeds tanh(c) of the cell's own c to h. Recurrent dropout, Gal &
Ghahramani 2016. Clipped deltas, Graves 2013.
"""

from ._activations import SELU_ALPHA, SELU_SCALE, identity, relu, selu, sigmoid, tanh
from ._cells import CELLS, Cell
from ._loops import StateUpdate, Step, Tape, backward, forward

__all__ = [
    "CELLS",
    "SELU_ALPHA",
    "SELU_SCALE",
    "Cell",
    "StateUpdate",
    "Step",
    "Tape",
    "backward",
    "forward",
    "identity",
    "relu",
    "selu",
    "sigmoid",
    "tanh",
]
