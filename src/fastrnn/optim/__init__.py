# SPDX-License-Identifier: BSD-3-Clause
"""Optimizers and learning rate schedules."""

from .._engine.arguments import Interval
from ..nn._options import Choice, Flag, Number, Size
from ._adam import Adam, AdamW
from ._adaptive import Adagrad, RMSprop
from ._clipping import clip_grad_norm, clip_grad_value
from ._deprecated import Hyperparameter
from ._nadam import NAdam
from ._optimizer import Optimizer
from ._penalty import add_penalty
from ._radam import RAdam
from ._schedules.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from ._schedules.lambda_lr import LambdaLR
from ._schedules.one_cycle import OneCycleLR
from ._schedules.plateau import ReduceLROnPlateau
from ._schedules.schedule import Schedule
from ._schedules.step import ExponentialLR, MultiStepLR, StepLR
from ._schedules.warmup import LinearWarmup
from ._sgd import SGD
from ._trainable import JoinedModels, Trainable

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Choice",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "Flag",
    "Hyperparameter",
    "Interval",
    "JoinedModels",
    "LambdaLR",
    "LinearWarmup",
    "MultiStepLR",
    "NAdam",
    "Number",
    "OneCycleLR",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "Schedule",
    "Size",
    "StepLR",
    "Trainable",
    "add_penalty",
    "clip_grad_norm",
    "clip_grad_value",
]
