# SPDX-License-Identifier: BSD-3-Clause
"""Connectionist temporal classification: the loss of a sequence of labels whose times are not known."""

import numpy as np

from .._engine.arguments import as_flag, as_integers
from ._masking import as_index, as_prediction, as_row_lengths, refuse

__all__ = ["ctc_loss"]


def ctc_loss(logits, targets, input_lengths, target_lengths=None, *, blank=0, batch_first=False):
    """Connectionist temporal classification, and its gradient.

    Each step of a row says one class or `blank`; a row spells its target if its target is what
    remains when repeated classes are merged and then blanks are dropped. With p = softmax(logits)
    (Graves, Fernandez, Gomez, Schmidhuber, "Connectionist temporal classification: labelling
    unsegmented sequence data with recurrent neural networks", ICML 2006, section 4)::

        P       = sum over all paths that spell the target of the product of p[t, path[t]]
        loss    = mean over the rows of -log P / max(labels of the row, 1)
        dlogits = (p - share of P that passes through the class at that step) / max(labels, 1) / N

    The sum runs over a lattice of states, the labels with a blank before, between and behind them:
    alpha[t, s] is the part of P up to step t that ends in state s, beta[t, s] the part that is
    to come. Both are logarithms, so nothing underflows.

    Parameters
    ----------
    logits : array_like, shape (T, N, V), float32 or float64
        Unnormalised log-probabilities of V classes, `blank` among them. -inf forbids a class.
    targets : array_like of integers, shape (N, S), or a list of N sequences of integers
        The labels of each row, 0..V-1 but not `blank`, padded with anything.
    input_lengths : array_like of integers, shape (N,)
        Steps of each row, 0..T, in any order; None if all have T. What lies beyond is not looked at.
    target_lengths : array_like of integers, shape (N,), optional
        Labels of each row, 0..S; None if they are all that `targets` has for it.
    blank : int, default 0
        The class that stands for "no label".
    batch_first : bool, default False
        Logits are (N, T, V).

    Returns
    -------
    loss : float
        Mean over the rows, in nats per label, accumulated in float64 (PyTorch's "mean"); 0.0 if
        there is no row. A row without steps and labels counts as 0.
    dlogits : ndarray, shape and dtype of `logits`
        Gradient of `loss` with respect to `logits`; 0 beyond the end of a row.

    Raises
    ------
    TypeError
        If `logits` is not float32 or float64, or another argument is not of integers.
    ValueError
        If a shape does not fit, a label or a length is out of range, or a row has fewer steps than
        its target needs: one for each label, and a blank between two equal ones.

    Notes
    -----
    The inputs are never written to. Logits of any finite size are safe. NaN or +inf in a row, or
    -inf for all classes of a step, makes the loss and the gradient of this row NaN, without a
    warning. If -inf forbids the target the loss is inf and the gradient of this row NaN.

    Memory: two float64 arrays of about (T, N, 2 S + 1), with S the labels of the longest target.

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
    blank = as_index("blank", blank)
    if not 0 <= blank < V:
        raise ValueError(f"blank: expected an integer in 0..{V - 1}, got {blank}")
    labels, U = _labels(targets, target_lengths, N, V, blank)  # (N, S), (N,)
    steps = np.full(N, T) if input_lengths is None else as_row_lengths("input_lengths", input_lengths, N, T)
    _check_fit(labels, U, steps)

    running = np.arange(T)[:, None] < steps  # (T, N)
    row = np.nonzero(running)[1]  # (M,): the row of each step that is counted
    states = np.full((N, 2 * labels.shape[1] + 1), blank)  # (N, L): the class of each state
    states[:, 1::2] = labels
    classes = states[row]  # (M, L)
    scale = 1 / (np.maximum(U, 1) * max(N, 1))  # (N,)

    with np.errstate(all="ignore"):  # log 0 is -inf by design; NaN stays NaN
        p = np.ascontiguousarray(z[running])  # (M, V): a copy, which becomes the result
        top = p.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(p, classes, axis=1).astype(np.float64) - top
        p -= top
        np.exp(p, out=p)
        total = np.einsum("mv->m", p, dtype=np.float64)
        log_p = np.zeros((T, *states.shape))  # of the class of each state; 0 beyond the end of a row
        log_p[running] = chosen - np.log(total)[:, None]
        log_P, share = _posterior(log_p, labels, U, running)
        loss = 0.0 - float(np.sum(log_P * scale))  # not -0.0

        scale = np.where(np.isfinite(log_P), scale, np.nan)[row]  # log 0 has no slope
        p *= (scale / total).astype(p.dtype)[:, None]
        share = (share[running] * scale[:, None]).astype(p.dtype)  # (M, L)
        at = np.arange(row.size)[:, None] * V + classes
        np.subtract.at(p.reshape(-1), at.reshape(-1), share.reshape(-1))  # a class may have several states

    dlogits = np.zeros(logits.shape, logits.dtype)
    (dlogits.swapaxes(0, 1) if batch_first else dlogits)[running] = p
    return loss, dlogits


def _posterior(log_p, labels, U, running):
    """Log-probability of each row's target, and how likely each state is at each step, given the target.

    Parameters
    ----------
    log_p : ndarray, shape (T, N, L)
        Log-probability of the class of each state.
    labels : ndarray of int, shape (N, S), L = 2 S + 1
    U : ndarray of int, shape (N,)
        Labels of each row.
    running : ndarray of bool, shape (T, N)

    Returns
    -------
    log_P : ndarray, shape (N,)
    share : ndarray, shape (T, N, L)
        Sums to 1 over the states at each step that runs; not to be read elsewhere.
    """
    T, N, L = log_p.shape
    jump = np.full((N, L + 2), -np.inf)  # log of: may a path come to s from s - 2, over a blank
    jump[:, 3:L:2] = np.where(labels[:, 1:] != labels[:, :-1], 0, -np.inf)
    end = np.full((N, L), -np.inf)  # log of: may a path end here
    end[np.arange(N), 2 * U] = 0
    end[np.arange(N), np.maximum(2 * U - 1, 0)] = 0

    # Two columns before the first state and two behind the last are never reached: alpha uses the
    # former, beta the latter. Row 0 of alpha is the time before the first step, in state 0: from
    # there a path comes to states 0 and 1, as it should.
    alpha = np.full((T + 1, N, L + 2), -np.inf)
    alpha[0, :, 2] = 0
    for t in range(T):
        a = alpha[t]
        new = np.logaddexp(a[:, 2:], a[:, 1:-1])
        new = np.logaddexp(new, a[:, :-2] + jump[:, :L]) + log_p[t]
        alpha[t + 1, :, 2:] = np.where(running[t][:, None], new, a[:, 2:])  # a row that has ended waits
    log_P = np.logaddexp.reduce(alpha[T, :, 2:] + end, axis=1)  # (N,)

    share = alpha[1:, :, 2:]  # turned in place from alpha into alpha beta / P
    beta = end  # (N, L)
    b = np.full((N, L + 2), -np.inf)
    for t in reversed(range(T)):
        share[t] += beta - log_P[:, None]
        b[:, :L] = beta + log_p[t]
        new = np.logaddexp(b[:, :-2], b[:, 1:-1])
        new = np.logaddexp(new, b[:, 2:] + jump[:, 2:])
        beta = np.where(running[t][:, None], new, end)  # a row that is not there yet waits at its end
    return log_P, np.exp(share, out=share)


def _labels(targets, target_lengths, N, V, blank):
    """Targets as labels (N, S), blank beyond the end of each row, and how many each row has (N,)."""
    if isinstance(targets, list | tuple):
        rows = [as_integers(f"targets[{n}]", target) for n, target in enumerate(targets)]
        if len(rows) != N:
            raise ValueError(f"targets: expected {N} sequences, one for each row of the batch, got {len(rows)}")
        for n, target in enumerate(rows):
            if target.ndim != 1:
                raise ValueError(f"targets[{n}]: expected a sequence of labels, got shape {target.shape}")
        given = np.array([target.size for target in rows], np.intp)  # (N,)
    else:
        rows = as_integers("targets", targets)
        if rows.ndim != 2 or rows.shape[0] != N:
            raise ValueError(f"targets: expected ({N}, S), got {rows.shape}")
        given = np.full(N, rows.shape[1])
    U = given
    if target_lengths is not None:
        U = as_row_lengths("target_lengths", target_lengths, N, int(given.max(initial=0)))
        refuse("target_lengths", U, U > given, "no more than the labels of the row")

    labels = np.full((N, int(U.max(initial=0))), blank)
    for n, length in enumerate(U):
        target = rows[n][:length]
        wrong = (target < 0) | (target >= V) | (target == blank)
        refuse(f"targets[{n}]", target, wrong, f"labels in 0..{V - 1} other than the blank {blank}")
        labels[n, :length] = target
    return labels, U


def _check_fit(labels, U, steps):
    """Every row has a step for each label, and one for the blank between two equal ones."""
    repeats = (labels[:, 1:] == labels[:, :-1]) & (np.arange(1, labels.shape[1]) < U[:, None])
    needed = U + repeats.sum(axis=1)
    if (steps < needed).any():
        n = int((steps < needed).argmax())
        because = f"{U[n]} labels, {needed[n] - U[n]} of them like the one before"
        raise ValueError(f"input_lengths: expected at least {needed[n]} for row {n} ({because}), got {steps[n]}")
