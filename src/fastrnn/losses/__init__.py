# SPDX-License-Identifier: BSD-3-Clause
"""Losses: each returns its value and its gradient."""

from ._classification import binary_cross_entropy_with_logits, cross_entropy
from ._ctc import ctc_loss
from ._regression import huber_loss, l1_loss, mse_loss

__all__ = [
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "ctc_loss",
    "huber_loss",
    "l1_loss",
    "mse_loss",
]
