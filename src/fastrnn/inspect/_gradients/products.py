# SPDX-License-Identifier: BSD-3-Clause
"""Products of the Jacobians of a recurrence over many steps, computed with QR decompositions.

The state s_t is h, or for an LSTM h and c as one vector of n = 2 H numbers. All products come from one pass from the
end of a row back to its beginning. At each step it multiplies k gradients by the transposed Jacobian and
orthonormalizes them again by a QR decomposition::

    J_t^T Q_(t+1) = Q_t R_t                         Q_T orthonormal (n, k), random
    (ds_T / ds_t)^T Q_T = Q_t R_t R_(t+1) ... R_(T-1)

If k = n, the product of the triangular R (k, k) has the singular values of the product of the Jacobians. The mean
logarithms of the diagonals of R tend to the Lyapunov exponents.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ..._engine.arguments import Array
from ..._engine.ragged import length_mask
from .recurrences import Recurrence, reverse_rows


def qr_factors(recurrence: Recurrence, k: int, rng: np.random.Generator) -> Iterator[tuple[int, Array]]:
    """(t, R (N, k, k)) from the last step to the first; R is the identity in a row that has ended."""
    recurrence.check_finite()
    T, N, _ = recurrence.x.shape
    Q = np.linalg.qr(rng.standard_normal((recurrence.size, k)))[0]
    Q = np.broadcast_to(Q, (N, *Q.shape))  # so that a row starts alike in any batch
    for t in reversed(range(T)):
        running = (t < recurrence.lengths)[:, None, None]
        before, R = np.linalg.qr(recurrence.pull_back(t, Q.swapaxes(1, 2)).swapaxes(1, 2))
        Q = np.where(running, before, Q)
        yield t, np.where(running, R, np.eye(k))


def singular_values_by_distance(recurrence: Recurrence, rng: np.random.Generator) -> Array:
    """`singular_values` of one recurrence, (T + 1, N, n)."""
    return _by_distance(recurrence, recurrence.size, rng, lambda R: np.linalg.svd(R, compute_uv=False))


def norms_by_distance(recurrence: Recurrence, k: int, rng: np.random.Generator) -> Array:
    """`jacobian_norms` of one recurrence, (T + 1, N): the root mean square of the singular values."""
    k = min(k, recurrence.size)
    return _by_distance(recurrence, k, rng, lambda R: np.linalg.norm(R, axis=(-2, -1)) / np.sqrt(k))


def _by_distance(recurrence: Recurrence, k: int, rng: np.random.Generator, measure: Callable[[Array], Array]) -> Array:
    """A measure of the product of the R over every distance, (T + 1, N, ...). It must be proportional to its scale."""
    T, N, _ = recurrence.x.shape
    product, logs = np.broadcast_to(np.eye(k), (N, k, k)), np.zeros(N)
    measured = np.empty((T + 1, *measure(product).shape))
    measured[T] = measure(product)
    for t, R in qr_factors(recurrence, k, rng):
        product = R @ product
        scale = np.abs(product).max(axis=(-2, -1))
        scale[scale == 0] = 1
        product, logs = product / scale[:, None, None], logs + np.log(scale)
        with np.errstate(over="ignore", under="ignore"):
            measured[t] = (measure(product).T * np.exp(logs)).T
    ends = recurrence.lengths + 1
    measured = reverse_rows(measured, ends)
    measured[~length_mask(ends, T + 1)] = np.nan
    return measured
