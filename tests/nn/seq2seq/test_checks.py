# SPDX-License-Identifier: BSD-3-Clause
"""What Seq2Seq refuses."""

import numpy as np
import pytest
from support.layers import (
    refused,
    translator,
)
from support.seq2seq import V, build, draw

import fastrnn as fr

BAD_ARGUMENTS = {
    "encoder": (lambda: build(fr.Linear(3, 4)), TypeError, ["encoder: expected a recurrent layer", "got Linear"]),
    "encoder type": (lambda: build("GRU"), TypeError, ["encoder: expected Layer, got str"]),
    "embedding": (lambda: build(embedding=fr.Linear(3, 4)), TypeError, ["embedding: expected Embedding, got Linear"]),
    "decoder": (lambda: build(decoder=fr.Linear(3, 4)), TypeError, ["decoder: expected AttentionDecoder or RNN"]),
    "output": (lambda: build(output=fr.GRU(4, V)), TypeError, ["output: expected Linear, got GRU"]),
    "bridge": (lambda: build(bridge=fr.GRU(4, V)), TypeError, ["bridge: expected Linear or None, got GRU"]),
    "both ways": (lambda: build(decoder=fr.GRU(5, 4, bidirectional=True)), ValueError, ["decoder: expected one dir"]),
    "dtype": (lambda: build(embedding=fr.Embedding(V, 5, dtype=float)), ValueError, ["embedding: expected dtype="]),
    "layout": (lambda: build(fr.GRU(3, 4, batch_first=True)), ValueError, ["decoder: expected batch_first=True"]),
    "input": (lambda: build(decoder=fr.GRU(6, 4)), ValueError, ["decoder: expected input_size=5", "got 6"]),
    "features": (lambda: build(output=fr.Linear(5, V)), ValueError, ["output: expected Linear(4, 10)", "(5, 10)"]),
    "symbols": (lambda: build(output=fr.Linear(4, 9)), ValueError, ["output: expected Linear(4, 10)", "Linear(4, 9)"]),
    "start": (lambda: build(start=V), ValueError, ["start: expected at most 9", "got 10"]),
    "sizes": (lambda: build(fr.GRU(3, 6)), ValueError, ["bridge: expected Linear(6, 4)", "6 units", "got None"]),
    "cells": (lambda: build(fr.LSTM(3, 4)), ValueError, ["bridge: expected Linear(8, 4)", "(h, c)", "got None"]),
    "layers": (lambda: build(fr.GRU(3, 4, 2)), ValueError, ["bridge: expected Linear(8, 4)", "2 layers", "got None"]),
    "bridge sizes": (
        lambda: build(fr.LSTM(3, 4), bridge=fr.Linear(4, 4)), ValueError, ["bridge: expected Linear(8, 4)", "(4, 4)"]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_refused(make, error, words):
    with refused(error, *words):
        make()


SOURCE, TARGET = np.ones((6, 2), int), np.ones((5, 2), int)
BAD_INPUT = {
    "source floats": ((SOURCE.astype(float), TARGET), TypeError, ["tokens: expected integers", "float64"]),
    "source rank": ((SOURCE[:, 0], TARGET), ValueError, ["source: expected tokens (T, N)", "got (6,)"]),
    "source range": ((SOURCE * 10, TARGET), ValueError, ["tokens: expected integers in 0..9"]),
    "target rows": ((SOURCE, TARGET[:, :1]), ValueError, ["target: expected tokens (T, N) with N=2", "got (5, 1)"]),
    "target floats": ((SOURCE, TARGET / 1), TypeError, ["target: expected integers", "float64"]),
    "target range": ((SOURCE, TARGET * 10), ValueError, ["tokens: expected integers in 0..9"]),
    "source_lengths": ((SOURCE, TARGET, [7, 1]), ValueError, ["source_lengths: expected 0..6 (the steps of source)"]),
    "target_lengths": (
        (SOURCE, TARGET, None, [1, 6]), ValueError, ["target_lengths: expected 0..5 (the steps of target)", "row 1"]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("provided", "error", "words"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(provided, error, words):
    model = translator()
    for method in (model, model.forward):
        with refused(error, *words):
            method(*provided)


def test_a_memory_that_does_not_fit_is_named():
    """Only a call shows how many features an encoder's output has."""
    attending = fr.AttentionDecoder(fr.GRU(5, 4), fr.Attention(4, 7), fr.Linear(11, 4))
    with refused(ValueError, "memory: expected (T, N, 7)", "got (6, 2, 4)") as caught:
        build(decoder=attending)(np.ones((6, 2, 3), np.float32), TARGET)
    assert "in decoder of Seq2Seq" in caught.value.__notes__[0]


def test_after_a_refused_gradient_the_tape_still_works(make, rng):
    model = make()
    source, target, dlogits = draw(model, rng)
    tape = model.forward(source, target)[2]
    with refused(ValueError, "dlogits: expected (5, 4, 10), the shape of logits", "got (5, 4, 9)"):
        model.backward(tape, dlogits[..., :9])
    with refused(TypeError, "dlogits: expected float32", "got float64"):
        model.backward(tape, dlogits.astype(np.float64))
    assert not any(grad.any() for grad in model.grads.values())
    model.backward(tape, dlogits)
    assert all(grad.any() for grad in model.grads.values())


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_a_single_sequence_of_features_is_named(columns):
    """Also where it has as many features as the target has rows."""
    model = fr.Seq2Seq(fr.GRU(3, 4), fr.Embedding(6, 3), fr.GRU(3, 4), fr.Linear(4, 6))
    for method in (model, model.forward):
        with refused(ValueError, "source: expected features (T, N, 3), as encoder reads them, got (5, 3)"):
            method(np.ones((5, 3), np.float32), np.ones((4, columns), int))
