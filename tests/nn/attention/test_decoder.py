# SPDX-License-Identifier: BSD-3-Clause
"""AttentionDecoder. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes, attention_decoder, flat
from support.recurrent import as_tuple
from support.tolerance import assert_close

import fastrnn as fr

T, S, N, E, M, A = 4, 5, 3, 3, 3, 5
RAGGED = ([4, 0, 2], [5, 3, 0])  # lengths of x and of the memory
CELLS = {"RNN": fr.RNN, "LSTM": fr.LSTM, "GRU": fr.GRU}


def random_states(decoder, rng, N=N):
    """A state of a decoder, or a gradient of one."""
    layer = decoder.layer
    h = [rng.standard_normal((layer.num_layers, N, layer.hidden_size)).astype(decoder.dtype) for _ in layer.cell.parts]
    state = tuple(h) if len(h) > 1 else h[0]
    return (state, rng.standard_normal((1, N, A)).astype(decoder.dtype)) if decoder.input_feeding else state


def draw(decoder, rng, T=T, S=S, N=N):
    """x, a memory, dy and dweights, time-major."""
    shapes = (T, N, E), (S, N, M), (T, N, A), (T, N, S)
    return [rng.standard_normal(shape).astype(decoder.dtype) for shape in shapes]


def flip(array):
    return np.ascontiguousarray(array.swapaxes(0, 1))


@pytest.mark.parametrize("ragged", [(None, None), RAGGED], ids=["full", "ragged"])
def test_it_equals_its_layers_called_by_hand(kind, fed, ragged, rng):
    """Row by row and step by step, with calls of the three layers; the same bits."""
    decoder = attention_decoder(layer=kind, num_layers=2, input_feeding=fed)
    x, memory, *_ = draw(decoder, rng)
    state, (lengths, memory_lengths) = random_states(decoder, rng), ragged
    y, after, weights = decoder(x, memory, state, *ragged)
    for n in range(N):
        end, steps = (lengths or [T] * N)[n], (memory_lengths or [S] * N)[n]
        parts = [part[:, n : n + 1] for part in flat(state)]
        feed = parts.pop()[0] if fed else None
        inner = tuple(parts) if len(parts) > 1 else parts[0]
        for t in range(end):
            z = x[t, n : n + 1] if feed is None else np.concatenate([x[t, n : n + 1], feed], axis=-1)
            h, inner = decoder.layer(z[None], inner)
            context, row = decoder.attention(h, memory[:steps, n : n + 1])
            new = np.tanh(decoder.combine(np.concatenate([context, h], axis=-1)))
            feed = new[0] if fed else None
            assert_same_bits(y[t, n], new[0, 0])
            assert_same_bits(weights[t, n, :steps], row[0, 0])
        assert not y[end:, n].any() and not weights[end:, n].any() and not weights[:, n, steps:].any()
        expected = [*as_tuple(inner), *([feed[None]] if fed else [])]
        for a, b in zip(flat(after), expected, strict=True):
            assert_same_bits(a[:, n : n + 1], b)


@pytest.mark.parametrize("ragged", [(None, None), RAGGED], ids=["full", "ragged"])
@pytest.mark.parametrize(
    ("layer", "score", "num_layers"),
    [("RNN", "dot", 1), ("LSTM", "additive", 2), ("GRU", "general", 1), ("GRU", "scaled_dot", 1)],
)
def test_gradients_match_central_differences(layer, score, num_layers, fed, ragged, rng):
    """Of everything with respect to everything: y, the state and the weights; inputs, state and parameters."""
    decoder = attention_decoder(np.float64, layer=CELLS[layer], num_layers=num_layers, score=score, input_feeding=fed)
    x, memory, dy, dweights = draw(decoder, rng)
    state, dstate = random_states(decoder, rng), random_states(decoder, rng)

    def loss():
        y, after, weights = decoder(x, memory, state, *ragged)
        return (
            (y * dy).sum()
            + (weights * dweights).sum()
            + sum((a * b).sum() for a, b in zip(flat(after), flat(dstate), strict=True))
        )

    *_, tape = decoder.forward(x, memory, state, *ragged)
    dx, dmemory, dbefore = decoder.backward(tape, dy, dstate, dweights)
    assert_slopes(dx, loss, x, "x")
    assert_slopes(dmemory, loss, memory, "memory")
    for k, (actual, array) in enumerate(zip(flat(dbefore), flat(state), strict=True)):
        assert_slopes(actual, loss, array, f"state {k}")
    for name, array in decoder.params.items():
        assert_slopes(decoder.grads[name], loss, array, name)


def test_pytorch_has_the_same_gradients(fed, dtype, rng):
    """Written with PyTorch's operations and its LSTM; the expected values are those in float64."""
    torch = pytest.importorskip("torch")
    decoder = attention_decoder(dtype, input_feeding=fed)
    x, memory, dy, _ = draw(decoder, rng)
    memory_lengths = np.array([5, 3, 1])
    tensor = lambda a: torch.tensor(a, dtype=torch.float64)  # noqa: E731
    p = {name: tensor(a).requires_grad_() for name, a in decoder.state_dict().items()}
    lstm = torch.nn.LSTM(E + A * fed, 4, dtype=torch.float64)
    inner = {name.removeprefix("layer."): a for name, a in p.items() if name.startswith("layer.")}
    provided, values = tensor(x).requires_grad_(), tensor(memory).requires_grad_()
    keys, beyond = values @ p["attention.memory.weight"].T, torch.arange(S)[:, None] >= torch.tensor(memory_lengths)
    feed, state, ys = torch.zeros(N, A, dtype=torch.float64), (torch.zeros(1, N, 4, dtype=torch.float64),) * 2, []
    for x_t in provided:
        z = torch.cat([x_t, feed], dim=-1) if fed else x_t
        h, state = torch.func.functional_call(lstm, inner, (z[None], state))
        hidden = (keys + h @ p["attention.query.weight"].T).tanh()
        weights = (hidden @ p["attention.v.weight"][0]).masked_fill(beyond, -torch.inf).softmax(dim=0)
        context = (weights[..., None] * values).sum(dim=0)
        both = torch.cat([context, h[0]], dim=-1)
        feed = (both @ p["combine.weight"].T + p["combine.bias"]).tanh()
        ys.append(feed)
    torch.stack(ys).backward(tensor(dy))

    y, _, _, tape = decoder.forward(x, memory, memory_lengths=memory_lengths)
    assert_close(y, torch.stack(ys).detach(), dtype, terms=16, steps=3 * T)
    dx, dmemory, _ = decoder.backward(tape, dy)
    theirs = {"x": provided.grad, "memory": values.grad} | {name: a.grad for name, a in p.items()}
    for name, ours in {"x": dx, "memory": dmemory, **decoder.grads}.items():
        assert_close(ours, theirs[name], dtype, backward=True, terms=T * N * S, steps=3 * T, what=name)


