# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers, which turn gradients into updates, and schedules of their hyper-parameters."""

from .adaptive import Adagrad, Adam, AdamW, RMSprop
from .hyperparameters import Hyperparameter
from .optimizer import SGD, Optimizer
from .schedules import CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, StepLR

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
]
