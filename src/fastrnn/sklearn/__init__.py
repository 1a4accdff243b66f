# SPDX-License-Identifier: BSD-3-Clause
"""scikit-learn estimators for sequences. They need scikit-learn: ``pip install "fastrnn[sklearn]"``."""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise ImportError('fastrnn.sklearn needs scikit-learn: pip install "fastrnn[sklearn]"') from None

from ._echo_state import ESNClassifier, ESNRegressor
from ._forecaster import RNNForecaster
from ._recurrent import RNNClassifier, RNNRegressor

__all__ = ["ESNClassifier", "ESNRegressor", "RNNClassifier", "RNNForecaster", "RNNRegressor"]
