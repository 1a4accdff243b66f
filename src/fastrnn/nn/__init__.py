# SPDX-License-Identifier: BSD-3-Clause
"""Layers: recurrent and other layers, and containers that combine them."""

from typing import TYPE_CHECKING

from .._engine.arguments import Interval
from .._lazy import lazy as _lazy
from ._activation import Activation
from ._container import Container
from ._convolution.causal import CausalConv1d
from ._convolution.conv1d import Conv1d
from ._dropout import Dropout
from ._embedding import Embedding
from ._functional import log_softmax, sigmoid, softmax
from ._layer import Layer
from ._linear import Linear
from ._normalization import LayerNorm
from ._option import KW_ONLY
from ._options import Choice, DType, Flag, Number, Seed, Size, Sublayer
from ._packed import PackedSequence, pack_sequence
from ._parameters import Parameters
from ._pooling import LastStep, MaxPool, MeanPool
from ._recurrent.gru import GRU
from ._recurrent.lstm import LSTM
from ._recurrent.rnn import RNN
from ._recurrent.stream import Stream
from ._repeat import RepeatVector
from ._residual import Residual
from ._sequential import Sequential
from ._stateful import StatefulLayer
from ._stateless import StatelessLayer
from ._streams.pool import StreamPool
from ._tape import Tape

if TYPE_CHECKING:
    from ._attention.attention import Attention
    from ._attention.decoder import AttentionDecoder
    from ._cells.cell import Cell
    from ._cells.recurrent import Recurrent
    from ._gradient_check.check import GradientCheck, check_gradients
    from ._reservoir.echo_state import EchoState
    from ._reservoir.rls import RLS
    from ._seq2seq.model import Seq2Seq
    from ._summary import Summary

__all__ = [
    "GRU",
    "KW_ONLY",
    "LSTM",
    "RLS",
    "RNN",
    "Activation",
    "Attention",
    "AttentionDecoder",
    "CausalConv1d",
    "Cell",
    "Choice",
    "Container",
    "Conv1d",
    "DType",
    "Dropout",
    "EchoState",
    "Embedding",
    "Flag",
    "GradientCheck",
    "Interval",
    "LastStep",
    "Layer",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "MeanPool",
    "Number",
    "PackedSequence",
    "Parameters",
    "Recurrent",
    "RepeatVector",
    "Residual",
    "Seed",
    "Seq2Seq",
    "Sequential",
    "Size",
    "StatefulLayer",
    "StatelessLayer",
    "Stream",
    "StreamPool",
    "Sublayer",
    "Summary",
    "Tape",
    "check_gradients",
    "log_softmax",
    "pack_sequence",
    "sigmoid",
    "softmax",
]

if not TYPE_CHECKING:
    __getattr__ = _lazy(
        __name__,
        [
            "._attention.attention",
            "._attention.decoder",
            "._seq2seq.model",
            "._reservoir.rls",
            "._cells.cell",
            "._cells.recurrent",
            "._gradient_check.check",
            "._summary",
        ],
    )
