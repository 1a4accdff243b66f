# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent layers in plain NumPy: the textbook, the oracle and the yardstick of the C engine.

Sizes: T time steps, N batch, I input size, H hidden size, G gates.  Parameters have PyTorch's
layout and gate order: w_ih (G*H, I), w_hh (G*H, H), b_ih and b_hh (G*H,).  Below, * is
elementwise, @ the matrix product, [p, q] lays blocks of H columns side by side; w_k and b_k are
gate k's rows of w_hh and b_hh; "dv" is the gradient of the loss with respect to v.

Forward: h_t = act(W x_t + U h_{t-1} + b) with W = w_ih, U = w_hh, b = b_ih + b_hh.  For the N rows
of a batch at once, where the time loop computes a_x and the step of the cell the rest:

    every cell        a_x = x_t @ w_ih.T + b_ih
    rnn               h = act(a_x + h_prev @ w_hh.T + b_hh)
    lstm (i,f,g,o)    [a_i, a_f, a_g, a_o] = a_x + h_prev @ w_hh.T + b_hh
                      i = sigmoid(a_i)   f = sigmoid(a_f)   g = tanh(a_g)   o = sigmoid(a_o)
                      c = f*c_prev + i*g                    h = o*tanh(c)
    gru (r,z,n)       [x_r, x_z, x_n] = a_x                 [h_r, h_z, h_n] = h_prev @ w_hh.T + b_hh
                      r = sigmoid(x_r + h_r)                z = sigmoid(x_z + h_z)
                      n = tanh(x_n + r*h_n)                 h = (1-z)*n + z*h_prev
    gru_reset_before  the same, but n = tanh(x_n + (r*h_prev) @ w_n.T + b_n)

Backward: the step at t is given dh (from y_t and from step t+1) and dc (from step t+1); each
equation differentiates one of the above, with the slope of act written in terms of its output:

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

On its way from step to step a state may pass through more, which the time loop or the cells add:

    h = fraction_h*h + (1-fraction_h)*h_prev      leaky units (fraction_h constant), zoneout (0 or 1); c in the same way
    m*h_prev, m*(r*h_prev)  in every product      recurrent dropout; m is 0 or 1/(1-p), the same at all steps
    da clipped to +-clip, backward                each block of da_x and da_h by itself

One set of weights serves all t.  So errors are accumulated backwards through time and the
gradients of the steps are summed: backpropagation through time (BPTT).

