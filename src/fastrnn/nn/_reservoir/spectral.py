# SPDX-License-Identifier: BSD-3-Clause
"""Random sparse matrices of a given spectral radius."""

import numpy as np

from ..._engine.arguments import Array

EXACT_SIZE = 1000  # up to here all eigenvalues (half a second), above only the largest
ARNOLDI_STEPS, ARNOLDI_RTOL = 50, 1e-9


def spectral_radius(matrix: Array) -> float:
    """The largest magnitude of an eigenvalue.

    From all eigenvalues up to 1000 rows. Above, by Arnoldi iteration (Saad, "Numerical methods for large eigenvalue
    problems", 2011, algorithm 6.1, orthogonalized twice), until another 50 steps change it by less than 1e-9 of itself.
    For the matrices of `random_matrix` it is then within 1e-7 of the exact one, where rounding to float32 begins.

    Parameters
    ----------
    matrix : ndarray, shape (H, H)
        float64.

    Returns
    -------
    float
    """
    if len(matrix) <= EXACT_SIZE:
        return _largest(matrix)
    return arnoldi_radius(matrix)


def arnoldi_radius(matrix: Array) -> float:
    """`spectral_radius` by Arnoldi iteration: the matrix as seen from the space of its first powers of one vector."""
    H, eps = len(matrix), np.finfo(np.float64).eps
    v = np.random.default_rng(0).standard_normal(H)
    v /= np.linalg.norm(v)
    basis, projected = np.empty((0, H)), np.zeros((1, 0))
    found = np.inf
    while True:
        done, m = len(basis), min(len(basis) + ARNOLDI_STEPS, H)
        basis = np.concatenate([basis, np.empty((m - done, H))])
        projected = np.pad(projected, ((0, m - done), (0, m - done)))
        for j in range(done, m):
            basis[j] = v
            v = matrix @ v
            size = np.linalg.norm(v)
            for _ in range(2):  # the second time takes what rounding left of the known directions
                known = basis[: j + 1] @ v
                v -= known @ basis[: j + 1]
                projected[: j + 1, j] += known
            projected[j + 1, j] = np.linalg.norm(v)
            if projected[j + 1, j] <= H * eps * size:  # no new direction: the space is complete
                return _largest(projected[: j + 1, : j + 1])
            v /= projected[j + 1, j]
        before, found = found, _largest(projected[:m])
        if m == H or abs(found - before) <= ARNOLDI_RTOL * found:
            return found


def _largest(matrix: Array) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def random_matrix(rng, size, density, radius):
    """A random square matrix of a given spectral radius, as many entries of each row not 0.

    Parameters
    ----------
    rng : Generator
    size : int
        H.
    density : float
        ``max(1, round(density * H))`` entries of each row are drawn, uniform; the others are 0. With one at least in
        every row, connections close a circle somewhere, and the radius before scaling is not 0.
    radius : float
        At least 0.

    Returns
    -------
    ndarray, shape (H, H)
        float64.
    """
    count = max(1, round(density * size))
    chosen = rng.random((size, size)).argpartition(count - 1, axis=1)[:, :count]
    matrix = np.zeros((size, size))
    np.put_along_axis(matrix, chosen, rng.uniform(-1, 1, (size, count)), axis=1)
    return matrix * (radius / spectral_radius(matrix))
