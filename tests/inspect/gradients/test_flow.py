# SPDX-License-Identifier: BSD-3-Clause
"""The gradient that arrives at a state, against PyTorch's and against finite differences."""

import numpy as np
import pytest
from support.layers import (
    RTOL_DIFFERENCES,
    assert_same_bits,
    language_model,
    mixed_model,
    pooled_model,
    refused,
)
from support.recurrent import make_layer
from support.tolerance import slopes_of

import fastrnn as fr
from fastrnn._engine.layout import state_arrays
from fastrnn.inspect import gradient_flow

T, N = 6, 3
LENGTHS = [4, 0, 6]


def test_against_finite_differences_of_the_remaining_steps(cell, rng):
    """dL / d(state after step t): the loss as a function of the initial state of the remaining steps."""
    layer = make_layer(cell, 2, 3, dtype=np.float64, seed=0)
    x, dy = rng.standard_normal((T, N, 2)), rng.standard_normal((T, N, 3))
    (flow,) = gradient_flow(layer, x, dy=dy)
    _, state = layer(x[:3])
    parts = state_arrays(state)

    def loss():
        y, _ = layer(x[3:], state)
        return float((y * dy[3:]).sum() + (parts[0][0] * dy[2]).sum())  # h_2 is y_2 too

    for name, part in zip(layer.cell.parts, parts, strict=True):
        slopes = slopes_of(loss, part)[0]
        assert np.abs(flow.gradients[name][2] - slopes).max() <= RTOL_DIFFERENCES * max(1, np.abs(slopes).max())
        assert_same_bits(flow.states[name][2], part[0])


