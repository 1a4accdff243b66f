# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch modules that run on fastrnn: `LSTM`, `GRU` and `RNN`, and `accelerate` for whole models.

Needs PyTorch: ``pip install "fastrnn[torch]"``.
"""

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:
    raise ImportError('fastrnn.torch needs PyTorch: pip install "fastrnn[torch]"') from _error

from ._accelerate import accelerate, restore
from ._modules import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "accelerate", "restore"]
