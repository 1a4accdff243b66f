# SPDX-License-Identifier: BSD-3-Clause
"""In which order to show units: those that belong together side by side."""

import numpy as np


def order_units(values, order):
    """The units of values (T, units), as `plot_units` describes: an array of their numbers."""
    if order is None:
        return np.arange(values.shape[1])
    if order not in ORDERS:
        raise ValueError(f"order: expected None, {' or '.join(map(repr, ORDERS))}, got {order!r}")
    return ORDERS[order](deviations(values))


def deviations(values):
    """(units, T): what each unit deviates from its mean, at length 1; 0 for a unit that never changes, and for NaN."""
    finite = np.isfinite(values)
    means = np.where(finite, values, 0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
    centred = np.where(finite, values - np.where(finite, means, 0), 0)
    lengths = np.sqrt(np.square(centred).sum(axis=0))
    return (centred / np.where(lengths > 1e-12 * np.abs(means), lengths, np.inf)).T


def by_peak(rows):
    """By the step at which each is furthest from its mean."""
    return np.argsort(np.abs(rows).argmax(axis=1), kind="stable")


def by_likeness(rows):
    """Average linkage (Sokal and Michener 1958) of the distance 1 - correlation, O(units^3).

    Of the four ways to put two groups side by side, the one is taken whose ends are closest.
    """
    distance = 1 - rows @ rows.T
    between, U = distance.copy(), len(rows)
    np.fill_diagonal(between, np.inf)
    groups = {k: [k] for k in range(U)}
    while len(groups) > 1:
        a, b = divmod(int(between.argmin()), U)
        one, other = groups[a], groups.pop(b)
        mean = (len(one) * between[a] + len(other) * between[b]) / (len(one) + len(other))
        between[a] = between[:, a] = mean
        between[b] = between[:, b] = between[a, a] = np.inf
        pairs = [(p, q) for p in (one, one[::-1]) for q in (other, other[::-1])]
        left, right = min(pairs, key=lambda pair: distance[pair[0][-1], pair[1][0]])
        groups[a] = left + right
    return np.array(*groups.values())


ORDERS = {"sorted": by_peak, "clustered": by_likeness}
