# SPDX-License-Identifier: BSD-3-Clause
"""What the estimators for sktime and aeon share, without either."""

import numpy as np
import pandas as pd
import pytest

from fastrnn.sklearn import _panels


def test_channels_come_last(rng):
    X = rng.standard_normal((3, 2, 5))
    for form in (X, list(X), [pd.DataFrame(each.T) for each in X]):
        np.testing.assert_array_equal(np.stack(list(_panels.sequences_of(form))), X.transpose(0, 2, 1))


def test_an_estimator_has_the_parameters_of_the_one_inside():
    for kind in (_panels.RNNClassifier, _panels.RNNRegressor, _panels.ESNClassifier, _panels.ESNRegressor):
        assert list(kind._options) == list(kind._kind._options)
        assert all(getattr(kind._kind(**options), name) == options[name] for options in kind._small for name in options)


def test_columns_are_those_of_the_first_series_and_of_fit(rng):
    """In their order; arrays have none."""
    frames = [pd.DataFrame(rng.standard_normal((4, 2)), columns=["a", "b"]) for _ in range(3)]
    assert _panels.columns_of(frames) == ("a", "b") and _panels.columns_of(np.ones((3, 2, 4))) is None
    turned = [frame[["b", "a"]] for frame in frames]
    with pytest.raises(ValueError, match=r"X\[2\]: expected the columns \['a', 'b'\], those of X\[0\]"):
        _panels.columns_of([*frames[:2], turned[2]])
    with pytest.raises(ValueError, match=r"X\[0\]: expected the columns \['a', 'b'\], those of fit"):
        _panels.columns_of(turned, ("a", "b"))
    with pytest.raises(ValueError, match="X: expected at least one series"):
        _panels.columns_of([])
