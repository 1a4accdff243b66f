# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent networks on the CPU at the speed of the hardware."""

import os as _os
from typing import TYPE_CHECKING

from .threads import get_num_threads, isas, set_num_threads, show_config, threads  # first: it loads _core with care

# isort: split
from . import _core, decoding, init
from .adaptive import Adagrad, Adam, AdamW, RMSprop
from .attention import Attention
from .ctc import ctc_loss
from .decoder import AttentionDecoder
from .dropout import Dropout
from .echostate import EchoState
from .files import load, load_notes, save
from .gradients import add_penalty, clip_grad_norm, clip_grad_value
from .layers import Embedding, Linear
from .losses import binary_cross_entropy_with_logits, cross_entropy
from .normalization import LayerNorm
from .optim import SGD
from .pooling import LastStep, MaxPool, MeanPool, RepeatVector
from .recurrent import GRU, LSTM, RNN, Stream
from .regression import huber_loss, l1_loss, mse_loss
from .rls import RLS
from .schedules import CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, StepLR
from .seq2seq import Seq2Seq
from .sequential import Residual, Sequential

if TYPE_CHECKING:
    from .batches import Batches
    from .checkpoints import Checkpoint, load_checkpoint, save_checkpoint
    from .evaluation import evaluate
    from .rows import Batch
    from .training import fit
    from .truncated import truncated_bptt

__version__ = _core.__version__

# Loaded when they are asked for: they take a fifth of the time of an import, and who serves a model does not train.
_LATER = {
    "Batch": "rows",
    "Batches": "batches",
    "Checkpoint": "checkpoints",
    "evaluate": "evaluation",
    "fit": "training",
    "load_checkpoint": "checkpoints",
    "save_checkpoint": "checkpoints",
    "truncated_bptt": "truncated",
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
    from importlib import import_module

    globals()[name] = found = getattr(import_module(f".{_LATER[name]}", __name__), name)
    return found


def __dir__():
    return sorted({*globals(), *_LATER})


if _isa := _os.environ.get("FASTRNN_ISA"):
    try:
        _core.set_isa(_isa)
    except ValueError as _error:
        raise ImportError(f"FASTRNN_ISA: {_error}") from None
