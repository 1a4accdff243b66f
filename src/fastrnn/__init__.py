# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent networks on the CPU at the speed of the hardware."""

import os as _os
from typing import TYPE_CHECKING

from ._engine.threads import (  # first: it sets what _core reads when it is loaded
    get_num_threads,
    isas,
    set_num_threads,
    show_config,
    threads,
)

# isort: split
from . import _core
from . import nn as nn
from ._lazy import lazy as _lazy
from .nn import (
    GRU,
    LSTM,
    RNN,
    Activation,
    CausalConv1d,
    Conv1d,
    Dropout,
    Embedding,
    LastStep,
    LayerNorm,
    Linear,
    MaxPool,
    MeanPool,
    PackedSequence,
    RepeatVector,
    Residual,
    Sequential,
    Stream,
    StreamPool,
    log_softmax,
    pack_sequence,
    sigmoid,
    softmax,
)

if TYPE_CHECKING:
    from . import decoding, init
    from . import distributed as distributed
    from . import export as export
    from . import inspect as inspect
    from . import io as io
    from . import losses as losses
    from . import optim as optim
    from . import reference as reference
    from . import training as training
    from .io import load, load_notes, save
    from .losses import (
        binary_cross_entropy_with_logits,
        cross_entropy,
        ctc_loss,
        huber_loss,
        l1_loss,
        mse_loss,
        quantile_loss,
    )
    from .nn import RLS, Attention, AttentionDecoder, EchoState, Recurrent, Seq2Seq, check_gradients
    from .optim import (
        SGD,
        Adagrad,
        Adam,
        AdamW,
        CosineAnnealingLR,
        CosineAnnealingWarmRestarts,
        ExponentialLR,
        LambdaLR,
        LinearWarmup,
        MultiStepLR,
        NAdam,
        OneCycleLR,
        RAdam,
        ReduceLROnPlateau,
        RMSprop,
        StepLR,
        add_penalty,
        clip_grad_norm,
        clip_grad_value,
    )
    from .training import (
        Batch,
        Batches,
        Checkpoint,
        Predictor,
        evaluate,
        fit,
        load_checkpoint,
        predict,
        save_checkpoint,
        truncated_bptt,
        windows,
    )

__version__: str = _core.__version__

__all__ = [
    "GRU",
    "LSTM",
    "RLS",
    "RNN",
    "SGD",
    "Activation",
    "Adagrad",
    "Adam",
    "AdamW",
    "Attention",
    "AttentionDecoder",
    "Batch",
    "Batches",
    "CausalConv1d",
    "Checkpoint",
    "Conv1d",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "Dropout",
    "EchoState",
    "Embedding",
    "ExponentialLR",
    "LambdaLR",
    "LastStep",
    "LayerNorm",
    "Linear",
    "LinearWarmup",
    "MaxPool",
    "MeanPool",
    "MultiStepLR",
    "NAdam",
    "OneCycleLR",
    "PackedSequence",
    "Predictor",
    "RAdam",
    "RMSprop",
    "Recurrent",
    "ReduceLROnPlateau",
    "RepeatVector",
    "Residual",
    "Seq2Seq",
    "Sequential",
    "StepLR",
    "Stream",
    "StreamPool",
    "add_penalty",
    "binary_cross_entropy_with_logits",
    "check_gradients",
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
    "log_softmax",
    "mse_loss",
    "pack_sequence",
    "predict",
    "quantile_loss",
    "save",
    "save_checkpoint",
    "set_num_threads",
    "show_config",
    "sigmoid",
    "softmax",
    "threads",
    "truncated_bptt",
    "windows",
]

# Public modules. A star import leaves most of them out: `inspect` and `io` are names of the standard library, too.
_MODULES = ("decoding", "distributed", "export", "init", "inspect", "io")
_MODULES += ("losses", "nn", "optim", "reference", "training")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, "__version__"})


if not TYPE_CHECKING:  # to a type checker, a module with __getattr__ has every attribute
    __getattr__ = _lazy(__name__, [".nn", ".io", ".losses", ".optim", ".training"], _MODULES)


if _isa := _os.environ.get("FASTRNN_ISA"):
    try:
        _core.set_isa(_isa)
    except ValueError as _error:
        raise ImportError(f"FASTRNN_ISA: {_error}") from None
