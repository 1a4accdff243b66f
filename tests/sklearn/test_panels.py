# SPDX-License-Identifier: BSD-3-Clause
"""What the estimators for sktime and aeon share, without either."""

import numpy as np
import pandas as pd

from fastrnn.sklearn import _panels


def test_channels_come_last(rng):
    X = rng.standard_normal((3, 2, 5))
    for form in (X, list(X), [pd.DataFrame(each.T) for each in X]):
        np.testing.assert_array_equal(np.stack(list(_panels.sequences_of(form))), X.transpose(0, 2, 1))


def test_an_estimator_has_the_parameters_of_the_one_inside():
    for kind in (_panels.RNNClassifier, _panels.RNNRegressor, _panels.ESNClassifier, _panels.ESNRegressor):
        assert list(kind._options) == list(kind._kind._options)
        assert all(getattr(kind._kind(**options), name) == options[name] for options in kind._small for name in options)
