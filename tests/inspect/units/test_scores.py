# SPDX-License-Identifier: BSD-3-Clause
"""AUC and correlation by their definitions."""

import numpy as np
from support.layers import refused

from fastrnn.inspect import auc, correlation


def test_auc_counts_pairs(rng):
    """The definition, pair by pair, with ties."""
    values, target = rng.integers(0, 6, (40, 7)).astype(np.float32), rng.random(40) < 0.3
    higher = values[target][:, None] - values[~target][None]
    expected = ((higher > 0) + 0.5 * (higher == 0)).mean(axis=(0, 1))
    np.testing.assert_allclose(auc(values, target), expected, rtol=1e-12)


def test_auc_of_perfect_and_useless_units():
    target = np.array([True, False, True, False])
    values = np.stack([target, ~target, np.ones(4), [np.nan, 0, 1, 2], [np.inf, 0, 3, -np.inf]], axis=1)
    np.testing.assert_array_equal(auc(values, target), [1, 0, 0.5, np.nan, 1])


def test_correlation_is_pearsons(rng):
    values, target = rng.standard_normal((30, 5)) + 10, rng.standard_normal(30)
    expected = [np.corrcoef(column, target)[0, 1] for column in values.T]
    np.testing.assert_allclose(correlation(values, target), expected, rtol=1e-12)
    values[:, 1], values[3, 2] = 7, np.nan
    assert correlation(values, target)[1] == 0 and np.isnan(correlation(values, target)[2])


def test_constant_units_have_no_correlation(rng):
    """Even where rounding makes the mean differ from the constant."""
    values = np.full((7, 2), [0.1, 1e20], np.float32)
    np.testing.assert_array_equal(correlation(values, rng.standard_normal(7)), [0, 0])


def test_bad_arguments():
    with refused(TypeError, "target: expected True and False, got int64"):
        auc(np.zeros((3, 2)), [1, 0, 1])
    with refused(ValueError, "values, target: expected (steps, units) and (steps,), got shapes (3, 2) and (2,)"):
        correlation(np.zeros((3, 2)), [1, 0])
    with refused(TypeError, "values: expected numbers, or True and False, got <U1"):
        correlation(np.array([["a"]]), [1])
    for target in [True, True], []:
        with refused(ValueError, f"target: expected both True and False, got {len(target)} and 0 of them"):
            auc(np.zeros((len(target), 2)), np.array(target, bool))
    for target in [1, 1], []:
        with refused(ValueError, "target: expected several values, got the same everywhere"):
            correlation(np.zeros((len(target), 2)), target)
