# SPDX-License-Identifier: BSD-3-Clause
"""Losses. Each function returns the value of the loss and its gradient with respect to its first argument.

The value is a `Mean`, a float that can be added to those of other batches.
"""

from ._binary_cross_entropy import binary_cross_entropy_with_logits
from ._cross_entropy import cross_entropy
from ._ctc import ctc_loss
from ._huber import huber_loss
from ._linear_cross_entropy import linear_cross_entropy
from ._mean import Mean, Sum
from ._quantile import quantile_loss
from ._regression import l1_loss, mse_loss

__all__ = [
    "Mean",
    "Sum",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "ctc_loss",
    "huber_loss",
    "l1_loss",
    "linear_cross_entropy",
    "mse_loss",
    "quantile_loss",
]
