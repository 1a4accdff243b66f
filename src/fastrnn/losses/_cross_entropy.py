# SPDX-License-Identifier: BSD-3-Clause
"""Cross-entropy of one class out of several."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import UNIT, Array, as_flag, as_integer, as_integers, as_number
from ._masking import as_prediction, as_weights, check_entries, sequence_mask


def cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    ignore_index: int = -100,
    lengths: ArrayLike | None = None,
    batch_first: bool = False,
    weight: ArrayLike | None = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Array]:
    """Mean cross-entropy of softmax(logits) against integer targets, and its gradient.

    With p = softmax(z) of one position and y its target (Goodfellow, Bengio, Courville, "Deep Learning", 2016, section
    6.2.2.3; the gradient is Bishop, "Pattern Recognition and Machine Learning", 2006, equation 4.109)::

        loss = mean of -log p[y] = mean of log(sum_k exp(z[k] - max z)) - (z[y] - max z)
        dz   = (p - onehot(y)) / M

    The mean runs over the M positions that are not ignored. With class weights w and label smoothing e (Szegedy et al.,
    "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7; weighted as in PyTorch)::

        q    = (1 - e) w[y] onehot(y) + (e / V) w
        loss = sum of -sum_k q[k] log p[k], divided by the sum of w[y]
        dz   = (p sum_k q[k] - q) / the sum of w[y]

    Parameters
    ----------
    logits : array_like, shape (..., V), float32 or float64
        Unnormalised log-probabilities of V classes, usually (T, N, V). -inf forbids a class.
    targets : array_like of integers, shape (...)
        The correct class of each position, 0..V-1, or `ignore_index`.
    ignore_index : int, default -100
        Positions with this target are ignored.
    lengths : array_like of integers, shape (N,), optional
        Requires logits of shape (T, N, V). Positions ``t >= lengths[n]`` are ignored, whatever their logits and targets
        contain. Each length is in 0..T, in any order. By default every row has T steps.
    batch_first : bool, default False
        With `lengths`: logits are (N, T, V) and targets (N, T). Without `lengths` it has no effect.
    weight : array_like of numbers, shape (V,), optional
        Weight of each class, finite and >= 0. By default every class has weight 1.
    label_smoothing : float, default 0.0
        The part of each target, in [0, 1], that is spread evenly over all classes, including the correct one.

    Returns
    -------
    loss : float
        Mean over the positions that are not ignored, in nats, accumulated in float64. If all positions are ignored or
        all targets have weight 0, it is 0.0 and the gradient is zero, so that an empty batch leaves the parameters and
        running averages of a training loop finite (PyTorch returns nan).
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 at ignored positions.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, `targets`, `lengths` or `ignore_index` are not integers, or `weight` or
        `label_smoothing` are not real numbers.
    ValueError
        If a shape does not fit, or a target that is not ignored, a length, a weight or `label_smoothing` is out of
        range.

    Notes
    -----
    The inputs are never written to. Logits of any finite size are safe. At a position that is not ignored, NaN or +inf,
    or -inf for all of its classes, makes the loss NaN, without a warning. -inf for the target alone, or under label
    smoothing for any class, makes the loss inf unless the class has weight 0.

    Examples
    --------
    Two equal classes cost log 2 nats; the second step is padding and is not read.

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
    _check_shapes(logits.shape, targets.shape)
    V = logits.shape[-1]
    smoothing = as_number("label_smoothing", label_smoothing, UNIT)
    if weight is not None:
        weight = as_weights("weight", weight, np.float64)
        if weight.shape != (V,):
            raise ValueError(f"weight: expected ({V},), got {weight.shape}")

    mask = targets != as_integer("ignore_index", ignore_index)
    if lengths is not None:
        mask &= sequence_mask("logits", logits.shape, lengths, "V", batch_first)
    check_entries("targets", targets, ((targets < 0) | (targets > V - 1)) & mask, f"integers in 0..{V - 1}")

    z, y = logits.reshape(-1, V), targets.reshape(-1)
    selected = np.flatnonzero(mask)
    if selected.size == y.size:
        loss, dz = _weighted_mean(z, y, weight, smoothing)
        return loss, dz.reshape(logits.shape)
    loss, dz = _weighted_mean(z[selected], y[selected], weight, smoothing)  # ignored positions take no time
    dlogits = np.zeros(logits.shape, logits.dtype)
    dlogits.reshape(-1, V)[selected] = dz
    return loss, dlogits


def _check_shapes(logits: tuple[int, ...], targets: tuple[int, ...]) -> None:
    """Raise ValueError unless the shapes are (..., V) and (...), with V of at least 2."""
    if logits[-1:] in ((), (0,)):
        raise ValueError(f"logits: expected (..., V) with V >= 2, got {logits}")
    if logits[-1] == 1:  # a loss of 0 from the first step on would look like learning
        raise ValueError(
            f"logits: expected (..., V) with V >= 2, got {logits}: nothing can be learned about a single class; "
            "for yes or no in one logit use binary_cross_entropy_with_logits"
        )
    if targets != logits[:-1]:
        raise ValueError(f"targets: expected {logits[:-1]}, got {targets}")


def _weighted_mean(z: Array, y: Array, weight: Array | None, smoothing: float) -> tuple[float, Array]:
    """The loss of M positions and its gradient, given logits (M, V), targets (M,) and class weights (V,)."""
    M, V = z.shape
    position = np.arange(M)
    w_y: Any = 1.0 if weight is None else weight[y]  # (M,), or one number for all
    W = M if weight is None else w_y.sum()
    if W == 0:
        return 0.0, np.zeros(z.shape, z.dtype)
    q_sum = q_target = (1 - smoothing) * w_y  # the sum of q, and the part that only the target has
    q_each = np.zeros(V)  # the part that every class has
    if smoothing:
        q_each = smoothing / V * (np.ones(V) if weight is None else weight)
        q_sum = q_target + q_each.sum()

    with np.errstate(all="ignore"):  # far below the maximum exp is 0 by design; NaN stays NaN
        p = z - z.max(axis=1, keepdims=True)  # (M, V): the only large temporary array, which becomes the gradient
        q_dot_z = q_target * p[position, y].astype(np.float64)  # (M,)
        if weight is not None or smoothing:
            q_dot_z = np.where(q_target > 0, q_dot_z, 0)  # 0 * -inf is 0 here
        if smoothing:
            some = q_each > 0
            q_dot_z += np.einsum("mv,v->m", p if some.all() else p[:, some], q_each[some], dtype=np.float64)
        np.exp(p, out=p)
        total = np.einsum("mv->m", p, dtype=np.float64)  # in 1..V; faster here than p.sum(axis=1)
        loss = float(np.sum(q_sum * np.log(total) - q_dot_z) / W)
        p *= (q_sum / (W * total)).astype(p.dtype)[:, None]
        p[position, y] -= np.asarray(q_target / W, p.dtype)
        if smoothing:
            p -= (q_each / W).astype(p.dtype)
    return loss, p
