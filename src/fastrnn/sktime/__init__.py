# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers, regressors and a forecaster for sktime. Needs sktime: ``pip install "fastrnn[sktime]"``."""

try:
    import sktime as _sktime  # noqa: F401  # pyright: ignore[reportMissingImports]
except ImportError:
    raise ImportError('fastrnn.sktime needs sktime: pip install "fastrnn[sktime]"') from None

from ._estimators import ESNClassifier, ESNRegressor, RNNClassifier, RNNRegressor
from ._forecaster import RNNForecaster

__all__ = ["ESNClassifier", "ESNRegressor", "RNNClassifier", "RNNForecaster", "RNNRegressor"]
