# SPDX-License-Identifier: BSD-3-Clause
"""What decoding refuses."""

import numpy as np
import pytest
from support.decoding import LIMIT, SOURCE, STOP
from support.layers import language_model, refused, translator

import fastrnn as fr
from fastrnn.decoding import beam, sample

BAD_INPUT = {
    "stop": ({"stop": -1}, ValueError, ["stop: expected at least 0, got -1"]),
    "stop type": ({"stop": "."}, TypeError, ["stop: expected an integer, got '.'"]),
    "stop range": ({"stop": 10}, ValueError, ["stop: expected at most 9, the last of the model's symbols, got 10"]),
    "max_length": ({"max_length": 0}, ValueError, ["max_length: expected at least 1, got 0"]),
    "source": ({"source": SOURCE / 1}, TypeError, ["expected integers, got float64"]),
    "symbols": ({"source": SOURCE * 10}, ValueError, ["tokens: expected integers in 0..9, got 10"]),
    "lengths": ({"lengths": [5, 1]}, ValueError, ["lengths: expected 0..4 (the steps of source), got 5 for row 0"]),
    "lengths count": ({"lengths": [1]}, ValueError, ["lengths: expected (2,), one for each row"]),
    "model": ({"model": fr.Linear(3, 4)}, TypeError, ["model: expected a Seq2Seq, a Sequential", "got Linear"]),
}


@pytest.mark.parametrize("make", [translator, language_model])
@pytest.mark.parametrize(("named", "error", "words"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(decode, make, named, error, words):
    arguments = {"model": make(), "source": SOURCE, "lengths": None, "stop": STOP, "max_length": LIMIT} | named
    with refused(error, *words):
        decode(arguments.pop("model"), arguments.pop("source"), arguments.pop("lengths"), **arguments)


BAD_OPTIONS = {
    "temperature": (sample, {"temperature": 0}, ValueError, ["temperature: expected a finite number above 0, got 0"]),
    "top_k": (sample, {"top_k": 0}, ValueError, ["top_k: expected at least 1, got 0"]),
    "seed": (sample, {"seed": -1}, ValueError, ["seed: expected an integer of at least 0", "got -1"]),
    "width": (beam, {"width": 0}, ValueError, ["width: expected at least 1, got 0"]),
    "penalty": (
        beam,
        {"length_penalty": -1},
        ValueError,
        ["length_penalty: expected a finite number of at least 0, got -1"],
    ),
}


@pytest.mark.parametrize(("function", "named", "error", "words"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_are_refused(function, named, error, words):
    with refused(error, *words):
        function(translator(), SOURCE, stop=STOP, max_length=LIMIT, **named)


def test_bad_beginnings_of_a_language_model_are_refused(decode):
    for source, lengths, words in [
        (SOURCE[:0], None, ["source: expected tokens (T, N) with T of at least 1, got (0, 2)"]),
        (SOURCE[0], None, ["source: expected tokens (T, N)", "got (2,)"]),
        (SOURCE, [1, 0], ["lengths: expected at least 1, got 0 for row 1"]),
    ]:
        with refused(ValueError, *words):
            decode(language_model(), source, lengths, stop=STOP, max_length=LIMIT)
    both = fr.Sequential(fr.Embedding(10, 3), fr.GRU(3, 4, bidirectional=True), fr.Linear(8, 10))
    with refused(ValueError, "model: expected layers of one direction"):
        decode(both, SOURCE, stop=STOP, max_length=LIMIT)


def test_a_model_that_gives_nan_is_named(decode):
    model = language_model()
    model.params["2.bias"][3] = np.nan
    with refused(FloatingPointError, "logits: expected finite values from the model, got nan in row 0"):
        decode(model, SOURCE, stop=STOP, max_length=LIMIT)
