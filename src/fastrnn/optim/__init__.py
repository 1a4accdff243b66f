# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers, which turn gradients into updates, and schedules of their learning rates."""

from ._adaptive import Adagrad, Adam, AdamW, RMSprop
from ._clipping import clip_grad_norm, clip_grad_value
from ._hyperparameters import Hyperparameter
from ._optimizer import Optimizer
from ._penalty import add_penalty
from ._schedules import CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, StepLR
from ._sgd import SGD
from ._trainable import Trainable

__all__ = [
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "Hyperparameter",
    "LinearWarmup",
    "Optimizer",
    "RMSprop",
    "ReduceLROnPlateau",
    "SGD",
    "StepLR",
    "Trainable",
    "add_penalty",
    "clip_grad_norm",
    "clip_grad_value",
]
