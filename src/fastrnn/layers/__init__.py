# SPDX-License-Identifier: BSD-3-Clause
"""Layers that are not recurrent, and `Sequential` and `Residual`, which put layers together."""

from .dropout import Dropout
from .linear import Embedding, Linear
from .normalization import LayerNorm
from .pooling import LastStep, MaxPool, MeanPool, RepeatVector
from .sequential import Residual, Sequential

__all__ = [
    "Dropout",
    "Embedding",
    "LastStep",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "MeanPool",
    "RepeatVector",
    "Residual",
    "Sequential",
]
