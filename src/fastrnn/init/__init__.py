# SPDX-License-Identifier: BSD-3-Clause
"""Initialisers. Each writes parameters of a layer in place and returns the layer.

Every gate is drawn separately: the input weights of an LSTM, (4*H, I), are four matrices (H, I), its recurrent weights
four (H, H), and `fan_in` and `fan_out` in a formula are the columns and rows of one of them. Numbers are drawn in
float64 and rounded to the dtype of the layer. The same `seed` (int, Generator or None) gives the same numbers.

Instead of a layer, a Sequential or a Residual may be passed. The layers inside that a function supports are written one
after another, with the numbers of one generator; other layers (an Embedding, for example) are left unchanged.
"""

from ._biases import chrono, forget_bias
from ._recurrent import identity, orthogonal
from ._weights import he_normal, he_uniform, pytorch, xavier_normal, xavier_uniform

__all__ = [
    "chrono",
    "forget_bias",
    "he_normal",
    "he_uniform",
    "identity",
    "orthogonal",
    "pytorch",
    "xavier_normal",
    "xavier_uniform",
]