def test_against_pytorch(rng):
    """Two layers of LSTM cells step by step, with every h and c stored."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer = fr.LSTM(2, 3, 2, dtype=np.float64, seed=0)
    x, dy = rng.standard_normal((T, N, 2)), rng.standard_normal((T, N, 3))
    inputs, cell_states = list(torch.from_numpy(x)), []
    for index in range(2):
        cell = torch.nn.LSTMCell(inputs[0].shape[1], 3, dtype=torch.float64)
        values = {name: torch.from_numpy(layer.params[f"{name}_l{index}"]) for name in cell.state_dict()}
        cell.load_state_dict(values)
        state, states = None, []
        for x_t in inputs:
            state = cell(x_t, state)
            for part in state:
                part.retain_grad()
            states.append(state)
        cell_states.append(states)
        inputs = [h for h, _ in states]
    (torch.stack(inputs) * torch.from_numpy(dy)).sum().backward()
    for flow, states in zip(gradient_flow(layer, x, dy=dy), cell_states, strict=True):
        dh, dc = (torch.stack([state[part].grad for state in states]).numpy() for part in range(2))
        np.testing.assert_allclose(flow.gradients["h"], dh, rtol=1e-11, atol=1e-15)
        h, tanh_c = flow.states["h"], np.tanh(flow.states["c"])
        by_way_of_h = dh * h / tanh_c * (1 - tanh_c**2)  # h = o tanh(c): PyTorch's gradient of c has this way too
        np.testing.assert_allclose(flow.gradients["c"] + by_way_of_h, dc, rtol=1e-10, atol=1e-14)


def test_norms_are_of_all_parts_or_of_one(rng):
    flow = gradient_flow(fr.LSTM(2, 3, dtype=np.float64, seed=0), rng.standard_normal((T, N, 2)), LENGTHS)[0]
    h, c = flow.gradients["h"], flow.gradients["c"]
    np.testing.assert_allclose(flow.norms("h"), np.linalg.norm(h, axis=-1), rtol=1e-14)
    np.testing.assert_allclose(flow.norms(), np.linalg.norm(np.concatenate([h, c], -1), axis=-1), rtol=1e-14)
    np.testing.assert_allclose(flow.state_norms("c"), np.linalg.norm(flow.states["c"], axis=-1), rtol=1e-14)
    assert flow.norms().shape == flow.state_norms().shape == (T, N)
    with refused(ValueError, "part: expected one of 'h', 'c', got 'z'"):
        flow.norms("z")


def test_without_a_loss_a_gradient_of_norm_1_arrives_at_the_end(rng):
    """At the end of every row; after pooling, at its only output."""
    layer = fr.GRU(2, 3, dtype=np.float64, seed=0)
    x = rng.standard_normal((T, N, 2))
    (flow,) = gradient_flow(layer, x, LENGTHS)
    norms = flow.norms()
    np.testing.assert_allclose([norms[3, 0], norms[5, 2]], 1, rtol=1e-12)
    assert not norms[:, 1].any() and not norms[4:, 0].any()
    turned = fr.GRU(**layer.config() | {"batch_first": True})
    turned.load_state_dict(layer.state_dict())
    assert_same_bits(gradient_flow(turned, x.swapaxes(0, 1), LENGTHS)[0].gradients["h"], flow.gradients["h"])
    assert_same_bits(gradient_flow(layer, x[:, 2])[0].gradients["h"], flow.gradients["h"][:, 2])
    pooled = fr.Sequential(layer, fr.LastStep(dtype=np.float64))
    assert_same_bits(gradient_flow(pooled, x, LENGTHS)[0].gradients["h"], flow.gradients["h"])
    assert_same_bits(gradient_flow(pooled, x[:, 2])[0].gradients["h"], flow.gradients["h"][:, 2])


def test_dy_may_be_a_loss(rng):
    model, x = mixed_model(), rng.standard_normal((T, N, 3)).astype(np.float32)
    y, _ = model(x)
    _, dy = fr.mse_loss(y, np.zeros_like(y))
    expected = gradient_flow(model, x, dy=dy)
    assert [flow.name for flow in expected] == ["1.l0", "1.l0_reverse", "1.l1", "1.l1_reverse", "2.0.l0", "3.l0"]
    for loss in (lambda y: fr.mse_loss(y, np.zeros_like(y)), lambda y: fr.mse_loss(y, np.zeros_like(y))[1]):
        for flow, same in zip(gradient_flow(model, x, dy=loss), expected, strict=True):
            assert_same_bits(flow.gradients["h"], same.gradients["h"])


def test_a_reverse_direction_is_in_the_order_of_x(rng):
    """A loss of the output at step 2 reaches the forward states before it, and the reverse states after it."""
    layer, x = fr.RNN(2, 3, bidirectional=True, seed=0), rng.standard_normal((T, N, 2)).astype(np.float32)
    dy = np.zeros((T, N, 6), np.float32)
    dy[2] = 1
    forward, reverse = gradient_flow(layer, x, LENGTHS, dy=dy)
    assert (forward.norms()[:, 2] > 0).tolist() == [True, True, True, False, False, False]
    assert (reverse.norms()[:, 2] > 0).tolist() == [False, False, True, True, True, True]
    assert (reverse.norms()[:, 0] > 0).tolist() == [False, False, True, True, False, False]
    y, _ = layer(x, lengths=LENGTHS)
    assert_same_bits(forward.states["h"], y[..., :3].copy())
    assert_same_bits(reverse.states["h"], y[..., 3:].copy())


def test_rows_alone_and_tokens_and_states(rng):
    model, tokens = language_model(), rng.integers(0, 10, (T, N))
    _, state = model(tokens)
    whole = gradient_flow(model, tokens, LENGTHS, state=state)[0]
    alone = gradient_flow(model, tokens[:4, 0], state=(tuple(part[:, 0] for part in state[0]),))[0]
    assert_same_bits(alone.gradients["c"], whole.gradients["c"][:4, 0].copy())
    x = rng.standard_normal((T, N, 3)).astype(np.float32)
    assert [flow.norms().shape for flow in gradient_flow(pooled_model(), x)] == [(T, N), (T, N), (4, N)]


def test_exploding_gradients_are_a_result():
    rnn = fr.RNN(1, 1, bias=False, nonlinearity="identity", seed=0)
    rnn.params["weight_hh_l0"][:] = 1e4
    norms = gradient_flow(rnn, np.zeros((20, 1), np.float32))[0].norms()
    np.testing.assert_allclose(norms[-9:], 1e4 ** np.arange(8.0, -1, -1), rtol=1e-5)
    assert norms[0] == np.inf


def test_bad_input_is_refused():
    model, x = fr.GRU(2, 3), np.zeros((T, N, 2), np.float32)
    with refused(ValueError, "model: expected one with a recurrent layer in it, got Linear("):
        gradient_flow(fr.Linear(2, 3), x)
    with refused(ValueError, "x: expected at least one step of at least one row"):
        gradient_flow(model, x[:0])
    with refused(ValueError, "x: expected (T, N, 2) or (T, 2), got (6, 3, 1)"):
        gradient_flow(model, x[..., :1])
    with refused(ValueError, "dy: expected (6, 3, 3), the shape of y, got (6, 3, 2)"):
        gradient_flow(model, x, dy=x)
    with refused(TypeError, "dy: expected an array of shape (6, 3, 3)"):
        gradient_flow(model, x, dy=lambda y: None)