def test_a_row_alone_is_the_row_in_a_batch(kind, fed, dtype, rng):
    """Bit for bit, in outputs, state and gradients: padded or cut, in either layout."""
    decoder = attention_decoder(dtype, layer=kind, input_feeding=fed)
    turned = attention_decoder(dtype, layer=kind, input_feeding=fed, batch_first=True)
    x, memory, dy, dweights = draw(decoder, rng, T=7, S=20, N=5)
    lengths, memory_lengths = np.array([7, 0, 3, 5, 1]), np.array([20, 9, 0, 13, 1])
    y, state, weights, tape = decoder.forward(x, memory, None, lengths, memory_lengths)
    back = decoder.backward(tape, dy, None, dweights)
    for a, b in zip(flat(decoder(x, memory, None, lengths, memory_lengths)), flat((y, state, weights)), strict=True):
        assert_same_bits(a, b)

    y_turned, state_turned, weights_turned, tape = turned.forward(flip(x), flip(memory), None, lengths, memory_lengths)
    dx, dmemory, dstate = turned.backward(tape, flip(dy), None, flip(dweights))
    for a, b in zip((y_turned, weights_turned, dx, dmemory), (y, weights, *back[:2]), strict=True):
        assert_same_bits(flip(a), b)
    for a, b in zip(flat((state_turned, dstate)), flat((state, back[2])), strict=True):
        assert_same_bits(a, b)

    for n, (end, steps) in enumerate(zip(lengths, memory_lengths, strict=True)):
        row = slice(n, n + 1)
        alone, alone_state, alone_weights, tape = decoder.forward(x[:end, row], memory[:steps, row])
        assert_same_bits(alone, y[:end, row])
        assert_same_bits(alone_weights, weights[:end, row, :steps])
        dx, dmemory, dstate = decoder.backward(tape, dy[:end, row], None, dweights[:end, row, :steps])
        assert_same_bits(dx, back[0][:end, row])
        assert_same_bits(dmemory, back[1][:steps, row])
        for a, b in zip(flat((alone_state, dstate)), flat((state, back[2])), strict=True):
            assert_same_bits(a, b[:, row])
        assert not back[0][end:, row].any() and not back[1][steps:, row].any()


def test_what_lies_beyond_a_row_s_end_is_not_read(fed, rng):
    """Nor is the gradient there: both may be NaN, and nothing warns."""
    decoder = attention_decoder(input_feeding=fed)
    x, memory, dy, dweights = draw(decoder, rng)
    results = []
    for spoil in (False, True):
        if spoil:
            for n, (end, steps) in enumerate(zip(*RAGGED, strict=True)):
                x[end:, n] = memory[steps:, n] = dy[end:, n] = dweights[end:, n] = np.nan
        decoder.zero_grad()
        y, state, weights, tape = decoder.forward(x, memory, None, *RAGGED)
        results.append(
            [*flat((y, state, weights, *decoder.backward(tape, dy, None, dweights))), *decoder.grads.values()]
        )
        results[-1] = [array.copy() for array in results[-1]]
    for a, b in zip(*results, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("sizes", [(0, 5, 3), (4, 0, 3), (4, 5, 0)], ids=str)
def test_empty_axes_give_results_of_their_shapes(fed, sizes, rng):
    """No steps, no memory, no rows."""
    decoder = attention_decoder(input_feeding=fed)
    x, memory, dy, dweights = draw(decoder, rng, *sizes)
    y, state, weights, tape = decoder.forward(x, memory)
    assert y.shape == dy.shape and weights.shape == dweights.shape
    dx, dmemory, dstate = decoder.backward(tape, dy, state, dweights)
    assert dx.shape == x.shape and dmemory.shape == memory.shape
    assert [a.shape for a in flat(dstate)] == [a.shape for a in flat(state)]


def test_an_inference_copy_has_nothing_random(fed, rng):
    """Its training pass is the inference of the original, whose arrays it does not share."""
    decoder = attention_decoder(input_feeding=fed, num_layers=2, dropout=0.5)
    x, memory, *_ = draw(decoder, rng)
    twin = decoder.inference_copy()
    y, *_, tape = twin.forward(x, memory)
    assert_same_bits(y, decoder(x, memory)[0])
    assert (decoder.forward(x, memory)[0] != y).any()
    assert not any(np.shares_memory(twin.params[name], a) for name, a in decoder.params.items())
    names = [(name, layer) for name, layer, _ in twin.child_tapes(tape)]
    assert names == ([("layer", twin.layer)] * len(x) if fed else list(twin.children().items()))
