# SPDX-License-Identifier: BSD-3-Clause
"""Losses of classification: a number to minimise, and its gradient with respect to the output of the model."""

import numpy as np

from .._engine.arguments import as_flag, as_integers, as_number
from ._masking import as_index, as_prediction, as_target, as_weights, mean, refuse, within

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy"]


def cross_entropy(
    logits, targets, *, ignore_index=-100, lengths=None, batch_first=False, weight=None, label_smoothing=0.0
):
    """Mean cross-entropy of softmax(logits) against integer targets, and its gradient.

    With p = softmax(z) of one position and y its target (Goodfellow, Bengio, Courville, "Deep
    Learning", 2016, section 6.2.2.3; the gradient is Bishop, "Pattern Recognition and Machine
    Learning", 2006, equation 4.109)::

        loss = mean of -log p[y] = mean of log(sum_k exp(z[k] - max z)) - (z[y] - max z)
        dz   = (p - onehot(y)) / M

    where the mean runs over the M positions that are counted. With class weights w and label
    smoothing e (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR
    2016, section 7; weighted as in PyTorch)::

        q    = (1 - e) w[y] onehot(y) + (e / V) w
        loss = sum of -sum_k q[k] log p[k], divided by the sum of w[y]
        dz   = (p sum_k q[k] - q) / the sum of w[y]

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
    weight : array_like of numbers, shape (V,), optional
        How much each class counts, finite and >= 0.
    label_smoothing : float, default 0.0
        Part of each target, in [0, 1], that is spread evenly over all classes, the right one too.

    Returns
    -------
    loss : float
        Mean over the counted positions, in nats, accumulated in float64. If no position is
        counted, or only targets of weight 0, it is 0.0 and the gradient is zero: an empty batch
        then leaves a training loop's parameters and running averages finite (PyTorch returns nan).
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 at positions that are not counted.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, `targets`, `lengths` or `ignore_index` are not
        integers, or `weight` or `label_smoothing` are not real numbers.
    ValueError
        If a shape does not fit, or a counted target, a length, a weight or `label_smoothing` is out
        of range.

    Notes
    -----
    The inputs are never written to. Logits of any finite size are safe. NaN or +inf at a counted
    position, or -inf for all of its classes, makes the loss NaN, without a warning; -inf for the
    target alone, or under label smoothing for any class, makes it inf unless the class has weight 0.

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
    logits, targets = as_prediction("logits", logits), as_integers("targets", targets)
    batch_first = as_flag("batch_first", batch_first)
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"logits: expected (..., V) with V >= 2, got {logits.shape}")
    if logits.shape[-1] == 1:  # a loss of 0 from the first step on would look like learning
        raise ValueError(
            f"logits: expected (..., V) with V >= 2, got {logits.shape}: of one class nothing can be learnt; "
            "for yes or no in one logit there is binary_cross_entropy_with_logits"
        )
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets: expected {logits.shape[:-1]}, got {targets.shape}")
    V = logits.shape[-1]
    smoothing = as_number("label_smoothing", label_smoothing, "a number in [0, 1]", lambda number: 0 <= number <= 1)
    if weight is not None:
        weight = as_weights("weight", weight, np.float64)
        if weight.shape != (V,):
            raise ValueError(f"weight: expected ({V},), got {weight.shape}")

    counted = targets != as_index("ignore_index", ignore_index)
    if lengths is not None:
        counted &= within(lengths, "logits", logits.shape, "V", batch_first)
    refuse("targets", targets, ((targets < 0) | (targets > V - 1)) & counted, f"integers in 0..{V - 1}")

    z, y = logits.reshape(-1, V), targets.reshape(-1)
    kept = np.flatnonzero(counted)
    if kept.size < y.size:  # the cost follows the counted positions; what the others hold is unread
        z, y = z[kept], y[kept]  # (M, V), (M,)
    row = np.arange(kept.size)

    w_y = 1.0 if weight is None else weight[y]  # (M,), or one number for all
    W = kept.size if weight is None else w_y.sum()
    if W == 0:
        return 0.0, np.zeros(logits.shape, logits.dtype)
    whole = onto = (1 - smoothing) * w_y  # sum of q, and what the target alone has of it
    if smoothing:
        each = smoothing / V * (np.ones(V) if weight is None else weight)  # (V,): what every class has of q
        whole = onto + each.sum()

    with np.errstate(all="ignore"):  # far below the maximum exp is 0 by design; NaN stays NaN
        p = z - z.max(axis=1, keepdims=True)  # (M, V): the one large temporary, and the result
        earned = onto * p[row, y].astype(np.float64)  # (M,): sum of q z
        if weight is not None or smoothing:
            earned = np.where(onto > 0, earned, 0)  # 0 * -inf is 0 here
        if smoothing:
            some = each > 0
            earned += np.einsum("mv,v->m", p if some.all() else p[:, some], each[some], dtype=np.float64)
        np.exp(p, out=p)
        total = np.einsum("mv->m", p, dtype=np.float64)  # in 1..V; faster here than p.sum(axis=1)
        loss = float(np.sum(whole * np.log(total) - earned) / W)
        p *= (whole / (W * total)).astype(p.dtype)[:, None]
        p[row, y] -= np.asarray(onto / W, p.dtype)
        if smoothing:
            p -= (each / W).astype(p.dtype)

    if kept.size == targets.size:
        return loss, p.reshape(logits.shape)
    dlogits = np.zeros(logits.shape, logits.dtype)
    dlogits.reshape(-1, V)[kept] = p
    return loss, dlogits


def binary_cross_entropy_with_logits(logits, targets, *, lengths=None, batch_first=False, pos_weight=None):
    """Mean cross-entropy of sigmoid(logits) against targets between 0 and 1, and its gradient.

    For yes-or-no questions that are answered independently of each other. With z one logit, y its
    target and c its `pos_weight` or 1 (Bishop, "Pattern Recognition and Machine Learning", 2006,
    equations 4.90 and 4.91), over M counted elements::

        loss = mean of -c y log sigmoid(z) - (1 - y) log sigmoid(-z)
             = mean of c y softplus(-z) + (1 - y) softplus(z)
        dz   = ((1 - y) sigmoid(z) - c y sigmoid(-z)) / M

    where softplus(z) = log(1 + exp(z)) is computed as ``max(z, 0) + log(1 + exp(-|z|))``, which never overflows.

    Parameters
    ----------
    logits : array_like, any shape, float32 or float64
        Unnormalised log-odds of "yes".
    targets : array_like of numbers or bools, shape of `logits`
        The probability of "yes", in [0, 1].
    lengths : array_like of integers, shape (N,), optional
        Needs logits of shape (T, N, ...). Elements of steps ``t >= lengths[n]`` are not counted,
        whatever logits and targets hold there. Each length is in 0..T, in any order.
    batch_first : bool, default False
        With `lengths`: logits and targets are (N, T, ...). Without, it changes nothing.
    pos_weight : array_like of numbers, optional
        How much a "yes" counts beside a "no", finite and >= 0, of a shape that broadcasts to the
        shape of `logits`: one number, or one for each of the last axis.

    Returns
    -------
    loss : float
        Mean over the counted elements (not divided by weights, as in PyTorch), in nats, accumulated
        in float64; 0.0 if none is counted.
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 at elements that are not counted.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, `targets` or `pos_weight` are not real numbers, or
        `lengths` are not integers.
    ValueError
        If a shape does not fit, or a counted target, a length or a weight is out of range.

    Notes
    -----
    The inputs are never written to. Logits of any size are safe: an infinite one costs nothing if it
    is right, inf if not. NaN at a counted element makes the loss NaN, without a warning.

    Examples
    --------
    An undecided answer costs log 2 nats, a sure and right one nothing.

    >>> import numpy as np
    >>> import fastrnn as fr
    >>> loss, dlogits = fr.binary_cross_entropy_with_logits(np.array([0.0, 1000.0]), [1, 1])
    >>> round(2 * loss, 4)
    0.6931
    >>> dlogits.tolist()
    [-0.25, 0.0]
    """
    logits = as_prediction("logits", logits)
    targets = as_target("targets", targets, logits.shape)
    batch_first = as_flag("batch_first", batch_first)
    counted = None if lengths is None else within(lengths, "logits", logits.shape, "...", batch_first)
    with np.errstate(all="ignore"):
        wrong = (targets < 0) | (targets > 1)  # NaN is neither: it goes through to the loss
    if counted is not None:
        wrong &= counted.reshape(*counted.shape, *(1,) * (logits.ndim - 2))
    refuse("targets", targets, wrong, "numbers in [0, 1]")
    if pos_weight is None:
        return mean(_yes_or_no, counted, logits, targets)

    pos_weight = as_weights("pos_weight", pos_weight, logits.dtype)
    try:
        pos_weight = np.broadcast_to(pos_weight, logits.shape)
    except ValueError:
        text = f"pos_weight: expected a shape that broadcasts to {logits.shape}, got {pos_weight.shape}"
        raise ValueError(text) from None
    return mean(_yes_or_no, counted, logits, targets, pos_weight)


def _yes_or_no(z, y, pos_weight=1):
    """Sum of the losses of elements (M,), and the slope of each."""
    y = y.astype(z.dtype)
    yes, no = pos_weight * y, 1 - y
    e = np.exp(-np.abs(z))  # in 0..1
    rest = np.log1p(e)
    cost = yes * (np.maximum(-z, 0) + rest) + no * (np.maximum(z, 0) + rest)
    cost[np.isinf(z) & np.isnan(cost)] = 0  # 0 * inf: sure and right
    likely, unlikely = 1 / (1 + e), e / (1 + e)  # the sigmoids of |z| and -|z|
    slope = no * np.where(z < 0, unlikely, likely) - yes * np.where(z < 0, likely, unlikely)
    return np.sum(cost, dtype=np.float64), slope
