# SPDX-License-Identifier: BSD-3-Clause
"""What AttentionDecoder refuses."""

import numpy as np
import pytest
from support.layers import attention_decoder, refused, snapshot

import fastrnn as fr


def make(layer=None, attention=None, combine=None, **options):
    """A decoder of layers that fit, except for those provided."""
    layers = layer or fr.GRU(3, 4), attention or fr.Attention(4, 6), combine or fr.Linear(10, 5)
    return fr.AttentionDecoder(*layers, **options)


BAD_ARGUMENTS = {
    "layer": (lambda: make(fr.Linear(3, 4)), TypeError, ["layer: expected RNN or LSTM or GRU, got Linear"]),
    "attention": (lambda: make(attention=fr.Linear(3, 4)), TypeError, ["attention: expected Attention, got Linear"]),
    "combine": (lambda: make(combine=fr.Dropout()), TypeError, ["combine: expected Linear, got Dropout"]),
    "both ways": (lambda: make(fr.GRU(3, 2, bidirectional=True)), ValueError, ["layer: expected one direction"]),
    "dtype": (lambda: make(combine=fr.Linear(10, 5, dtype=float)), ValueError, ["combine: expected dtype=float32"]),
    "layout": (lambda: make(fr.GRU(3, 4, batch_first=True)), ValueError, ["attention: expected batch_first=True"]),
    "query": (lambda: make(attention=fr.Attention(5, 5)), ValueError, ["attention: expected query_size=4", "got 5"]),
    "sum": (lambda: make(combine=fr.Linear(4, 5)), ValueError, ["combine: expected in_features=6 + 4", "got 4"]),
    "room": (lambda: make(input_feeding=True), ValueError, ["layer: expected an input_size above 5", "got 3"]),
    "flag": (lambda: make(input_feeding=1), TypeError, ["input_feeding: expected True or False, got 1"]),
    "masks": (
        lambda: make(fr.GRU(9, 4, recurrent_dropout=0.5), input_feeding=True), ValueError, ["got recurrent_dropout"]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("build", "error", "words"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_refused(build, error, words):
    with refused(error, *words):
        build()


def ones(*shape):
    return np.ones(shape, np.float32)


X, MEMORY = ones(4, 2, 3), ones(5, 2, 3)
BAD_INPUT = {
    "x double": ((X.astype(float), MEMORY), {}, TypeError, ["x: expected float32", "got float64"]),
    "x width": ((ones(4, 2, 9), MEMORY), {}, ValueError, ["x: expected (T, N, 3), got (4, 2, 9)"]),
    "x unbatched": ((ones(4, 3), MEMORY), {}, ValueError, ["x: expected (T, N, 3), got (4, 3)"]),
    "memory width": ((X, ones(5, 2, 4)), {}, ValueError, ["memory: expected (T, N, 3) with N=2", "got (5, 2, 4)"]),
    "memory rows": ((X, ones(5, 3, 3)), {}, ValueError, ["memory: expected (T, N, 3) with N=2", "got (5, 3, 3)"]),
    "memory None": ((X, None), {}, TypeError, ["memory: expected float32", "got None"]),
    "lengths": ((X, MEMORY), {"lengths": [5, 1]}, ValueError, ["lengths: expected 0..4 (the steps of x), got 5"]),
    "memory_lengths": (
        (X, MEMORY), {"memory_lengths": [1, 6]}, ValueError, ["memory_lengths: expected 0..5 (the steps of memory)"]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("provided", "named", "error", "words"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(fed, provided, named, error, words):
    decoder = attention_decoder(input_feeding=fed)
    for method in (decoder, decoder.forward):
        with refused(error, *words):
            method(*provided, **named)


def test_bad_states_are_refused():
    decoder, fed = attention_decoder(), attention_decoder(input_feeding=True)
    h = ones(1, 2, 4)
    with refused(ValueError, "state[h]: expected (1, 2, 4), got (1, 3, 4)"):
        decoder(X, MEMORY, (ones(1, 3, 4), h))
    with refused(TypeError, "state: expected a pair, the state of the layer and the last y, got ndarray"):
        fed(X, MEMORY, h)
    with refused(TypeError, "state[0]: expected a tuple (h, c), got ndarray"):
        fed(X, MEMORY, (h, h))
    with refused(ValueError, "state[1]: expected (1, 2, 5), got (1, 2, 4)"):
        fed(X, MEMORY, ((h, h), h))


def test_after_a_refused_gradient_the_tape_still_works(fed):
    """Nothing has been added to the gradients."""
    decoder = attention_decoder(input_feeding=fed)
    y, state, weights, tape = decoder.forward(X, MEMORY)
    before = snapshot(decoder.grads)
    with refused(ValueError, "dy: expected (4, 2, 5)", "got (4, 2, 3)"):
        decoder.backward(tape, X)
    with refused(ValueError, "dweights: expected (4, 2, 5), the shape of the weights", "got (4, 2, 3)"):
        decoder.backward(tape, y, None, X)
    with refused(TypeError, "dstate"):
        decoder.backward(tape, y, ones(1, 2, 4))
    assert all((decoder.grads[name] == before[name]).all() for name in before)
    decoder.backward(tape, y, state, weights)
    assert not y.flags.writeable
