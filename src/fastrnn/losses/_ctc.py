# SPDX-License-Identifier: BSD-3-Clause
"""Connectionist temporal classification: the loss of a sequence of labels whose times are unknown."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_flag, as_integer, as_integers
from .._engine.ragged import as_lengths, length_mask
from ._masking import as_prediction, check_entries


def ctc_loss(
    logits: ArrayLike,
    targets: ArrayLike,
    input_lengths: ArrayLike | None,
    target_lengths: ArrayLike | None = None,
    *,
    blank: int = 0,
    batch_first: bool = False,
) -> tuple[float, Array]:
    """Connectionist temporal classification (CTC), and its gradient.

    A path assigns one class or `blank` to each step of a row. It spells the target of the row if the target is what
    remains after repeated classes are merged and then blanks are dropped. With p = softmax(logits) (Graves, Fernandez,
    Gomez, Schmidhuber, "Connectionist temporal classification: labelling unsegmented sequence data with recurrent
    neural networks", ICML 2006, section 4)::

        P       = sum over all paths that spell the target of the product of p[t, path[t]]
        loss    = mean over the rows of -log P / max(labels of the row, 1)
        dlogits = (p - share of P that passes through the class at that step) / max(labels, 1) / N

    The sum runs over a lattice of states: the labels, with a blank before, between and after them. alpha[t, s] is the
    part of P up to step t that ends in state s, beta[t, s] the part after step t. Both are stored as logarithms, so
    that nothing underflows.

    Parameters
    ----------
    logits : array_like, shape (T, N, V), float32 or float64
        Unnormalised log-probabilities of V classes, including `blank`. -inf forbids a class.
    targets : array_like of integers, shape (N, S), or a list of N sequences of integers
        The labels of each row, in 0..V-1 but not `blank`. What follows the labels of a row is padding, with any values.
    input_lengths : array_like of integers, shape (N,), or None
        Number of steps of each row, 0..T, in any order; None if all rows have T. Later steps are ignored.
    target_lengths : array_like of integers, shape (N,), optional
        Number of labels of each row, 0..S. By default all that `targets` has for the row.
    blank : int, default 0
        The class that stands for "no label".
    batch_first : bool, default False
        Whether logits are (N, T, V).

    Returns
    -------
    loss : float
        Mean over the rows, in nats per label, accumulated in float64 (PyTorch's "mean"); 0.0 if the batch is empty. A
        row without steps and labels counts as 0.
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 beyond the end of a row.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, another argument does not consist of integers, or `batch_first` is not a
        bool.
    ValueError
        If a shape does not fit, a label or a length is out of range, or a row has fewer steps than its target needs:
        one for each label, and one for a blank between two equal labels.

    Notes
    -----
    The inputs are never written to. Logits of any finite size are safe. NaN or +inf in a row, or -inf for all classes
    of a step, makes the loss and the gradient of this row NaN, without a warning. If -inf forbids the target, the loss
    is inf and the gradient of this row NaN.

    Memory: two float64 arrays of about (T, N, 2 S + 1), with S the number of labels of the longest target.

    Examples
    --------
    Two steps over {blank, a}, all equally likely: "a" is spelled by 3 of the 4 paths.

    >>> import numpy as np
    >>> import fastrnn as fr
    >>> loss, dlogits = fr.ctc_loss(np.zeros((2, 1, 2)), [[1]], [2])
    >>> round(float(np.exp(-loss)), 4)
    0.75
    >>> dlogits[:, 0].round(4)
    array([[ 0.1667, -0.1667],
           [ 0.1667, -0.1667]])
    """
    logits = as_prediction("logits", logits)
    batch_first = as_flag("batch_first", batch_first)
    if logits.ndim != 3 or logits.shape[2] == 0:
        axes = "(N, T, V)" if batch_first else "(T, N, V)"
        raise ValueError(f"logits: expected {axes} with V >= 1, got {logits.shape}")
    z = logits.swapaxes(0, 1) if batch_first else logits
    T, N, V = z.shape
    blank = as_integer("blank", blank)
    if not 0 <= blank < V:
        raise ValueError(f"blank: expected an integer in 0..{V - 1}, got {blank}")
    labels, U = _as_labels(targets, target_lengths, N, V, blank)  # (N, S), (N,)
    steps = (
        np.full(N, T) if input_lengths is None else as_lengths(input_lengths, T, N, name="input_lengths", of="logits")
    )
    _check_fit(labels, U, steps)

    mask = length_mask(steps, T)  # (T, N)
    row = np.nonzero(mask)[1]  # (M,): the row of each step within the mask
    states = np.full((N, 2 * labels.shape[1] + 1), blank)  # (N, L): the class of each state
    states[:, 1::2] = labels
    classes = states[row]  # (M, L)
    scale = 1 / (np.maximum(U, 1) * max(N, 1))  # (N,)

    with np.errstate(all="ignore"):  # log 0 is -inf by design; NaN stays NaN
        p = np.ascontiguousarray(z[mask])  # (M, V): a copy, which becomes the gradient
        top = p.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(p, classes, axis=1).astype(np.float64) - top
        p -= top
        np.exp(p, out=p)
        total = np.einsum("mv->m", p, dtype=np.float64)
        log_p = np.zeros((T, *states.shape))  # of the class of each state; 0 beyond the end of a row
        log_p[mask] = chosen - np.log(total)[:, None]
        log_P, share = _posterior(log_p, labels, U, mask)
        loss = 0.0 - float(np.sum(log_P * scale))  # not -0.0

        scale = np.where(np.isfinite(log_P), scale, np.nan)[row]  # log 0 has no derivative
        p *= (scale / total).astype(p.dtype)[:, None]
        share = (share[mask] * scale[:, None]).astype(p.dtype)  # (M, L)
        at = np.arange(row.size)[:, None] * V + classes
        np.subtract.at(p.reshape(-1), at.reshape(-1), share.reshape(-1))  # a class may have several states

    dlogits = np.zeros(logits.shape, logits.dtype)
    (dlogits.swapaxes(0, 1) if batch_first else dlogits)[mask] = p
    return loss, dlogits


def _as_labels(targets: Any, target_lengths: ArrayLike | None, N: int, V: int, blank: int) -> tuple[Array, Array]:
    """Targets as labels (N, S), blank beyond the end of each row, and the number of labels of each row (N,)."""
    rows, available = _as_rows(targets, N)
    U = available
    if target_lengths is not None:
        S = int(available.max(initial=0))
        U = as_lengths(target_lengths, S, N, name="target_lengths", of="targets")
        check_entries("target_lengths", U, U > available, "no more than the labels of the row")

    labels = np.full((N, int(U.max(initial=0))), blank)
    for n, length in enumerate(U):
        target = rows[n][:length]
        invalid = (target < 0) | (target >= V) | (target == blank)
        check_entries(f"targets[{n}]", target, invalid, f"labels in 0..{V - 1} other than the blank {blank}")
        labels[n, :length] = target
    return labels, U


def _as_rows(targets: Any, N: int) -> tuple[Any, Array]:
    """Targets as N arrays of integers, without a look at their values, and the size of each (N,)."""
    if not isinstance(targets, list | tuple):
        array = as_integers("targets", targets)
        if array.ndim != 2 or array.shape[0] != N:
            raise ValueError(f"targets: expected ({N}, S), got {array.shape}")
        return array, np.full(N, array.shape[1], np.intp)
    rows = [as_integers(f"targets[{n}]", target) for n, target in enumerate(targets)]
    if len(rows) != N:
        raise ValueError(f"targets: expected {N} sequences, one for each row of the batch, got {len(rows)}")
    for n, target in enumerate(rows):
        if target.ndim != 1:
            raise ValueError(f"targets[{n}]: expected a sequence of labels, got shape {target.shape}")
    return rows, np.array([target.size for target in rows], np.intp)


def _check_fit(labels: Array, U: Array, steps: Array) -> None:
    """Raise ValueError unless every row has a step for each label, and one for the blank between two equal labels."""
    repeats = (labels[:, 1:] == labels[:, :-1]) & (np.arange(1, labels.shape[1]) < U[:, None])
    needed = U + repeats.sum(axis=1)
    if (steps < needed).any():
        n = int((steps < needed).argmax())
        because = f"{U[n]} labels, {needed[n] - U[n]} of them like the one before"
        raise ValueError(f"input_lengths: expected at least {needed[n]} for row {n} ({because}), got {steps[n]}")


def _posterior(log_p: Array, labels: Array, U: Array, mask: Array) -> tuple[Array, Array]:
    """Log-probability of each row's target, and the probability of each state at each step, given the target.

    Parameters
    ----------
    log_p : ndarray, shape (T, N, L)
        Log-probability of the class of each state.
    labels : ndarray of int, shape (N, S), L = 2 S + 1
    U : ndarray of int, shape (N,)
        Number of labels of each row.
    mask : ndarray of bool, shape (T, N)
        The steps of each row.

    Returns
    -------
    log_P : ndarray, shape (N,)
    share : ndarray, shape (T, N, L)
        Sums to 1 over the states at each step within the mask; undefined outside of it.
    """
    T, N, L = log_p.shape
    jump = np.full((N, L + 2), -np.inf)  # 0 where a path may come to s from s - 2, over a blank
    jump[:, 3:L:2] = np.where(labels[:, 1:] != labels[:, :-1], 0, -np.inf)
    end = np.full((N, L), -np.inf)  # 0 where a path may end
    end[np.arange(N), 2 * U] = 0
    end[np.arange(N), np.maximum(2 * U - 1, 0)] = 0

    # No path reaches the two columns before the first state, which alpha needs, and the two after the last one, which
    # beta needs. alpha[0] is the time before the first step, in state 0, from where a path comes to states 0 and 1.
    alpha = np.full((T + 1, N, L + 2), -np.inf)
    alpha[0, :, 2] = 0
    for t in range(T):
        a = alpha[t]
        new = np.logaddexp(a[:, 2:], a[:, 1:-1])
        new = np.logaddexp(new, a[:, :-2] + jump[:, :L]) + log_p[t]
        alpha[t + 1, :, 2:] = np.where(mask[t][:, None], new, a[:, 2:])  # a row that has ended keeps its alpha
    log_P = np.logaddexp.reduce(alpha[T, :, 2:] + end, axis=1)  # (N,)

    share = alpha[1:, :, 2:]  # overwritten: alpha becomes alpha beta / P
    beta = end  # (N, L)
    b = np.full((N, L + 2), -np.inf)
    for t in reversed(range(T)):
        share[t] += beta - log_P[:, None]
        b[:, :L] = beta + log_p[t]
        new = np.logaddexp(b[:, :-2], b[:, 1:-1])
        new = np.logaddexp(new, b[:, 2:] + jump[:, 2:])
        beta = np.where(mask[t][:, None], new, end)  # a row keeps `end` until its last step
    return log_P, np.exp(share, out=share)
