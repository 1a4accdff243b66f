# SPDX-License-Identifier: BSD-3-Clause
"""The influence of inputs on outputs is the derivative: finite differences and PyTorch agree."""

import numpy as np
import pytest
from support.layers import RTOL_DIFFERENCES, STEP, assert_same_bits, language_model, mixed_model, pooled_model, refused
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.inspect import influence
from fastrnn.inspect._gradients import target

T, N = 5, 3
LENGTHS = [4, 0, 5]


def derivatives(function, x):
    """dy / dx of y (N, S, F) by x (N, T, I) with independent rows: (N, S, F, T, I)."""
    result = np.zeros((*function(x).shape, *x.shape[1:]))
    for at in np.ndindex(x.shape[1:]):
        up, down = x.copy(), x.copy()
        up[:, *at] += STEP
        down[:, *at] -= STEP
        result[..., *at] = (function(up) - function(down)) / (2 * STEP)
    return result


def model_of(layer, lengths=None):
    """Rows first: (N, T, I) to (N, S, F)."""
    return lambda x: layer(np.ascontiguousarray(x.swapaxes(0, 1)), None, lengths)[0].swapaxes(0, 1)


def assert_near(actual, expected):
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= RTOL_DIFFERENCES * max(1, np.abs(expected).max())


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_is_the_derivative(cell, bidirectional, lengths, rng):
    """Of every output with respect to every input, in all four forms."""
    layer = make_layer(cell, 2, 3, 2, bidirectional=bidirectional, dtype=np.float64, seed=0)
    x = rng.standard_normal((T, N, 2))
    slopes = derivatives(model_of(layer, lengths), x.swapaxes(0, 1).copy())  # (N, S, F, T, I)
    norms = np.sqrt(np.square(slopes).sum(axis=(2, 4)))
    assert_near(influence(layer, x, lengths), norms)
    assert_near(influence(layer, x, lengths, output=1), np.linalg.norm(slopes[:, :, 1], axis=-1))
    assert_near(influence(layer, x, lengths, output=1, reduce="sum"), slopes[:, :, 1].sum(axis=-1))
    assert_near(influence(layer, x, lengths, output=1, reduce=None), slopes[:, :, 1])


def test_nested_layers(rng):
    model, x = mixed_model(np.float64), rng.standard_normal((T, N, 3))
    slopes = derivatives(model_of(model), x.swapaxes(0, 1).copy())
    assert_near(influence(model, x), np.sqrt(np.square(slopes).sum(axis=(2, 4))))


def test_an_echo_state_network(rng):
    """It is recurrent, too."""
    x = rng.standard_normal((T, N, 2))
    model = fr.EchoState(2, 6, dtype=np.float64, seed=0).fit(x, x)
    slopes = derivatives(model_of(model), x.swapaxes(0, 1).copy())
    assert_near(influence(model, x), np.sqrt(np.square(slopes).sum(axis=(2, 4))))


def test_initial_state(rng):
    layer = fr.LSTM(2, 3, dtype=np.float64, seed=0)
    x = rng.standard_normal((8, N, 2))
    whole = influence(layer, x, at=-1)
    _, state = layer(x[:5])
    np.testing.assert_allclose(influence(layer, x[5:], state=state, at=-1), whole[:, 5:], rtol=1e-12)
    alone = influence(layer, x[5:, 1], state=tuple(part[:, 1] for part in state), at=-1)
    np.testing.assert_allclose(alone, whole[1, 5:], rtol=1e-12)


def test_the_influence_of_tokens_is_that_of_their_vectors(rng):
    model = language_model(np.float64)
    embedding, behind = model.layers[0], fr.Sequential(*model.layers[1:])
    tokens = rng.integers(0, 10, (T, N))
    expected = influence(behind, embedding(tokens), LENGTHS, output=3, reduce=None)
    assert_same_bits(influence(model, tokens, LENGTHS, output=3, reduce=None), expected)
    inner = fr.Sequential(fr.Sequential(embedding), behind)
    assert_same_bits(influence(inner, tokens, LENGTHS, output=3, reduce=None), expected)
    assert_same_bits(influence(model, tokens[:, 2], output=3, reduce=None), expected[2])


def test_an_output_for_every_step_and_row(rng):
    model, tokens = language_model(), rng.integers(0, 10, (T, N))
    outputs = rng.integers(0, 10, (T, N))
    result = influence(model, tokens, output=outputs)
    for k in range(10):
        selected = outputs.T == k
        assert_same_bits(result[selected], influence(model, tokens, output=k)[selected])
    assert_same_bits(influence(model, tokens[:, 0], output=outputs[:, 0]), result[0])


def test_batch_first_changes_the_layout_of_x_and_nothing_else(rng):
    model = fr.GRU(2, 3, bidirectional=True, seed=0)
    x = rng.standard_normal((T, N, 2)).astype(np.float32)
    turned = fr.GRU(**model.config() | {"batch_first": True})
    turned.load_state_dict(model.state_dict())
    outputs = rng.integers(0, 6, (T, N))
    assert_same_bits(
        influence(turned, x.swapaxes(0, 1), LENGTHS, output=outputs.T), influence(model, x, LENGTHS, output=outputs)
    )
    assert_same_bits(influence(turned, x[:, 0]), influence(model, x)[0])


