# SPDX-License-Identifier: BSD-3-Clause
"""Regressors: one or several values for each sequence."""

import numpy as np
import pytest
from support.sklearn import few, ragged

from fastrnn.sklearn import ESNRegressor, RNNRegressor


@pytest.fixture(params=[RNNRegressor, ESNRegressor], ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_predictions_are_laid_out_as_the_targets(kind, shape, rng):
    X, y = ragged(rng, 40), rng.standard_normal((40, *shape))
    assert few(kind).fit(X, y).predict(X[:7]).shape == (7, *shape)


def test_the_scale_of_the_targets_does_not_matter(kind, rng):
    X, y = ragged(rng, 40), rng.standard_normal((40, 2))
    small, large = (few(kind).fit(X, targets).predict(X) for targets in (y, 1000 * y + 500))
    np.testing.assert_allclose(large, 1000 * small + 500, rtol=1e-6)


def test_parts_have_targets_of_one_shape(kind, rng):
    X, y = ragged(rng, 40), rng.standard_normal((40, 2))
    estimator = few(kind).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"y: expected targets of shape \(2,\), as before, got \(\)"):
        estimator.partial_fit(X, y[:, 0])
