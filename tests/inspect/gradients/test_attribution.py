# SPDX-License-Identifier: BSD-3-Clause
"""Integrated gradients and occlusion: their definitions, and a network with a known result."""

import numpy as np
import pytest
from support.layers import assert_same_bits, language_model, mixed_model, pooled_model, refused
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.inspect import influence, integrated_gradients, occlusion
from fastrnn.inspect._gradients import target

T, N = 5, 3
LENGTHS = [4, 0, 5]


def copying_lstm():
    """An LSTM of one unit that reads (value, mark); from the marked step on its output is tanh(tanh(value)) of it.

    Its input gate is open where mark is 1 (sigma(20)) and shut where it is 0 (sigma(-20), 2e-9); its forget gate is the
    other way round; its output gate is open.
    """
    lstm = fr.LSTM(2, 1, dtype=np.float64, seed=0)
    lstm.params["weight_ih_l0"] = [[0.0, 40.0], [0.0, -40.0], [1.0, 0.0], [0.0, 0.0]]  # i, f, g, o
    lstm.params["weight_hh_l0"][:] = 0
    lstm.params["bias_ih_l0"] = [-20.0, 20.0, 0.0, 20.0]
    lstm.params["bias_hh_l0"][:] = 0
    return lstm


@pytest.mark.parametrize("marked", [0, 3, 11])
def test_they_agree_on_the_step_that_is_copied(marked, rng):
    """All but a millionth of each measure lies on the marked step, for every output from there on."""
    lstm, x = copying_lstm(), np.zeros((12, 2))
    x[:, 0] = rng.uniform(0.5, 1.5, 12)
    x[marked, 1] = 1
    y, _ = lstm(x)
    np.testing.assert_allclose(y[marked:, 0], np.tanh(np.tanh(x[marked, 0])), rtol=1e-6)
    for measured in (
        influence(lstm, x, output=0),
        integrated_gradients(lstm, x, output=0, points=200),
        occlusion(lstm, x, output=0),
    ):
        after = measured[marked:]
        assert (after.argmax(axis=1) == marked).all()
        shares = np.abs(after) / np.abs(after).sum(axis=1, keepdims=True)
        assert shares[:, marked].min() > 1 - 1e-6


