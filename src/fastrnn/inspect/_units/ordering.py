# SPDX-License-Identifier: BSD-3-Clause
"""The order in which units are shown: similar ones next to each other."""

import numpy as np

from ..._engine.arguments import Array


def order_units(values: Array, order: str | None) -> Array:
    """The numbers of the units of values (T, units) in an order that `plot_units` describes."""
    if order is None:
        return np.arange(values.shape[1])
    if order not in ORDERS:
        raise ValueError(f"order: expected None, {' or '.join(map(repr, ORDERS))}, got {order!r}")
    return ORDERS[order](deviations(values))


def deviations(values: Array) -> Array:
    """The deviation of each unit from its mean, scaled to norm 1: (units, T). 0 for NaN and for a constant unit."""
    finite = np.isfinite(values)
    means = np.where(finite, values, 0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
    centred = np.where(finite, values - np.where(finite, means, 0), 0)
    norms = np.sqrt(np.square(centred).sum(axis=0))
    return (centred / np.where(norms > 1e-12 * np.abs(means), norms, np.inf)).T


def by_peak(rows: Array) -> Array:
    """By the step at which each unit is furthest from its mean."""
    return np.argsort(np.abs(rows).argmax(axis=1), kind="stable")


def by_similarity(rows: Array) -> Array:
    """By average linkage (Sokal and Michener 1958) of the distance 1 - correlation, O(units^3).

    Of the four ways to join two groups, the one is taken in which the neighbouring ends are closest.
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


ORDERS = {"sorted": by_peak, "clustered": by_similarity}
