# SPDX-License-Identifier: BSD-3-Clause
"""Random sparse matrices of a given spectral radius."""

from collections.abc import Callable

import numpy as np

from ..._engine.arguments import Array

EXACT_SIZE = 250  # up to here all eigenvalues (20 ms), above only the largest
ACCURACY = 1e-6  # estimated, of the largest; see `spectral_radius` for the actual one
Entries = tuple[Array, Array]  # columns and values (H, K) of all that are not 0
SPARSE = 0.25  # of the entries; below, the product with those that are not 0 is the faster one


def spectral_radius(matrix: Array, entries: Entries | None = None) -> float:
    """The largest magnitude of an eigenvalue.

    From all eigenvalues up to 250 rows. Above, by Arnoldi iteration (Saad, "Numerical methods for large eigenvalue
    problems", 2011, algorithm 6.1), until a first-order estimate of the relative error is below 1e-6. For the matrices
    of `random_matrix` the error is then below 1e-7, where rounding to float32 begins: mostly 100 times less.

    Parameters
    ----------
    matrix : ndarray, shape (H, H)
        float64.
    entries : tuple of ndarray, optional
        Columns and values of those that are not 0, (H, K) each, if there are K in every row.

    Returns
    -------
    float
    """
    if len(matrix) <= EXACT_SIZE:
        return float(np.abs(np.linalg.eigvals(matrix)).max())
    return arnoldi_radius(matrix, entries)


def arnoldi_radius(matrix: Array, entries: Entries | None = None) -> float:
    """`spectral_radius` by Arnoldi iteration: the matrix as seen from the space of its first powers of one vector."""
    H, eps, times = len(matrix), np.finfo(np.float64).eps, _product(matrix, entries)
    v = np.random.default_rng(0).standard_normal(H)
    v /= np.linalg.norm(v)
    basis, projected, done = np.empty((0, H)), np.zeros((1, 0)), 0
    m = min(H, max(150, round(7.2 * H**0.5)))  # enough for most random matrices: an estimate takes as long as 100 steps
    while True:
        basis = np.concatenate([basis, np.empty((m - done, H))])
        projected = np.pad(projected, ((0, m - done), (0, m - done)))
        for j in range(done, m):
            basis[j] = v
            v = times(v)
            size = np.linalg.norm(v)
            projected[: j + 1, j], v, left = _orthogonalized(v, basis[: j + 1])
            if left <= H * eps * size:  # no new direction: the space is complete
                return _estimate(projected[: j + 1, : j + 1], 0.0)[0]
            projected[j + 1, j] = left
            v /= left
        radius, error = _estimate(projected[:m], 0.0 if m == H else projected[m, m - 1])
        if error <= ACCURACY * radius:
            return radius
        done, m = m, min(H, round(1.2 * m))


def _product(matrix: Array, entries: Entries | None) -> Callable[[Array], Array]:
    """The product with a vector."""
    if entries is None or entries[0].shape[1] > SPARSE * len(matrix):
        return lambda v: matrix @ v
    columns, values = entries
    read = np.empty_like(values)  # mode: without one, `take` makes a copy of what it writes

    def product(v: Array) -> Array:
        return np.einsum("jk,jk->j", values, v.take(columns, out=read, mode="clip"))

    return product


def _orthogonalized(v: Array, basis: Array) -> tuple[Array, Array, float]:
    """The part of v in an orthonormal basis (m, H), the rest, and the norm of that."""
    size = np.linalg.norm(v)
    known = basis @ v
    v = v - known @ basis
    left = np.linalg.norm(v)
    if left < 0.7 * size:  # rounding left some of the known directions: "twice is enough"
        again = basis @ v
        known, v = known + again, v - again @ basis
        left = np.linalg.norm(v)
    return known, v, float(left)


def _estimate(projected: Array, beyond: float) -> tuple[float, float]:
    """The largest magnitude of an eigenvalue of a projection (m, m), and how far that of the whole may be from it.

    `beyond` is the norm of what the last step left outside. To first order the error of an eigenvalue is the residual
    of its vector times its condition (Saad, equation 6.18 and section 3.3), which is taken from the projection.
    """
    values = np.linalg.eigvals(projected)
    largest = values[np.abs(values).argmax()]
    radius = float(np.abs(largest))
    if beyond == 0 or radius == 0:
        return radius, beyond
    shifted = projected - largest * (1 + 1e-12) * np.eye(len(projected))
    right, left = _null(shifted), _null(shifted.conj().T)
    return radius, float(beyond * abs(right[-1]) / abs(left.conj() @ right))


def _null(matrix: Array) -> Array:
    """The unit vector that a nearly singular matrix shrinks most, by a step of inverse iteration."""
    v = np.linalg.solve(matrix, np.ones(len(matrix)))
    return v / np.linalg.norm(v)


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
    values = rng.uniform(-1, 1, (size, count))
    np.put_along_axis(matrix, chosen, values, axis=1)
    matrix *= radius / spectral_radius(matrix, (np.ascontiguousarray(chosen), values))
    return matrix
