# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers, which turn gradients into updates, and schedules of their learning rates."""

from ._adaptive import Adagrad, Adam, AdamW, RMSprop
from ._gradients import add_penalty, clip_grad_norm, clip_grad_value
from ._hyperparameters import Hyperparameter
from ._optimizer import Optimizer
from ._schedules import CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, StepLR
from ._sgd import SGD

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
    "add_penalty",
    "clip_grad_norm",
    "clip_grad_value",
]