Sources: BPTT, Werbos 1990.  LSTM, Hochreiter & Schmidhuber 1997; forget gate, Gers et al. 2000.
GRU, Cho et al. 2014, arXiv:1406.1078: v1 is gru (as PyTorch and cuDNN), v3 is gru_reset_before.
SELU, Klambauer et al. 2017.  Leaky units, Jaeger et al. 2007.  Zoneout, Krueger et al. 2017, which feeds
tanh(c) of the cell's own c to h.  Recurrent dropout, Gal & Ghahramani 2016.  Clipped deltas, Graves 2013.
"""

import numpy as np

# ---- activations -------------------------------------------------------------------------------
# Branches look at the real part only: so f(a + 1e-30j).imag / 1e-30 is the derivative of f at a.

SELU_ALPHA = 1.6732632423543772848170429916717  # with these two, mean 0 and variance 1 are a
SELU_SCALE = 1.0507009873554804934193349852946  # fixed point of the layer (Klambauer et al. 2017)

tanh = np.tanh


def sigmoid(a):
    """1 / (1 + exp(-a)); the argument of exp is never positive, so nothing overflows."""
    e = np.exp(np.where(a.real < 0, a, -a))
    return np.where(a.real < 0, e, 1) / (1 + e)


def relu(a):
    """Return the larger of a and 0; NaN stays NaN."""
    return np.where(a.real <= 0, 0, a)


def selu(a):
    """SCALE*a for a > 0, SCALE*ALPHA*(exp(a) - 1) for a <= 0."""
    negative = SELU_ALPHA * np.expm1(np.where(a.real > 0, 0, a))
    return SELU_SCALE * np.where(a.real > 0, a, negative)


def identity(a):
    """Return a."""
    return a


# ---- cells: one step forward, one step backward ------------------------------------------------
# forward:   a_x (N, G*H), h_prev (N, H), c_prev (N, H) or None, w_hh (G*H, H), b_hh (G*H,), m (N, H)
#            -> h (N, H), c (N, H) or None, saved (a tuple that only the backward step opens)
# backward:  saved, dh (N, H), dc (N, H) or None, w_hh, clip (a function)
#            -> da_x (N, G*H), dh_prev (N, H), dc_prev (N, H) or None, dw_hh (G*H, H), db_hh (G*H,)


def rnn_forward(act, a_x, h_prev, c_prev, w_hh, b_hh, m):
    """Simple RNN, one step; act is the activation."""
    h = act(a_x + (m * h_prev) @ w_hh.T + b_hh)
    return h, None, (m, h_prev, h)


def rnn_backward(slope, saved, dh, dc, w_hh, clip):
    """Gradients of `rnn_forward`; slope(h) is the derivative of act where its value is h."""
    m, h_prev, h = saved
    da = clip(dh * slope(h))
    return da, m * (da @ w_hh), None, da.T @ (m * h_prev), da.sum(axis=0)


def lstm_forward(a_x, h_prev, c_prev, w_hh, b_hh, m):
    """LSTM, one step."""
    a_i, a_f, a_g, a_o = np.split(a_x + (m * h_prev) @ w_hh.T + b_hh, 4, axis=1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c_prev + i * g
    tanh_c = tanh(c)
    h = o * tanh_c
    return h, c, (m, h_prev, c_prev, i, f, g, o, tanh_c)


def lstm_backward(saved, dh, dc, w_hh, clip):
    """Gradients of `lstm_forward`."""
    m, h_prev, c_prev, i, f, g, o, tanh_c = saved
    do = dh * tanh_c  # h = o * tanh_c
    dc = dc + dh * o * (1 - tanh_c * tanh_c)
    di, df, dg, dc_prev = dc * g, dc * c_prev, dc * i, dc * f  # c = f * c_prev + i * g
    da = [di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)]
    da = clip(np.concatenate(da, axis=1))
    return da, m * (da @ w_hh), dc_prev, da.T @ (m * h_prev), da.sum(axis=0)


def gru_forward(a_x, h_prev, c_prev, w_hh, b_hh, m):
    """GRU with the reset after the product (PyTorch), one step."""
    x_r, x_z, x_n = np.split(a_x, 3, axis=1)
    h_r, h_z, h_n = np.split((m * h_prev) @ w_hh.T + b_hh, 3, axis=1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    h = (1 - z) * n + z * h_prev
    return h, None, (m, h_prev, r, z, n, h_n)


def gru_backward(saved, dh, dc, w_hh, clip):
    """Gradients of `gru_forward`."""
    m, h_prev, r, z, n, h_n = saved
    dn, dz = dh * (1 - z), dh * (h_prev - n)  # h = (1 - z) * n + z * h_prev
    da_n = dn * (1 - n * n)
    dr = da_n * h_n  # n = tanh(x_n + r * h_n)
    da_r, da_z = dr * r * (1 - r), dz * z * (1 - z)
    da_x = clip(np.concatenate([da_r, da_z, da_n], axis=1))
    da_h = clip(np.concatenate([da_r, da_z, da_n * r], axis=1))
    return da_x, dh * z + m * (da_h @ w_hh), None, da_h.T @ (m * h_prev), da_h.sum(axis=0)


def gru_reset_before_forward(a_x, h_prev, c_prev, w_hh, b_hh, m):
    """GRU with the reset before the product, one step."""
    x_r, x_z, x_n = np.split(a_x, 3, axis=1)
    (w_r, w_z, w_n), (b_r, b_z, b_n) = np.split(w_hh, 3), np.split(b_hh, 3)
    r = sigmoid(x_r + (m * h_prev) @ w_r.T + b_r)
    z = sigmoid(x_z + (m * h_prev) @ w_z.T + b_z)
    n = tanh(x_n + (m * r * h_prev) @ w_n.T + b_n)
    h = (1 - z) * n + z * h_prev
    return h, None, (m, h_prev, r, z, n)


def gru_reset_before_backward(saved, dh, dc, w_hh, clip):
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


def _rnn(act, slope):
    """The row of CELLS of a simple RNN."""
    return 1, False, lambda *a: rnn_forward(act, *a), lambda *a: rnn_backward(slope, *a)


CELLS = {  # name: (G, has_c, forward step, backward step), all that the time loops need to know
    "rnn_tanh": _rnn(tanh, lambda h: 1 - h * h),
    "rnn_relu": _rnn(relu, lambda h: h.real > 0),
    "rnn_sigmoid": _rnn(sigmoid, lambda h: h * (1 - h)),
    "rnn_selu": _rnn(selu, lambda h: np.where(h.real > 0, SELU_SCALE, h + SELU_SCALE * SELU_ALPHA)),
    "rnn_identity": _rnn(identity, lambda h: 1),
    "lstm": (4, True, lstm_forward, lstm_backward),
    "gru": (3, False, gru_forward, gru_backward),
    "gru_reset_before": (3, False, gru_reset_before_forward, gru_reset_before_backward),
}

# ---- the two time loops ------------------------------------------------------------------------


def forward(
    cell, x, h0, c0, w_ih, w_hh, b_ih, b_hh, lengths=None, reverse=False, fraction_h=None, fraction_c=None, mask=None
):  # fmt: skip
    """Run one layer in one direction.  Shapes are not checked: this is a textbook.

    Parameters
    ----------
    cell : str, a key of `CELLS`
    x : ndarray, shape (T, N, I), float32 or float64 (complex128 for a complex step)
        Results have the common dtype of all arrays.
    h0, c0 : ndarray, shape (N, H); c0 is None if the cell has no c
    w_ih, w_hh : ndarray, shapes (G*H, I) and (G*H, H)
    b_ih, b_hh : ndarray, shape (G*H,), or None
    lengths : array of int, shape (N,), 0 to T, default all T
        Row n is x[:lengths[n], n]; what lies beyond is never read.
    reverse : bool, walk backwards in time, from each row's own last step to its first
    fraction_h, fraction_c : ndarray, broadcast to (T, N, H), default 1
    mask : ndarray, shape (N, H), default 1

    Returns
    -------
    y : ndarray, shape (T, N, H), the h after having read x[t]; 0 beyond a row's length
    hn, cn : ndarray, shape (N, H), the state at the end of each row's walk; cn may be None
    tape : dict, for `backward`; it refers to x and the weights, it does not copy them

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
    T, N, _ = x.shape
    dtype = np.result_type(*(a for a in (x, h0, c0, w_ih, w_hh, b_ih, b_hh) if a is not None))
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    tape = {"x": x, "w_ih": w_ih, "w_hh": w_hh, "b_ih": b_ih, "b_hh": b_hh, "steps": []}
    fraction_h, fraction_c = (np.broadcast_to(1 if a is None else a, (T, *h0.shape)) for a in (fraction_h, fraction_c))
    mask = np.broadcast_to(1 if mask is None else mask, h0.shape)
    b_ih, b_hh = (np.zeros(len(w_hh), dtype) if b is None else b for b in (b_ih, b_hh))

    h = h0.astype(dtype)
    c = c0.astype(dtype) if has_c else None
    y = np.zeros((T, *h.shape), dtype)
    for t in reversed(range(T)) if reverse else range(T):
        rows = t < lengths  # (N,) bool: only the rows that have a step t take it
        a_x = x[t, rows] @ w_ih.T + b_ih
        h_t, c_t, saved = step(a_x, h[rows], c[rows] if has_c else None, w_hh, b_hh, mask[rows])
        k = fraction_h[t, rows]
        h[rows] = y[t, rows] = k * h_t + (1 - k) * h[rows]
        if has_c:
            k_c = fraction_c[t, rows]
            c[rows] = k_c * c_t + (1 - k_c) * c[rows]
        tape["steps"].append((t, rows, (k, k_c) if has_c else (k, None), saved))
    return y, h, c, tape


