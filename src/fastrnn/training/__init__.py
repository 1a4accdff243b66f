# SPDX-License-Identifier: BSD-3-Clause
"""Training: `fit`, evaluation, prediction, truncated back-propagation through time, data, and checkpoints."""

from ._data.batch import Batch
from ._data.batches import Batches
from ._data.windows import windows
from ._loop.evaluation import evaluate
from ._loop.fit import fit
from ._loop.metrics import FunctionOfMean, accuracy
from ._loop.prediction import predict
from ._loop.predictor import Predictor
from ._loop.truncated import truncated_bptt
from ._state.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

__all__ = [
    "Batch",
    "Batches",
    "Checkpoint",
    "FunctionOfMean",
    "Predictor",
    "accuracy",
    "evaluate",
    "fit",
    "load_checkpoint",
    "predict",
    "save_checkpoint",
    "truncated_bptt",
    "windows",
]
