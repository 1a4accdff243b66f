# SPDX-License-Identifier: BSD-3-Clause
"""The bridge: from the final state of an encoder to the initial state of a decoder."""

import numpy as np
import pytest
from support.layers import (
    assert_same_bits,
    assert_slopes,
    summariser,
)
from support.recurrent import as_tuple
from support.seq2seq import T_S, N, T, V, draw

import fastrnn as fr


def test_without_attention_the_bridge_is_all_that_passes(rng):
    """All states of the encoder side by side, through one layer, are all of the decoder's."""
    model = summariser()
    source, target, _ = draw(model, rng)
    _, ((h, c),) = model.encoder(source)
    z = np.concatenate([array[k] for array in (h, c) for k in range(4)], axis=-1)
    first = np.tanh(model.bridge(z))
    read = np.concatenate([np.zeros((1, N), int), target[:-1]])
    y, _ = model.decoder(model.embedding(read), np.stack([first[:, :3], first[:, 3:]]))
    logits, weights = model(source, target)
    assert weights is None
    assert_same_bits(logits, model.output(y))


ENCODERS = {  # what is around the last recurrent layer, and where its state then stands
    "alone": (lambda inner: inner, None),
    "last but one": (lambda inner: fr.Sequential(inner, fr.Sequential(fr.Dropout(0.0, dtype=float))), 0),
    "deep inside": (
        lambda inner: fr.Residual(fr.Sequential(fr.LSTM(3, 3, dtype=float), inner, fr.Linear(4, 3, dtype=float))), 1
    ),
}  # fmt: skip


@pytest.mark.parametrize(("around", "place"), ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU])
def test_layer_by_layer_the_decoder_begins_where_the_encoder_ended(kind, around, place, rng):
    """Without a layer in the bridge, both directions side by side; its gradient goes back to both."""
    model = fr.Seq2Seq(
        around(kind(3, 2, 2, bidirectional=True, dtype=float, seed=0)), fr.Embedding(V, 2, dtype=float, seed=1),
        kind(2, 4, 2, dtype=float, seed=2), fr.Linear(4, V, dtype=float, seed=3),
    )  # fmt: skip
    source, target = rng.standard_normal((T_S, N, 3)), rng.integers(0, V, (T, N))
    dlogits = rng.standard_normal((T, N, V))
    state = model.encoder(source)[1]
    ended, initial = state if place is None else state[place], model.begin(source)[1]
    for ends, first in zip(as_tuple(ended), as_tuple(initial), strict=True):
        for layer in range(2):
            assert_same_bits(first[layer], np.concatenate([ends[2 * layer], ends[2 * layer + 1]], axis=-1))
    dsource = model.backward(model.forward(source, target)[2], dlogits)
    assert_slopes(dsource, lambda: (model(source, target)[0] * dlogits).sum(), source, "source")
