# SPDX-License-Identifier: BSD-3-Clause
"""What the engine computes for the losses of softmax, in plain NumPy and float64: the oracle of tests/csrc."""

import numpy as np


def log_softmax(z):
    """Over the last axis; logits of any size, -inf included."""
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(z, target, peak, spread, scale):
    """Losses (M,) and gradients (M, V) of rows, as csrc/fastrnn.h says; spread has a row for each, or one for all."""
    M, V = z.shape
    counts = target >= 0
    q = np.zeros((M, V)) if spread is None else np.broadcast_to(spread, (M, V)).astype(np.float64)
    q[np.arange(M), target] += np.where(counts, peak, 0)
    losses, dz = np.zeros(M), np.zeros((M, V))
    with np.errstate(all="ignore"):
        log_p = log_softmax(z[counts].astype(np.float64))
        losses[counts] = -np.where(q[counts] > 0, q[counts] * log_p, 0 * np.exp(log_p)).sum(axis=1)
        Q = q[counts].sum(axis=1, keepdims=True)
        dz[counts] = scale[counts, None] * (Q * np.exp(log_p) - q[counts])
    return losses, dz


def ctc(z, labels, counts, steps, blank, scale, zero_infinity=False):
    """Losses (N,) and gradients (T, N, V): the lattice in logarithms, one row after the other."""
    losses, dz = np.zeros(len(counts)), np.zeros(z.shape)
    for n in range(len(counts)):
        with np.errstate(all="ignore"):
            losses[n], slope = ctc_row(z[: steps[n], n].astype(np.float64), labels[n, : counts[n]], blank)
        if not np.isfinite(losses[n]):
            forbidden = losses[n] == np.inf and zero_infinity
            losses[n], slope = (0, slope * 0) if forbidden else (losses[n], slope * np.nan)
            slope = np.zeros_like(slope) if forbidden else slope
        dz[: steps[n], n] = scale[n] * slope
    return losses, dz


def ctc_row(z, labels, blank):
    """-log P of one row, logits (T, V), and its gradient."""
    T, L = len(z), 2 * len(labels) + 1
    states = np.full(L, blank)
    states[1::2] = labels
    jump = np.full(L, -np.inf)  # 0 where a path may come to s from s - 2
    jump[3::2] = np.where(labels[1:] != labels[:-1], 0, -np.inf)
    jump_back = np.append(jump, [-np.inf, -np.inf])[:1:-1]  # to s from s + 2, from the last state down
    log_p = log_softmax(z)
    alpha, beta = np.full((T + 1, L), -np.inf), np.full((T + 1, L), -np.inf)
    alpha[0, 0] = 0
    beta[T, -2:] = 0
    for t in range(T):
        alpha[t + 1] = log_p[t, states] + reached(alpha[t], jump)
    for t in reversed(range(T)):
        after = beta[t + 1] + log_p[t, states]
        beta[t] = reached(after[::-1], jump_back)[::-1]
    log_P = np.logaddexp.reduce(alpha[T, -2:])
    share = np.zeros(z.shape)
    for s in range(L):
        share[:, states[s]] += np.exp(alpha[1:, s] + beta[1:, s] - log_P)
    return -log_P, np.exp(log_p) - share


def reached(a, jump):
    """The logarithm of what comes to each state from itself, the one before it, and the one before that."""
    before = np.concatenate([[-np.inf], a[:-1]])
    two_before = np.concatenate([[-np.inf] * 2, a[:-2]])[: len(a)]
    return np.logaddexp(np.logaddexp(a, before), two_before + jump)
