# SPDX-License-Identifier: BSD-3-Clause
"""Random matrices with a requested spectral radius."""

import numpy as np
import pytest

from fastrnn.nn._reservoir.spectral import arnoldi_radius, random_matrix, spectral_radius


def exact(matrix):
    return np.abs(np.linalg.eigvals(matrix)).max()


def test_the_radius_of_matrices_whose_radius_is_known(rng):
    """A rotation has complex eigenvalues of magnitude 1, a triangle its diagonal, a nilpotent matrix nothing."""
    angle = 0.3
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    triangle = np.triu(rng.uniform(-1, 1, (6, 6)))
    np.fill_diagonal(triangle, [0.1, -3.0, 2.0, 0.5, 1.0, 0.0])
    for matrix, radius in ((rotation, 1), (2.5 * rotation, 2.5), (triangle, 3), (np.zeros((3, 3)), 0)):
        assert spectral_radius(matrix) == pytest.approx(radius, rel=1e-12)


@pytest.mark.parametrize("density", [0.02, 0.1, 1.0])
def test_arnoldi_iteration_finds_what_all_eigenvalues_say(density, rng):
    """On matrices as reservoirs have them, within the accuracy that the docstring states."""
    matrix = random_matrix(rng, 600, density, 1.0)
    assert arnoldi_radius(matrix) == pytest.approx(exact(matrix), rel=1e-7)


@pytest.mark.parametrize("size", [251, 400])
@pytest.mark.parametrize("count", [1, 2, 3, 60, 140])
def test_few_entries_in_a_row_or_many_have_the_stated_accuracy(count, size, rng):
    """Multiple eigenvalues and few distinct ones, products with the entries alone and with the whole matrix."""
    matrix = random_matrix(rng, size, count / size, 0.9)
    assert exact(matrix) == pytest.approx(0.9, rel=1e-7)
    assert spectral_radius(matrix) == arnoldi_radius(matrix)


@pytest.mark.parametrize("count", [3, 60, 140])
def test_the_entries_that_are_not_0_are_the_whole_matrix(count, rng):
    """Products with these alone, in any order, and with all; more than a quarter are not taken one by one."""
    columns, values = rng.permuted(np.tile(np.arange(300), (300, 1)), axis=1)[:, :count], rng.normal(size=(300, count))
    matrix = np.zeros((300, 300))
    np.put_along_axis(matrix, columns, values, axis=1)
    entries = np.ascontiguousarray(columns), values
    assert spectral_radius(matrix, entries) == pytest.approx(spectral_radius(matrix), rel=1e-9)
    assert spectral_radius(matrix, entries) == pytest.approx(exact(matrix), rel=1e-7)


@pytest.mark.parametrize("size", [1, 3, 49, 50, 51, 130])
def test_arnoldi_iteration_ends_with_the_whole_space(size, rng):
    """With fewer directions than steps, too, or with a multiple of them."""
    matrix = rng.standard_normal((size, size))
    assert arnoldi_radius(matrix) == pytest.approx(exact(matrix), rel=1e-9)


def test_arnoldi_iteration_ends_where_there_is_no_new_direction(rng):
    """A multiple of the identity has nothing but the first vector; of rank one, two."""
    assert arnoldi_radius(3 * np.eye(120)) == pytest.approx(3, rel=1e-12)
    a, b = rng.standard_normal((2, 120))
    assert arnoldi_radius(np.outer(a, b)) == pytest.approx(abs(a @ b), rel=1e-9)
    assert arnoldi_radius(np.zeros((120, 120))) == 0


@pytest.mark.slow
def test_a_large_matrix_has_the_requested_radius(rng):
    """Above the size where all eigenvalues are computed; here they are, once."""
    assert exact(random_matrix(rng, 1500, 0.01, 0.9)) == pytest.approx(0.9, rel=1e-7)


@pytest.mark.parametrize("radius", [0.0, 0.5, 0.95, 1.3])
@pytest.mark.parametrize("density", [1e-9, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("size", [1, 2, 37])
def test_a_random_matrix_has_the_requested_radius_and_density(size, density, radius, rng):
    """The same number of entries in every row, never none."""
    matrix = random_matrix(rng, size, density, radius)
    assert matrix.shape == (size, size) and np.isfinite(matrix).all()
    assert exact(matrix) == pytest.approx(radius, rel=1e-9)
    if radius:
        assert (np.count_nonzero(matrix, axis=1) == max(1, round(density * size))).all()


def test_the_columns_of_a_random_matrix_are_chosen_anew_in_every_row(rng):
    """Each unit is read by about as many as it reads: here 20 on average, and never none."""
    readers = np.count_nonzero(random_matrix(rng, 200, 0.1, 1.0), axis=0)
    assert readers.mean() == 20 and 5 < readers.min() and readers.max() < 40
