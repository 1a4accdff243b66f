# SPDX-License-Identifier: BSD-3-Clause
"""Classifiers and regressors for aeon. Needs aeon: ``pip install "fastrnn[aeon]"``."""

try:
    import aeon as _aeon  # noqa: F401  # pyright: ignore[reportMissingImports]
except ImportError:
    raise ImportError('fastrnn.aeon needs aeon: pip install "fastrnn[aeon]"') from None

from ._estimators import ESNClassifier, ESNRegressor, RNNClassifier, RNNRegressor

__all__ = ["ESNClassifier", "ESNRegressor", "RNNClassifier", "RNNRegressor"]
