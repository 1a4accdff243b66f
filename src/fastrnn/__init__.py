# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent networks on the CPU at the speed of the hardware."""

import os as _os
from typing import TYPE_CHECKING

from ._engine.threads import (  # first: it loads _core with care
    get_num_threads,
    isas,
    set_num_threads,
    show_config,
    threads,
)

# isort: split
from . import _core, decoding, init
from .io import load, load_notes, save
from .losses import binary_cross_entropy_with_logits, cross_entropy, ctc_loss, huber_loss, l1_loss, mse_loss
from .nn import (
    GRU,
    LSTM,
    RLS,
    RNN,
    Attention,
    AttentionDecoder,
    Dropout,
    EchoState,
    Embedding,
    LastStep,
    LayerNorm,
    Linear,
    MaxPool,
    MeanPool,
    RepeatVector,
    Residual,
    Seq2Seq,
    Sequential,
    Stream,
)
from .optim import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CosineAnnealingLR,
    LinearWarmup,
    ReduceLROnPlateau,
    RMSprop,
    StepLR,
    add_penalty,
    clip_grad_norm,
    clip_grad_value,
)

if TYPE_CHECKING:
    from .training import Batch, Batches, Checkpoint, evaluate, fit, load_checkpoint, save_checkpoint, truncated_bptt

__version__ = _core.__version__

# What `training` holds is loaded when it is asked for: it takes a fifth of the time of an import, and who serves a
# model does not train.
_LATER = {
    "Batch",
    "Batches",
    "Checkpoint",
    "evaluate",
    "fit",
    "load_checkpoint",
    "save_checkpoint",
    "truncated_bptt",
}

__all__ = [
    "GRU",
    "LSTM",
    "RLS",
    "RNN",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Attention",
    "AttentionDecoder",
    "Batch",
    "Batches",
    "Checkpoint",
    "CosineAnnealingLR",
    "Dropout",
    "EchoState",
    "Embedding",
    "LastStep",
    "LayerNorm",
    "Linear",
    "LinearWarmup",
    "MaxPool",
    "MeanPool",
    "RMSprop",
    "ReduceLROnPlateau",
    "RepeatVector",
    "Residual",
    "Seq2Seq",
    "Sequential",
    "StepLR",
    "Stream",
    "add_penalty",
    "binary_cross_entropy_with_logits",
    "clip_grad_norm",
    "clip_grad_value",
    "cross_entropy",
    "ctc_loss",
    "decoding",
    "evaluate",
    "fit",
    "get_num_threads",
    "huber_loss",
    "init",
    "isas",
    "l1_loss",
    "load",
    "load_checkpoint",
    "load_notes",
    "mse_loss",
    "save",
    "save_checkpoint",
    "set_num_threads",
    "show_config",
    "threads",
    "truncated_bptt",
]


def __getattr__(name):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import training

    globals().update((later, getattr(training, later)) for later in _LATER)
    return globals()[name]


def __dir__():
    return sorted({*globals(), *_LATER})


if _isa := _os.environ.get("FASTRNN_ISA"):
    try:
        _core.set_isa(_isa)
    except ValueError as _error:
        raise ImportError(f"FASTRNN_ISA: {_error}") from None
