# SPDX-License-Identifier: BSD-3-Clause
"""Central differences along entries and directions."""

import numpy as np

from fastrnn.nn._gradient_check.differences import Probe


def probe(loss, step=1e-5, entries=100):
    return Probe(loss, step, 1e-12, entries, np.random.default_rng(0))


def test_a_slope_has_the_error_of_the_third_derivative():
    """The difference of a cube over +-h is 3 v^2 + h^2; h is relative for an entry above 1."""
    for value in (0.5, 4.0):
        array = np.array([value])
        h = 0.01 * max(1, value)
        slope = probe(lambda: float(array[0] ** 3), step=0.01).along(array, (0,))  # noqa: B023
        assert abs(slope - (3 * value**2 + h**2)) < 1e-9
        assert array[0] == value


def test_entries_and_directions_agree_on_a_quadratic(rng):
    array = rng.standard_normal((5, 7))
    loss = lambda: float((array**2).sum())  # noqa: E731
    for entries in (100, 10):
        assert probe(loss, entries=entries).compare("a", array, 2 * array).error < 1e-8
        wrong = 2 * array
        wrong[3, 2] += 1
        worst = probe(loss, entries=entries).compare("a", array, wrong)
        assert worst.index == (3, 2) and abs(worst.backward - worst.differences - 1) < 1e-8


def test_a_loss_that_is_not_a_number_is_an_error():
    array = np.ones(3)
    assert not probe(lambda: float("nan")).compare("a", array, np.zeros(3)).error < 1