def backward(cell, tape, dy, dhn=None, dcn=None, clip=np.inf):
    """Differentiate `forward`: the steps of its tape in the opposite order (BPTT).

    Parameters
    ----------
    cell, tape : as given to and returned by `forward`; the tape is not changed
    dy : ndarray, shape (T, N, H), gradient of the loss with respect to y
        What lies beyond a row's length is never read.
    dhn, dcn : ndarray, shape (N, H), gradient with respect to hn and cn, default 0
    clip : float, what no gradient of a pre-activation exceeds

    Returns
    -------
    dx, dh0, dc0, dw_ih, dw_hh, db_ih, db_hh : ndarray, shaped like the arguments of `forward`
        dx is 0 beyond a row's length; None stands where forward was given None.
    """
    _, has_c, _, step = CELLS[cell]
    x, w_ih, w_hh = tape["x"], tape["w_ih"], tape["w_hh"]
    dtype = np.result_type(dy, x, w_ih, w_hh)
    dhn, dcn = (np.zeros(dy.shape[1:]) if d is None else d for d in (dhn, dcn))

    dh = dhn.astype(dtype)
    dc = dcn.astype(dtype) if has_c else None
    dx, dw_ih, dw_hh = (np.zeros(a.shape, dtype) for a in (x, w_ih, w_hh))
    db_ih, db_hh = np.zeros(len(w_ih), dtype), np.zeros(len(w_hh), dtype)
    for t, rows, (k, k_c), saved in reversed(tape["steps"]):
        dh_t = dh[rows] + dy[t, rows]  # h_t went into the next step and into y
        dc_t = k_c * dc[rows] if has_c else None
        da_x, dh_prev, dc_prev, dw_hh_t, db_hh_t = step(
            saved, k * dh_t, dc_t, w_hh, lambda da: np.clip(da, -clip, clip)
        )
        dh[rows] = dh_prev + (1 - k) * dh_t
        if has_c:
            dc[rows] = dc_prev + (1 - k_c) * dc[rows]
        dx[t, rows] = da_x @ w_ih  # a_x = x[t] @ w_ih.T + b_ih
        dw_ih += da_x.T @ x[t, rows]
        db_ih += da_x.sum(axis=0)
        dw_hh += dw_hh_t
        db_hh += db_hh_t
    db_ih = None if tape["b_ih"] is None else db_ih
    db_hh = None if tape["b_hh"] is None else db_hh
    return dx, dh, dc, dw_ih, dw_hh, db_ih, db_hh
