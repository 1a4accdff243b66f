# SPDX-License-Identifier: BSD-3-Clause
"""Losses: a number to minimise, and its gradient with respect to the output of the model."""

import operator

import numpy as np

__all__ = ["cross_entropy"]


def cross_entropy(logits, targets, *, ignore_index=-100, lengths=None, batch_first=False):
    """Mean cross-entropy of softmax(logits) against integer targets, and its gradient.

    With p = softmax(z) of one position and y its target (Goodfellow, Bengio, Courville, "Deep
    Learning", 2016, section 6.2.2.3; the gradient is Bishop, "Pattern Recognition and Machine
    Learning", 2006, equation 4.109)::

        loss = mean of -log p[y] = mean of log(sum_k exp(z[k] - max z)) - (z[y] - max z)
        dz   = (p - onehot(y)) / M

    where the mean runs over the M positions that are counted.

    Parameters
    ----------
    logits : array_like, shape (..., V), float32 or float64
        Unnormalised log-probabilities of V classes, usually (T, N, V). -inf forbids a class.
    targets : array_like of integers, shape (...)
        The right class of each position, 0..V-1, or `ignore_index`.
    ignore_index : int, default -100
        Positions with this target are not counted.
    lengths : array_like of integers, shape (N,), optional
        Needs logits of shape (T, N, V). Positions ``t >= lengths[n]`` are not counted, whatever
        their logits and targets hold. Each length is in 0..T, in any order.
    batch_first : bool, default False
        With `lengths`: logits are (N, T, V) and targets (N, T). Without, it changes nothing.

    Returns
    -------
    loss : float
        Mean over the counted positions, in nats, accumulated in float64. If no position is
        counted it is 0.0 and the gradient is zero: an empty batch then leaves a training loop's
        parameters and running averages finite (PyTorch returns nan).
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 at positions that are not counted.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, or `targets`, `lengths` or `ignore_index` are not
        integers.
    ValueError
        If a shape does not fit, or a counted target or a length is out of range.

    Notes
    -----
    The inputs are never written to. Logits of any finite size are safe. NaN or +inf at a counted
    position, or -inf for all of its classes, makes the loss NaN, without a warning; -inf for the
    target alone makes it inf.

    Examples
    --------
    Two equal classes cost log 2 nats; the padded second step is not looked at.

    >>> import numpy as np
    >>> import fastrnn as fr
    >>> logits = np.array([[[0.0, 0.0]], [[np.nan, np.nan]]])  # (T, N, V) = (2, 1, 2)
    >>> loss, dlogits = fr.cross_entropy(logits, np.array([[1], [0]]), lengths=[1])
    >>> round(loss, 4)
    0.6931
    >>> dlogits[:, 0]
    array([[ 0.5, -0.5],
           [ 0. ,  0. ]])
    """
    logits, targets = _array(logits), _integers("targets", targets)
    if logits.dtype not in (np.float32, np.float64):
        raise TypeError(f"logits: expected float32 or float64, got {logits.dtype}")
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"logits: expected (..., V) with V >= 1, got {logits.shape}")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets: expected {logits.shape[:-1]}, got {targets.shape}")
    V = logits.shape[-1]

    counted = targets != _index("ignore_index", ignore_index)
    if lengths is not None:
        counted &= _within(lengths, logits.shape, batch_first)
    _check_range("targets", targets, V - 1, counted)

    z, y = logits.reshape(-1, V), targets.reshape(-1)
    kept = np.flatnonzero(counted)
    if kept.size < y.size:  # the cost follows the counted positions; what the others hold is unread
        z, y = z[kept], y[kept]  # (M, V), (M,)
    row = np.arange(kept.size)
    M = max(kept.size, 1)

    with np.errstate(all="ignore"):  # far below the maximum exp is 0 by design; NaN stays NaN
        p = z - z.max(axis=1, keepdims=True)  # (M, V): the one large temporary, and the result
        z_y = p[row, y]
        np.exp(p, out=p)
        total = np.einsum("mv->m", p, dtype=np.float64)  # in 1..V; faster here than p.sum(axis=1)
        loss = float(np.sum(np.log(total) - z_y) / M)
        p *= (1 / (M * total)).astype(p.dtype)[:, None]
        p[row, y] -= p.dtype.type(1 / M)

    if kept.size == targets.size:
        return loss, p.reshape(logits.shape)
    dlogits = np.zeros(logits.shape, logits.dtype)
    dlogits.reshape(-1, V)[kept] = p
    return loss, dlogits


def _within(lengths, shape, batch_first):
    """Mask (T, N), or (N, T) if `batch_first`: True before the end of each row."""
    if len(shape) != 3:
        axes = "(N, T, V)" if batch_first else "(T, N, V)"
        raise ValueError(f"logits: expected {axes} with lengths, got {shape}")
    N, T = shape[:2] if batch_first else (shape[1], shape[0])
    lengths = _integers("lengths", lengths)
    if lengths.shape != (N,):
        raise ValueError(f"lengths: expected ({N},), got {lengths.shape}")
    _check_range("lengths", lengths, T)
    time = np.arange(T)
    return time < lengths[:, None] if batch_first else time[:, None] < lengths


def _check_range(name, array, last, counted=True):
    """Every counted entry of `array` is in 0..last; the first one that is not is named."""
    wrong = ((array < 0) | (array > last)) & counted
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(f"{name}: expected integers in 0..{last}, got {array[at]} at position {at}")


def _integers(name, value):
    array = _array(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: expected integers, got {array.dtype}")
    return array


def _index(name, value):
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {type(value).__name__}") from None


def _array(value):
    """Any buffer, sequence, __array__ or DLPack CPU tensor as an ndarray, uncopied if possible."""
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return np.asarray(value)
