# SPDX-License-Identifier: BSD-3-Clause
"""One layer of every public class and of every variant, with an input for it."""

import numpy as np
from support.cells import recurrent
from support.layers import (
    attention_decoder,
    echo_state,
    language_model,
    learned_state,
    mixed_model,
    pooled_model,
    summariser,
    translator,
)

import fastrnn as fr

X = np.linspace(-1, 1, 5 * 3 * 3).reshape(5, 3, 3)
TOKENS_2D = np.array([[1, 2, 3], [3, 3, 0], [9, 1, 1], [0, 1, 2], [3, 4, 5]])

# name -> (make(dtype, seed), input, or a tuple of inputs)
LAYERS = {
    "RNN": (lambda **kw: fr.RNN(3, 4, nonlinearity="selu", **kw), X),
    "LSTM": (lambda **kw: fr.LSTM(3, 4, 2, bidirectional=True, **kw), X),
    "LSTM, batch first": (lambda **kw: fr.LSTM(3, 4, bias=False, batch_first=True, **kw), X),
    "LSTM, initial state": (learned_state, X),
    "GRU": (lambda **kw: fr.GRU(3, 4, 2, **kw), X),
    "GRU, reset before": (lambda **kw: fr.GRU(3, 4, reset_after=False, **kw), X),
    "Linear": (lambda **kw: fr.Linear(3, 4, **kw), X),
    "Linear, no bias": (lambda **kw: fr.Linear(3, 4, bias=False, **kw), X),
    "Embedding": (lambda **kw: fr.Embedding(10, 4, **kw), TOKENS_2D),
    "Embedding, padding": (lambda **kw: fr.Embedding(10, 4, padding_idx=-1, **kw), TOKENS_2D),
    "EchoState": (echo_state, X),
    "Activation": (lambda dtype, seed: fr.Activation("softplus", dtype=dtype), X),
    "Activation, softmax": (lambda dtype, seed: fr.Activation("softmax", dtype=dtype), X),
    "CausalConv1d": (lambda **kw: fr.CausalConv1d(3, 4, 2, dilation=2, **kw), X),
    "Conv1d": (lambda **kw: fr.Conv1d(3, 4, 3, stride=2, padding=1, **kw), X),
    "Conv1d, groups": (lambda **kw: fr.Conv1d(3, 6, 2, groups=3, dilation=2, bias=False, batch_first=True, **kw), X),
    "Dropout": (lambda **kw: fr.Dropout(0.0, **kw), X),  # without chance: with it, see test_dropout
    "Attention": (lambda **kw: fr.Attention(3, 2, **kw), (X, X[:2, :, :2])),
    "Attention, dot": (lambda **kw: fr.Attention(3, 3, score="dot", **kw), (X, X[:2])),
    "Attention, scaled": (lambda **kw: fr.Attention(3, 3, score="scaled_dot", **kw), (X, X[:2])),
    "Attention, general": (lambda **kw: fr.Attention(3, 2, score="general", **kw), (X, X[:2, :, :2])),
    "AttentionDecoder": (attention_decoder, (X, X[:2])),
    "AttentionDecoder, fed": (lambda **kw: attention_decoder(input_feeding=True, **kw), (X, X[:2])),
    "LayerNorm": (lambda dtype, seed: fr.LayerNorm(3, dtype=dtype), X),
    "LastStep": (lambda dtype, seed: fr.LastStep(dtype=dtype), X),
    "LastStep, both": (lambda dtype, seed: fr.LastStep(bidirectional=True, dtype=dtype), X[..., :2]),
    "MeanPool": (lambda dtype, seed: fr.MeanPool(batch_first=True, dtype=dtype), X),
    "MaxPool": (lambda dtype, seed: fr.MaxPool(dtype=dtype), X),
    "Recurrent": (recurrent, X),
    "RepeatVector": (lambda dtype, seed: fr.RepeatVector(4, dtype=dtype), X[0]),
    "Residual": (lambda **kw: fr.Residual(fr.GRU(3, 3, **kw)), X),
    "Residual, no state": (lambda **kw: fr.Residual(fr.Linear(3, 3, **kw)), X),
    "Seq2Seq": (translator, (TOKENS_2D[::-1], TOKENS_2D)),
    "Seq2Seq, fed": (lambda **kw: translator(input_feeding=True, **kw), (TOKENS_2D[:2], TOKENS_2D)),
    "Seq2Seq, no attention": (summariser, (X, TOKENS_2D[:3])),
    "Sequential": (mixed_model, X),
    "Sequential, tokens": (language_model, TOKENS_2D),
    "Sequential, pooled": (pooled_model, X),
    "Sequential, residual": (lambda **kw: fr.Sequential(fr.Residual(fr.Sequential(fr.LSTM(3, 3, **kw)))), X),
}
WITH_PARAMETERS = {name: case for name, case in LAYERS.items() if case[0](dtype=np.float32, seed=0).params}


def each(x):
    """The inputs, as a tuple."""
    return x if isinstance(x, tuple) else (x,)


def inputs(case, dtype=np.float32):
    cast = tuple(x.astype(dtype) if x.dtype == np.float64 else x for x in each(case[1]))
    return cast if isinstance(case[1], tuple) else cast[0]


def first(results):
    """y or dx: what comes first, where a state or more comes too."""
    return results[0] if isinstance(results, tuple) else results


def call(layer, x):
    """y of a call."""
    return first(layer(*each(x)))


def step(layer, x):
    """One step of training with an upstream gradient of ones: y and dx."""
    y, *_, tape = layer.forward(*each(x))
    return y, first(layer.backward(tape, np.ones_like(y)))


def memory(layer):
    return [*layer.params.values(), *layer.grads.values()]
