# SPDX-License-Identifier: BSD-3-Clause
"""Hyper-parameter search with optuna: `PruningCallback` stops unpromising trials of `fastrnn.fit`.

Needs optuna: ``pip install "fastrnn[optuna]"``.
"""

try:
    import optuna as _optuna  # noqa: F401
except ImportError as _error:
    raise ImportError('fastrnn.optuna needs optuna: pip install "fastrnn[optuna]"') from _error

from ._pruning import PruningCallback

__all__ = ["PruningCallback"]
