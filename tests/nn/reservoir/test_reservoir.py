# SPDX-License-Identifier: BSD-3-Clause
"""The random network, and the features that a readout sees of it."""

import numpy as np
import pytest
from support.layers import assert_same_bits
from support.tolerance import assert_close

import fastrnn as fr

T, N, I, H, L = 9, 5, 3, 7, 2


def make(**options):
    sizes = {"hidden_size": H, "num_layers": L}
    return fr.EchoState(I, bias_scaling=0.3, **(sizes | {"leak": 0.7, "seed": 0, "dtype": np.float64} | options))


def by_hand(esn, x, h):
    """Features (T, N, F) by the equations, in float64: x (T, N, I), h (L, N, H)."""
    w = {name: array.astype(np.float64) for name, array in esn.state_dict().items()}
    h, features = list(h), []
    for x_t in x.astype(np.float64):
        below, parts = x_t, [x_t] if esn.input_to_readout else []
        for k in range(esn.num_layers):
            bias = w.get(f"bias_ih_l{k}", 0) + w.get(f"bias_hh_l{k}", 0)
            new = np.tanh(below @ w[f"weight_ih_l{k}"].T + h[k] @ w[f"weight_hh_l{k}"].T + bias)
            h[k] = (1 - esn.leak) * h[k] + esn.leak * new
            parts.append(h[k])
            below = h[k]
        features.append(np.concatenate(parts, axis=-1))
    return np.stack(features), np.stack(h)


@pytest.mark.parametrize("leak", [1.0, 0.3])
@pytest.mark.parametrize("input_to_readout", [True, False])
def test_features_are_the_inputs_and_the_states_of_all_layers(isa, dtype, input_to_readout, leak, rng):
    """Against a loop in NumPy that follows the equation."""
    esn = make(dtype=dtype, input_to_readout=input_to_readout, leak=leak)
    x, h = rng.standard_normal((T, N, I)).astype(dtype), rng.uniform(-1, 1, (L, N, H)).astype(dtype)
    features, state = esn.features(x, h)
    expected, final = by_hand(esn, x, h)
    assert features.shape == (T, N, (I if input_to_readout else 0) + L * H)
    assert_close(features, expected, dtype, terms=I + H, steps=T * L)
    assert_close(state, final, dtype, terms=I + H, steps=T * L)


def test_the_reservoir_is_random_as_its_options_say():
    """Radius, connections and scalings of every layer; another seed, other weights."""
    esn = fr.EchoState(
        4, 50, 3, spectral_radius=0.8, density=0.2, input_scaling=0.5, bias_scaling=0.25, dtype=np.float64, seed=1
    )
    weights = esn.state_dict()
    for k in range(3):
        w_hh, bound = weights[f"weight_hh_l{k}"], 0.5 if k == 0 else 0.5 / np.sqrt(50)
        assert np.abs(np.linalg.eigvals(w_hh)).max() == pytest.approx(0.8, rel=1e-12)
        assert (np.count_nonzero(w_hh, axis=1) == 10).all()
        for name, limit in ((f"weight_ih_l{k}", bound), (f"bias_ih_l{k}", 0.25)):
            assert 0.9 * limit < np.abs(weights[name]).max() <= limit
            assert abs(weights[name].mean()) < limit / 4
        assert not weights[f"bias_hh_l{k}"].any()
    other = fr.EchoState(4, 50, 3, spectral_radius=0.8, density=0.2, dtype=np.float64, seed=2).state_dict()
    assert (other["weight_hh_l0"] != weights["weight_hh_l0"]).any()
    assert not any(name.startswith("bias_") for name in other)


@pytest.mark.parametrize("leak", [1.0, 0.5])
def test_two_states_forget_how_they_began(leak, rng):
    """The echo state property: under the same input they become the same."""
    esn = fr.EchoState(2, 60, 2, leak=leak, spectral_radius=0.9, dtype=np.float64, seed=0)
    x, states = rng.uniform(-1, 1, (600, 2)), rng.uniform(-1, 1, (2, 2, 60))
    (_, one), (_, two) = (esn.features(x, state) for state in states)
    assert np.abs(states[0] - states[1]).max() > 1
    assert np.abs(one - two).max() < 1e-12
    assert one.any()


def test_two_states_stay_apart_at_a_radius_far_above_1(rng):
    """With a radius of 3 and hardly any input the difference stays."""
    esn = fr.EchoState(2, 60, spectral_radius=3.0, dtype=np.float64, seed=0)
    x, states = 1e-3 * rng.uniform(-1, 1, (400, 2)), rng.uniform(-1, 1, (2, 1, 60))
    (_, one), (_, two) = (esn.features(x, state) for state in states)
    assert np.abs(one - two).max() > 0.1


@pytest.mark.parametrize("batch_first", [False, True])
def test_blocks_of_time_and_rows_have_the_bits_of_each_sequence_alone(monkeypatch, dtype, batch_first, rng):
    """In blocks of two steps, padded and not; NaN in the padding is not read."""
    monkeypatch.setattr("fastrnn.nn._recurrent.stack.BLOCK_STEPS", 2)
    monkeypatch.setattr("fastrnn.nn._recurrent.stack.BLOCK_ELEMENTS", 1)
    esn = make(dtype=dtype, batch_first=batch_first)
    x, lengths = rng.standard_normal((T, N, I)).astype(dtype), np.array([9, 0, 4, 1, 8])
    x[np.arange(T)[:, None] >= lengths] = np.nan
    features, state = esn.features(x.swapaxes(0, 1) if batch_first else x, lengths=lengths)
    features = features.swapaxes(0, 1) if batch_first else features
    monkeypatch.undo()
    for n, length in enumerate(lengths):
        alone, h = esn.features(x[:length, n])
        assert_same_bits(features[:length, n].copy(), alone)
        assert_same_bits(state[:, n].copy(), h)
        assert not features[length:, n].any()


def test_the_engine_skips_the_weights_that_are_0(isa, dtype):
    """An infinite state reaches the units that read it alone: 0 times infinity is multiplied nowhere. Unless the
    reservoir is dense.
    """
    for density, reached in ((0.05, False), (0.6, True)):
        esn = make(num_layers=1, dtype=dtype, density=density, hidden_size=40)
        h = np.zeros((1, 1, 40), dtype)
        h[0, 0, 5] = np.inf
        silent = esn.state_dict()["weight_hh_l0"][:, 5] == 0
        silent[5] = False
        states = esn.features(np.zeros((1, 1, I), dtype), h)[0][0, 0, I:]
        assert silent.any() and np.isnan(states[silent]).all() == reached == np.isnan(states[silent]).any()


def test_loaded_weights_may_be_dense(rng):
    """Weights from elsewhere need not be as the options say: none is skipped then."""
    esn, dense = make(density=0.01), make(density=1.0, seed=5)
    x = rng.standard_normal((T, N, I))
    esn.features(x)
    esn.load_state_dict(dense.state_dict())
    assert_same_bits(esn.features(x), dense.features(x))


def test_a_stream_has_the_bits_of_the_sequence(isa, dtype, rng):
    """Step by step, for several rows, from a state."""
    esn = make(dtype=dtype)
    x, h = rng.standard_normal((T, N, I)).astype(dtype), rng.uniform(-1, 1, (L, N, H)).astype(dtype)
    features, state = esn.features(x, h)
    stream = esn._reservoir.stream(h)
    for t in range(T):
        stream.step(x[t])
        assert_same_bits(stream.features, features[t])
    assert_same_bits(stream.state, state)
