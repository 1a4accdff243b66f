# SPDX-License-Identifier: BSD-3-Clause
"""Units in a readable order."""

import numpy as np
import pytest
from support.layers import refused

from fastrnn.inspect._units.ordering import deviations, order_units


def test_as_numbered():
    assert order_units(np.zeros((3, 4)), None).tolist() == [0, 1, 2, 3]


def test_sorted_by_the_step_furthest_from_the_mean():
    """Up or down, for any level and scale of the unit."""
    values = np.zeros((6, 4))
    values[[4, 1, 5, 0], range(4)] = 2, -0.1, 30, -1
    assert order_units(values + [0, 5, -5, 1], "sorted").tolist() == [3, 1, 0, 2]


def test_clustered_puts_similar_units_together(rng):
    """Three signals, each in four noisy units at random places and levels: the units of a signal are neighbours."""
    signals, which = rng.standard_normal((200, 3)), rng.permutation(np.repeat(range(3), 4))
    values = signals[:, which] * rng.uniform(0.1, 10, 12) + rng.uniform(-5, 5, 12)
    values += 0.01 * rng.standard_normal(values.shape)
    order = order_units(values, "clustered")
    assert sorted(order) == list(range(12))
    assert np.count_nonzero(np.diff(which[order])) == 2


def test_opposite_units_are_the_least_similar():
    """1 - correlation, not its magnitude: a unit and its mirror image end up apart."""
    ramp = np.linspace(0, 1, 9)
    values = np.stack([ramp, -ramp, ramp**2, -(ramp**2)], axis=1)
    order = order_units(values, "clustered").tolist()
    assert {*order[:2]} in ({0, 2}, {1, 3})


@pytest.mark.parametrize("order", [None, "sorted", "clustered"])
def test_constant_units_and_nan_are_ordered_too(order):
    values = np.full((5, 4), 0.1)
    values[:, 1], values[:, 2] = np.nan, np.arange(5)
    assert sorted(order_units(values, order)) == [0, 1, 2, 3]
    assert (deviations(values)[[0, 1, 3]] == 0).all()
    np.testing.assert_allclose(np.square(deviations(values)[2]).sum(), 1)
    assert order_units(np.zeros((1, 1)), order).tolist() == [0]


def test_an_unknown_order_is_refused():
    with refused(ValueError, "order: expected None, 'sorted' or 'clustered', got 'size'"):
        order_units(np.zeros((2, 2)), "size")