def test_after_pooling_there_is_one_output_step(rng):
    pooled = fr.Sequential(fr.GRU(2, 3, dtype=np.float64, seed=0), fr.LastStep(dtype=np.float64))
    x = rng.standard_normal((T, N, 2))
    result = influence(pooled, x, LENGTHS)
    assert result.shape == (N, T) and not result[1].any()
    np.testing.assert_allclose(result, influence(pooled.layers[0], x, LENGTHS, at=-1), rtol=1e-12)
    np.testing.assert_allclose(
        influence(pooled, x, output=[0, 2, 1])[1], influence(pooled, x[:, 1], output=2), rtol=1e-12
    )
    assert influence(pooled_model(), x.repeat(2, -1)[..., :3].astype(np.float32), LENGTHS).shape == (N, 4, T)


def test_at_selects_outputs(rng):
    layer, x = fr.RNN(2, 3, seed=0), rng.standard_normal((T, N, 2)).astype(np.float32)
    whole = influence(layer, x, LENGTHS)
    assert_same_bits(influence(layer, x, LENGTHS, at=2), whole[:, 2])
    assert_same_bits(influence(layer, x, LENGTHS, at=[3, 0]), whole[:, [3, 0]])
    last = influence(layer, x, LENGTHS, at=-1)
    assert_same_bits(last, np.stack([whole[0, 3], np.zeros(T), whole[2, 4]]))


def test_batches_and_blocks_do_not_change_bits(rng, monkeypatch):
    model, x = mixed_model(), rng.standard_normal((T, N, 3)).astype(np.float32)
    whole = influence(model, x, LENGTHS)
    for n, length in enumerate(LENGTHS):
        if length:
            assert_same_bits(influence(model, x[:length, n]), whole[n, :length, :length])
    monkeypatch.setattr(target, "BLOCK_BYTES", 1)  # one row at a time
    assert_same_bits(influence(model, x, LENGTHS), whole)


def test_dropout_is_off(rng):
    x = rng.standard_normal((T, N, 2)).astype(np.float32)
    wet = fr.Sequential(fr.Dropout(0.9, seed=0), fr.LSTM(2, 3, 2, dropout=0.9, seed=0))
    dry = fr.Sequential(fr.Dropout(0.0), fr.LSTM(**wet.layers[1].config() | {"dropout": 0.0}))
    dry.load_state_dict(wet.state_dict())
    assert_same_bits(influence(wet, x), influence(dry, x))


def test_pytorch_agrees(rng):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer = fr.LSTM(2, 3, 2, bidirectional=True, dtype=np.float64, seed=0)
    witness = torch.nn.LSTM(2, 3, 2, bidirectional=True, dtype=torch.float64)
    witness.load_state_dict({name: torch.from_numpy(value) for name, value in layer.state_dict().items()})
    x = rng.standard_normal((T, 2))
    J = torch.autograd.functional.jacobian(lambda x: witness(x)[0], torch.from_numpy(x)).numpy()  # (S, F, T, I)
    np.testing.assert_allclose(influence(layer, x), np.sqrt(np.square(J).sum(axis=(1, 3))), rtol=1e-10)
    np.testing.assert_allclose(influence(layer, x, output=4, reduce=None), J[:, 4], rtol=1e-9, atol=1e-15)


def test_bad_input_is_refused():
    model, x = fr.Sequential(fr.GRU(2, 3), fr.Linear(3, 4)), np.zeros((T, N, 2), np.float32)
    pooled = fr.Sequential(fr.GRU(2, 3), fr.LastStep())
    repeated = fr.Sequential(fr.RepeatVector(4), fr.GRU(2, 3))
    cases = [
        (ValueError, (fr.Linear(2, 3), x), {}, "model: expected one with a recurrent layer in it, got Linear("),
        (TypeError, (None, x), {}, "model: expected a layer of fastrnn, got NoneType"),
        (ValueError, (model, x[..., :1]), {}, "x: expected (T, N, 2) or (T, 2), got (5, 3, 1)"),
        (TypeError, (model, x.astype(np.float64)), {}, "x: expected float32"),
        (ValueError, (model, x[:0]), {}, "x: expected at least one step of at least one row, got shape (0, 3, 2)"),
        (ValueError, (model, x, [1, 2]), {}, "lengths: expected (3,), one for each row"),
        (ValueError, (model, x), {"reduce": "mean"}, "reduce: expected one of 'norm', 'sum', None, got 'mean'"),
        (ValueError, (model, x), {"reduce": "sum"}, "output: expected a feature of y, which reduce='sum' needs"),
        (ValueError, (model, x), {"output": 4}, "output: expected features of y in 0..3, got 4..4"),
        (TypeError, (model, x), {"output": 1.0}, "output: expected integers, got float64"),
        (ValueError, (model, x), {"output": [1, 2]}, "output: expected an integer, or integers of shape (5, 3)"),
        (ValueError, (model, x), {"at": 5}, "at: expected a step of y, or several, each in -5..4, got 5"),
        (ValueError, (model, x), {"at": [[1]]}, "at: expected a step of y, or several, each in -5..4, got shape"),
        (TypeError, (model, x), {"at": "last"}, "at: expected integers"),
        (ValueError, (pooled, x), {"at": 0}, "at: expected None, as y has no steps, got 0"),
        (ValueError, (repeated, x[0]), {}, "x: expected sequences, got vectors (3, 2)"),
        (ValueError, (model, x), {"state": (np.zeros((1, 2, 3), np.float32),)}, "state: expected (1, 3, 3)"),
    ]  # fmt: skip
    for error, arguments, options, words in cases:
        with refused(error, words):
            influence(*arguments, **options)
