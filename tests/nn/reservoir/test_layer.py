# SPDX-License-Identifier: BSD-3-Clause
"""A reservoir and its readout as a layer: gradients, and training by an optimizer."""

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes, echo_state, snapshot

import fastrnn as fr

LENGTHS = [9, 0, 4, 1, 7]


def make(**options):
    return fr.EchoState(2, 15, **({"output_size": 3, "washout": 10, "dtype": np.float64, "seed": 0} | options))


@pytest.mark.parametrize("options", [{}, {"input_to_readout": False}, {"batch_first": True}], ids=str)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=str)
def test_gradients_are_the_slopes(options, lengths, rng):
    """Of x, of the initial state and of the readout, central differences in float64."""
    esn = echo_state(dtype=np.float64, **options)
    x, h = rng.standard_normal((9, 5, 3)), rng.uniform(-1, 1, (2, 5, 4))
    x = np.ascontiguousarray(x.swapaxes(0, 1)) if esn.batch_first else x
    y, state, tape = esn.forward(x, h, lengths)
    dy, dstate = rng.standard_normal(y.shape), rng.standard_normal(state.shape)
    dx, dh = esn.backward(tape, dy, dstate)

    def loss():
        y, state = esn(x, h, lengths)
        return (y * dy).sum() + (state * dstate).sum()

    assert_slopes(dx, loss, x, "x")
    assert_slopes(dh, loss, h, "state")
    for name in esn.params:
        assert_slopes(esn.grads[name], loss, esn.params[name], name)


def test_gradients_agree_with_pytorch(rng):
    """torch.nn.RNN of one layer, and torch.nn.Linear of its input and its output."""
    torch = pytest.importorskip("torch")
    esn = fr.EchoState(3, 6, output_size=2, bias_scaling=0.4, dtype=np.float64, seed=0)
    esn.params["weight"] = rng.standard_normal((2, 9))
    x, dy = rng.standard_normal((7, 4, 3)), rng.standard_normal((7, 4, 2))
    rnn, linear = torch.nn.RNN(3, 6, dtype=torch.float64), torch.nn.Linear(9, 2, dtype=torch.float64)
    weights = {name: torch.from_numpy(array) for name, array in esn.state_dict().items()}
    linear.load_state_dict({name: weights.pop(name) for name in ("weight", "bias")})
    rnn.load_state_dict(weights)
    x_torch = torch.from_numpy(x).requires_grad_()
    expected = linear(torch.cat([x_torch, rnn(x_torch)[0]], dim=-1))
    expected.backward(torch.from_numpy(dy))
    y, _, tape = esn.forward(x)
    dx, _ = esn.backward(tape, dy)
    np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(dx, x_torch.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(esn.grads["weight"], linear.weight.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(esn.grads["bias"], linear.bias.grad.numpy(), atol=1e-12)


def test_an_optimizer_trains_the_readout_alone(series):
    """Towards what fit finds; weight decay does not reach the reservoir, in a Sequential neither."""
    x, y = series
    esn = make(washout=0)
    model, before = fr.Sequential(esn), esn.state_dict()
    adam, losses = fr.AdamW(model, lr=1e-2, weight_decay=0.1), []
    for _ in range(50):
        result, _, tape = model.forward(x)
        loss, dloss = fr.mse_loss(result, y)
        losses.append(loss)
        model.zero_grad()
        model.backward(tape, dloss)
        adam.step()
    assert losses[-1] < 0.5 * losses[0]
    assert sorted(model.params) == ["0.bias", "0.weight"]
    assert "0.weight_hh_l0" in model.state_dict()
    for name, array in esn.state_dict().items():
        assert (array == before[name]).all() != (name in esn.params)


def test_nan_beyond_the_length_reaches_neither_outputs_nor_gradients(rng):
    esn = echo_state()
    x = rng.standard_normal((9, 5, 3)).astype(np.float32)
    dy = rng.standard_normal((9, 5, 2)).astype(np.float32)
    beyond = np.arange(9)[:, None] >= LENGTHS
    results = []
    for filling in (0, np.nan):
        x[beyond], dy[beyond] = filling, filling
        y, state, tape = esn.forward(x, lengths=LENGTHS)
        esn.zero_grad()
        results.append([y, state, *esn.backward(tape, dy), *snapshot(esn.grads).values()])
        assert not y[beyond].any()
    for one, two in zip(*results, strict=True):
        assert_same_bits(one, two)
