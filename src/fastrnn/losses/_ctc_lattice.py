# SPDX-License-Identifier: BSD-3-Clause
"""The lattice of CTC: the losses of rows and their gradients, by the paths that spell each target."""

import numpy as np

from .._engine.arguments import Array


def row_losses(
    p: Array, mask: Array, labels: Array, U: Array, blank: int, scale: Array, zero_infinity: bool
) -> tuple[Array, Array]:
    """-log P of each row, and the gradient of its sum, scaled.

    Parameters
    ----------
    p : ndarray, shape (M, V)
        The logits within the mask; overwritten: it becomes the gradient.
    mask : ndarray of bool, shape (T, N)
        The M steps of the rows.
    labels, U : ndarray of int, shape (N, S) and (N,)
        The labels of each row, and how many it has.
    blank : int
    scale : ndarray, shape (N,)
        What the loss of each row is multiplied by for the gradient.
    zero_infinity : bool
        Whether an infinite loss becomes 0.

    Returns
    -------
    losses : ndarray, shape (N,)
    dlogits : ndarray, shape (M, V)
    """
    row = np.nonzero(mask)[1]  # (M,): the row of each step within the mask
    states = np.full((len(U), 2 * labels.shape[1] + 1), blank)  # (N, L): the class of each state
    states[:, 1::2] = labels
    classes = states[row]  # (M, L)
    with np.errstate(all="ignore"):  # log 0 is -inf by design; NaN stays NaN
        top = p.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(p, classes, axis=1).astype(np.float64) - top
        p -= top
        np.exp(p, out=p)
        total = np.einsum("mv->m", p, dtype=np.float64)
        log_p = np.zeros((len(mask), *states.shape))  # of the class of each state; 0 beyond the end of a row
        log_p[mask] = chosen - np.log(total)[:, None]
        log_P, share = _posterior(log_p, labels, U, mask)

        scale = np.where(np.isfinite(log_P), scale, np.nan)[row]  # log 0 has no derivative
        p *= (scale / total).astype(p.dtype)[:, None]
        share = (share[mask] * scale[:, None]).astype(p.dtype)  # (M, L)
        at = np.arange(row.size)[:, None] * p.shape[1] + classes
        np.subtract.at(p.reshape(-1), at.reshape(-1), share.reshape(-1))  # a class may have several states
    if zero_infinity:
        infinite = np.isneginf(log_P)
        log_P, p[infinite[row]] = np.where(infinite, 0, log_P), 0
    return -log_P, p


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