def test_for_a_linear_network_they_are_gradient_times_input(rng):
    """y_s = sum over t <= s of W^(s-t) V x_t: the part of each step is known, and occlusion removes it."""
    rnn = fr.RNN(2, 3, nonlinearity="identity", bias=False, dtype=np.float64, seed=0)
    V, W, x = rnn.params["weight_ih_l0"], rnn.params["weight_hh_l0"], rng.standard_normal((T, 2))
    parts, jacobians = np.zeros((T, T)), np.zeros((T, T))
    for s in range(T):
        for t in range(s + 1):
            J = np.linalg.matrix_power(W, s - t) @ V
            parts[s, t], jacobians[s, t] = J[1] @ x[t], np.linalg.norm(J)
    np.testing.assert_allclose(integrated_gradients(rnn, x, output=1, points=1), parts, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(occlusion(rnn, x, output=1), parts, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(influence(rnn, x), jacobians, rtol=1e-12)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_shares_add_up_to_the_difference(cell, bidirectional, lengths, rng):
    """Completeness, an axiom of the paper.

    1e-10 is what the rule of Gauss leaves of smooth cells at 32 points. relu and selu jump in their slopes: what it
    leaves of a jump is the distance of two points, 1e-3 at some thousand.
    """
    layer = make_layer(cell, 2, 3, bidirectional=bidirectional, dtype=np.float64, seed=0)
    x, base = rng.standard_normal((2, T, N, 2))
    jumps = cell in ("rnn_relu", "rnn_selu")
    shares = integrated_gradients(layer, x, lengths, output=2, baseline=base, points=1500 if jumps else 32)
    difference = (layer(x, lengths=lengths)[0] - layer(base, lengths=lengths)[0])[..., 2].T
    np.testing.assert_allclose(shares.sum(axis=-1), difference, atol=1e-3 if jumps else 1e-10)


def test_the_shares_of_every_feature_and_row(rng):
    """Against a plain sum over many points, through several layers."""
    model, x = mixed_model(np.float64), rng.standard_normal((T, N, 3))
    points = (np.arange(400) + 0.5) / 400
    mean = np.mean([influence(model, a * x, output=1, reduce=None) for a in points], axis=0)  # (N, S, T, I)
    expected = (mean * x.swapaxes(0, 1)[:, None]).sum(axis=-1)
    np.testing.assert_allclose(integrated_gradients(model, x, output=1), expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("bidirectional", [False, True])
def test_occlusion_is_the_difference_that_a_step_makes(cell, bidirectional, rng):
    layer = make_layer(cell, 2, 3, bidirectional=bidirectional, dtype=np.float64, seed=0)
    x, base = rng.standard_normal((T, N, 2)), np.array([0.5, -0.5])
    one, every = (occlusion(layer, x, LENGTHS, output=output, baseline=base) for output in (1, None))
    y, _ = layer(x, lengths=LENGTHS)
    for t in range(T):
        without = x.copy()
        without[t] = base
        change = (y - layer(without, lengths=LENGTHS)[0]).swapaxes(0, 1)
        change[t >= np.array(LENGTHS)] = 0
        np.testing.assert_array_equal(one[:, :, t], change[..., 1])
        np.testing.assert_allclose(every[:, :, t], np.linalg.norm(change, axis=-1), rtol=1e-14)


def test_the_baseline_of_tokens_is_a_token_or_a_vector_of_zeros(rng):
    model, tokens = language_model(np.float64), rng.integers(0, 10, (T, N))
    logits, _ = model(tokens)
    for baseline in (7, tokens[::-1]):
        from_it, _ = model(np.broadcast_to(baseline, tokens.shape))
        shares = integrated_gradients(model, tokens, output=4, baseline=baseline)
        np.testing.assert_allclose(shares.sum(axis=-1), (logits - from_it)[..., 4].T, atol=1e-10)
    without = tokens.copy()
    without[2] = 7
    change = occlusion(model, tokens, output=4, baseline=7)
    np.testing.assert_array_equal(change[..., 2], (logits - model(without)[0])[..., 4].T)
    nothing = occlusion(model, tokens, output=4)
    vectors, behind = model.layers[0](tokens), fr.Sequential(*model.layers[1:])
    vectors[2] = 0
    np.testing.assert_array_equal(nothing[..., 2], (logits - behind(vectors)[0])[..., 4].T)


@pytest.mark.parametrize("measure", [integrated_gradients, occlusion])
def test_the_shape_of_the_result_follows_the_arguments(measure, rng):
    layer, x = fr.GRU(2, 3, seed=0), rng.standard_normal((T, N, 2)).astype(np.float32)
    whole = measure(layer, x, LENGTHS, output=1)
    assert whole.shape == (N, T, T) and whole.dtype == np.float64
    assert_same_bits(measure(layer, x, LENGTHS, output=1, at=2), whole[:, 2])
    assert_same_bits(measure(layer, x, LENGTHS, output=1, at=[-1, 0])[0], whole[0, [3, 0]])
    assert_same_bits(measure(layer, x[:4, 0], output=1), whole[0, :4, :4])
    turned = fr.GRU(**layer.config() | {"batch_first": True})
    turned.load_state_dict(layer.state_dict())
    assert_same_bits(measure(turned, x.swapaxes(0, 1), LENGTHS, output=np.ones((N, T), int)), whole)
    assert measure(pooled_model(), rng.standard_normal((T, N, 3)).astype(np.float32), output=0).shape == (N, 4, T)


@pytest.mark.parametrize("measure", [integrated_gradients, occlusion])
def test_initial_state_and_blocks(measure, rng, monkeypatch):
    layer = fr.LSTM(2, 3, dtype=np.float64, seed=0)
    x = rng.standard_normal((T, N, 2))
    _, state = layer(x)
    whole = measure(layer, x, LENGTHS, state=state, output=1)
    alone = measure(layer, x[:, 2], state=tuple(part[:, 2] for part in state), output=1)
    assert_same_bits(alone, whole[2])
    monkeypatch.setattr(target, "BLOCK_BYTES", 1)
    assert_same_bits(measure(layer, x, LENGTHS, state=state, output=1), whole)


@pytest.mark.parametrize("measure", [integrated_gradients, occlusion])
def test_bad_input_is_refused(measure):
    model, x = fr.Sequential(fr.GRU(2, 3), fr.Linear(3, 4)), np.zeros((T, N, 2), np.float32)
    tokens, wide = np.zeros((T, N), int), x[:, :, :1].repeat(3, -1)
    cases = [
        (ValueError, (fr.Linear(2, 3), x), {}, "model: expected one with a recurrent layer in it"),
        (ValueError, (model, x[:, :0]), {}, "x: expected at least one step of at least one row"),
        (ValueError, (model, x), {"output": -1}, "output: expected features of y in 0..3, got -1..-1"),
        (ValueError, (model, x), {"at": -6}, "at: expected a step of y"),
        (ValueError, (model, x), {"baseline": wide}, "baseline: expected an array that broadcasts to x"),
        (TypeError, (model, x), {"baseline": np.zeros(2)}, "baseline: expected float32"),
        (TypeError, (language_model(), tokens), {"baseline": 0.0}, "baseline: expected integers"),
        (ValueError, (language_model(), tokens), {"baseline": [1, 2]}, "baseline: expected a token, or tokens (5, 3)"),
        (ValueError, (language_model(), tokens), {"baseline": 10}, "tokens: expected integers in 0..9, got 10"),
    ]  # fmt: skip
    for error, arguments, options, words in cases:
        with refused(error, words):
            measure(*arguments, **{"output": 1} | options)
    with refused(ValueError, "points: expected at least 1, got 0"):
        integrated_gradients(model, x, output=1, points=0)
