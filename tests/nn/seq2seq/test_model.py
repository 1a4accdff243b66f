# SPDX-License-Identifier: BSD-3-Clause
"""Seq2Seq. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import (
    assert_same_bits,
    assert_slopes,
    translator,
)
from support.seq2seq import T_S, N, T, V, build, draw
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn.nn._tape import open_tape

RAGGED = ([6, 0, 3, 5], [5, 4, 0, 2])  # lengths of source and target


def flip(array):
    return np.ascontiguousarray(array.swapaxes(0, 1))


def test_it_equals_its_layers_called_by_hand(rng):
    """With attention and no layer in the bridge: the same bits as by hand."""
    model = translator()
    source, target, _ = draw(model, rng)
    memory, (h,) = model.encoder(source, None, RAGGED[0])
    first = np.concatenate([h[:1], h[1:]], axis=-1)  # both directions side by side
    read = np.concatenate([np.full((1, N), model.start), target[:-1]])
    y, _, expected_weights = model.decoder(model.embedding(read), memory, first, RAGGED[1], RAGGED[0])
    logits, weights = model(source, target, *RAGGED)
    assert_same_bits(weights, expected_weights)
    assert_same_bits(logits, model.output(y))


@pytest.mark.parametrize("ragged", [(None, None), RAGGED], ids=["full", "ragged"])
def test_gradients_match_central_differences(make, ragged, rng):
    model = make(np.float64)
    source, target, dlogits = draw(model, rng)
    loss = lambda: (model(source, target, *ragged)[0] * dlogits).sum()  # noqa: E731
    dsource = model.backward(model.forward(source, target, *ragged)[2], dlogits)
    for name, array in model.params.items():
        assert_slopes(model.grads[name], loss, array, name)
    if model.attends:
        assert dsource is None
    else:
        assert_slopes(dsource, loss, source, "source")


def test_pytorch_has_the_same_gradients(dtype, rng):
    """An encoder of both directions and a fixed vector, in PyTorch's modules and in float64."""
    torch = pytest.importorskip("torch")
    model = fr.Seq2Seq(
        fr.LSTM(3, 2, bidirectional=True, dtype=dtype, seed=0),
        fr.Embedding(V, 3, dtype=dtype, seed=1),
        fr.LSTM(3, 4, dtype=dtype, seed=2),
        fr.Linear(4, V, dtype=dtype, seed=3),
        start=V - 1,
    )
    source, target = rng.standard_normal((T_S, N, 3)).astype(dtype), rng.integers(0, V, (T, N))
    modules = {
        "encoder": torch.nn.LSTM(3, 2, bidirectional=True), "embedding": torch.nn.Embedding(V, 3),
        "decoder": torch.nn.LSTM(3, 4), "output": torch.nn.Linear(4, V),
    }  # fmt: skip
    theirs = torch.nn.ModuleDict(modules).double()
    theirs.load_state_dict({name: torch.tensor(a, dtype=torch.float64) for name, a in model.state_dict().items()})
    _, state = modules["encoder"](torch.tensor(source, dtype=torch.float64))
    state = tuple(torch.cat([part[:1], part[1:]], dim=-1) for part in state)
    read = torch.cat([torch.full((1, N), V - 1), torch.tensor(target)[:-1]])
    expected = modules["output"](modules["decoder"](modules["embedding"](read), state)[0])
    loss = torch.nn.functional.cross_entropy(expected.reshape(-1, V), torch.tensor(target).reshape(-1))
    loss.backward()

    logits, _, tape = model.forward(source, target)
    assert_close(logits, expected.detach(), dtype, terms=16, steps=T + T_S)
    ours, dlogits = fr.cross_entropy(logits, target)
    assert abs(ours - loss.item()) < 1e-5
    model.backward(tape, dlogits)
    for name, parameter in theirs.named_parameters():
        assert_close(model.grads[name], parameter.grad, dtype, backward=True, terms=T * N * V, steps=T + T_S, what=name)


def test_a_row_alone_is_the_row_in_a_batch(make, rng):
    """Bit for bit: padded or cut."""
    model = make()
    source, target, _ = draw(model, rng)
    logits, weights = model(source, target, *RAGGED)
    for n, (steps, end) in enumerate(zip(*RAGGED, strict=True)):
        alone, alone_weights = model(source[:steps, n : n + 1], target[:end, n : n + 1])
        assert_same_bits(alone, logits[:end, n : n + 1])
        if weights is not None:
            assert_same_bits(alone_weights, weights[:end, n : n + 1, :steps])
            assert not weights[end:, n].any() and not weights[:, n, steps:].any()


@pytest.mark.parametrize("fed", [False, True])
def test_batch_first_is_the_same(fed, rng):
    model, turned = translator(input_feeding=fed), translator(input_feeding=fed, batch_first=True)
    source, target, dlogits = draw(model, rng)
    logits, weights, tape = model.forward(source, target, *RAGGED)
    model.backward(tape, dlogits)
    logits_turned, weights_turned, tape = turned.forward(flip(source), flip(target), *RAGGED)
    turned.backward(tape, flip(dlogits))
    assert_same_bits(flip(logits_turned), logits)
    assert_same_bits(flip(weights_turned), weights)
    for name in model.grads:
        np.testing.assert_allclose(turned.grads[name], model.grads[name], rtol=1e-4, atol=1e-6)


def test_what_lies_beyond_a_row_s_target_is_not_read(make, rng):
    """It need not be a symbol: it may be the ignore_index of a loss."""
    model = make()
    source, target, dlogits = draw(model, rng)
    expected = model(source, target, *RAGGED)[0]
    for n, end in enumerate(RAGGED[1]):
        target[end:, n], dlogits[end:, n] = -100, 0
    logits, _, tape = model.forward(source, target, *RAGGED)
    assert_same_bits(logits, expected)
    model.backward(tape, dlogits)


SOURCE, TARGET = np.ones((6, 2), int), np.ones((5, 2), int)


def test_tapes_inside_are_named_as_the_layers(make, rng):
    model = make()
    source, target, _ = draw(model, rng)
    tape = model.forward(source, target)[2]
    result = {name: layer for name, layer, _ in model.child_tapes(tape)}
    assert result == {name: model.children()[name] for name in ("encoder", "embedding", "decoder", "output")}
    for _, layer, inner in model.child_tapes(tape):
        open_tape(inner, layer)


def test_an_inference_copy_has_nothing_random(rng):
    model = build(fr.GRU(3, 4, 2, dropout=0.5), decoder=fr.GRU(5, 4, 2, dropout=0.5))
    source, target = rng.standard_normal((6, 2, 3)).astype(np.float32), TARGET
    assert_same_bits(model.inference_copy().forward(source, target)[0], model(source, target)[0])
