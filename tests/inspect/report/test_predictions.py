# SPDX-License-Identifier: BSD-3-Clause
"""Influence in windows is the part of the gradient over the whole sequence that lies in the window."""

import numpy as np
import pytest
from support.layers import pooled_model
from support.tolerance import central_differences

import fastrnn as fr
from fastrnn.inspect import trace
from fastrnn.inspect._report import predictions
from fastrnn.inspect._report.predictions import is_causal, recent_influence

OWN = {"dtype": np.float64}


def deep(V=5, **options):
    """Nested layers with every kind of state, and with every kind of dropout, which influence must ignore."""
    chance = {"zoneout": 0.2, "recurrent_dropout": 0.5}
    return fr.Sequential(
        fr.Embedding(V, 3, **OWN, seed=0),
        fr.Dropout(0.5, **OWN),
        fr.LSTM(3, 4, 2, dropout=0.5, **chance, **options, **OWN, seed=1),
        fr.Sequential(fr.Residual(fr.GRU(4, 4, **options, **OWN, seed=2)), fr.RNN(4, 3, **options, **OWN, seed=3)),
        fr.Linear(3, V, **OWN, seed=4),
    )


def gradients(model, vectors, chosen, softmax):
    """By central differences over the whole sequence: the norms, (T, T)."""
    rest = fr.Sequential(*model.layers[1:])
    norms = np.zeros((len(vectors), len(vectors)))
    for s, k in enumerate(chosen):

        def output(x, s=s, k=k):
            y = rest(x)[0][s]
            return float(fr.log_softmax(y)[k] if softmax else y[k])

        norms[s] = np.sqrt(np.square(central_differences(output, vectors)).sum(axis=1))
    return norms


@pytest.mark.parametrize("softmax", [False, True])
@pytest.mark.parametrize("options", [{}, {"batch_first": True}], ids=["time first", "batch first"])
def test_influence_is_the_norm_of_the_gradient(options, softmax, rng, monkeypatch):
    """In windows as long as the sequence and shorter ones, in one block and several."""
    model, T = deep(**options), 7
    tokens, chosen = rng.integers(0, 5, T), rng.integers(0, 5, T)
    expected = gradients(model, model.layers[0](tokens), chosen, softmax)
    result = trace(model, tokens)
    for window, block in ((7, 128), (3, 128), (3, 2), (1, 1)):
        monkeypatch.setattr(predictions, "BLOCK", block)
        influence = recent_influence(model, tokens, result, chosen, window, softmax)
        assert influence.shape == (T, window)
        for s in range(T):
            for k in range(window):
                assert influence[s, k] == pytest.approx(expected[s, s - k] if k <= s else 0, rel=1e-6, abs=1e-10)


def test_influence_on_a_layer_that_reads_vectors(rng):
    layer, x = fr.LSTM(2, 3, **OWN, seed=0), rng.standard_normal((6, 2))
    chosen = rng.integers(0, 3, 6)
    expected = gradients(fr.Sequential(fr.Dropout(0.0, **OWN), layer), x, chosen, False)
    influence = recent_influence(layer, x, trace(layer, x), chosen, 4)
    np.testing.assert_allclose(influence[5], expected[5, [5, 4, 3, 2]], rtol=1e-6)
    assert not any(grad.any() for grad in layer.grads.values())


def test_influence_on_an_echo_state_network(rng):
    """Its state is that of its reservoir, alone or in a Sequential."""
    network, x = fr.EchoState(2, 10, 2, output_size=3, **OWN, seed=0), rng.standard_normal((6, 2))
    network.params["weight"][...] = rng.standard_normal(network.params["weight"].shape)
    chosen = rng.integers(0, 3, 6)
    expected = gradients(fr.Sequential(fr.Dropout(0.0, **OWN), network), x, chosen, False)
    for model in network, fr.Sequential(network):
        influence = recent_influence(model, x, trace(model, x), chosen, 3)
        np.testing.assert_allclose(influence[5], expected[5, [5, 4, 3]], rtol=1e-6)


def test_is_causal():
    assert is_causal(deep()) and is_causal(fr.GRU(3, 4))
    assert not is_causal(fr.Sequential(fr.GRU(3, 4, bidirectional=True), fr.Linear(8, 2)))
    assert not is_causal(pooled_model()) and not is_causal(fr.Sequential(fr.RNN(3, 4), fr.LastStep()))
