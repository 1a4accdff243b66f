# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent layers that learn the state in which a sequence begins."""

import copy
import pickle

import numpy as np
import pytest
from support.layers import (
    argument_refused,
    assert_same_arrays,
    assert_same_bits,
    assert_slopes,
    attention_decoder,
    with_learned_state,
)
from support.recurrent import as_tuple, make_layer, random_lengths, random_state

import fastrnn as fr
from fastrnn import inspect
from fastrnn._engine.layout import as_state
from fastrnn.inspect._report.predictions import state_before

T, N, I, H = 6, 4, 3, 5
VARIANTS = {
    "plain": {},
    "layers": {"num_layers": 2},
    "bidirectional": {"num_layers": 2, "bidirectional": True},
    "batch first": {"batch_first": True},
    "recompute": {"recompute": True},
}


def make(cell, num_layers=1, **options):
    """A layer whose initial state has been learned, as far as random numbers are that."""
    return with_learned_state(make_layer(cell, I, H, num_layers, seed=0, learn_initial_state=True, **options))


def plain(layer):
    """The same layer without an initial state of its own, and that state for N rows."""
    arrays = layer.state_dict()
    rows = as_state(np.repeat(arrays.pop(name)[:, None], N, axis=1) for name in ("h0", "c0") if name in arrays)
    twin = type(layer)(**(layer.config() | {"learn_initial_state": False}))
    twin.load_state_dict(arrays)
    return twin, rows


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def variant(request):
    return request.param


def drawn(layer, rng, rows=N):
    """x of T steps, in the layout of the layer."""
    shape = (rows, T, I) if layer.batch_first else (T, rows, I)
    return rng.standard_normal(shape).astype(layer.dtype)


def test_it_begins_as_a_layer_without_one():
    """h0 and c0 are 0; the other parameters are drawn as ever."""
    layer, other = fr.LSTM(I, H, 2, learn_initial_state=True, seed=0), fr.LSTM(I, H, 2, seed=0)
    assert list(layer.params) == [*other.params, "h0", "c0"]
    assert layer.params["h0"].shape == layer.params["c0"].shape == (2, H)
    assert_same_arrays({name: layer.params[name] for name in other.params}, dict(other.params.items()))
    assert not layer.params["h0"].any() and not layer.params["c0"].any()
    assert list(fr.GRU(I, H, bidirectional=True, learn_initial_state=True).params)[-1] == "h0"


@pytest.mark.parametrize("ragged", [False, True])
def test_each_row_begins_with_the_parameters(cell, variant, ragged, dtype, rng):
    """Bit for bit as if they were passed; with lengths, unbatched, in training and in inference."""
    layer = make(cell, dtype=dtype, **variant)
    twin, rows = plain(layer)
    x, lengths = drawn(layer, rng), random_lengths(T, N, rng) if ragged else None
    expected = twin(x, rows, lengths)
    for results in (layer(x, None, lengths), layer.forward(x, None, lengths)[:2]):
        assert_same_bits(results, expected)
    one = x[1] if layer.batch_first else x[:, 1]
    assert_same_bits(layer(one)[0], twin(one, as_state(array[:, 1] for array in as_tuple(rows)))[0])


def test_a_state_that_is_given_is_used_in_its_place(cell, rng):
    layer = make(cell)
    twin, _ = plain(layer)
    x, state = drawn(layer, rng), random_state(layer, N, rng)
    assert_same_bits(layer(x, state), twin(x, state))
    y, final, tape = layer.forward(x, state)
    layer.backward(tape, np.ones_like(y), final)
    assert not any(layer.grads[name].any() for name in ("h0", "c0") if name in layer.grads)
    assert layer.grads["weight_hh_l0"].any()


@pytest.mark.parametrize("ragged", [False, True])
def test_gradients_match_central_differences(cell, variant, ragged, rng):
    """Of y and the final state, with respect to every parameter."""
    layer = make(cell, dtype=np.float64, **variant)
    x, lengths = drawn(layer, rng), np.array([T, 0, 2, 5]) if ragged else None
    y, final, tape = layer.forward(x, None, lengths)
    dy, dstate = rng.standard_normal(y.shape), random_state(layer, N, rng)
    _, dinitial = layer.backward(tape, dy, dstate)

    def loss():
        y, final = layer(x, None, lengths)
        return (y * dy).sum() + sum((a * d).sum() for a, d in zip(as_tuple(final), as_tuple(dstate), strict=True))

    for name in layer.params:
        if name in ("h0", "c0", "weight_hh_l0", "bias_ih_l0"):
            assert_slopes(layer.grads[name], loss, layer.params[name], name)
    assert_same_bits(layer.grads["h0"], as_tuple(dinitial)[0].sum(axis=1))


def test_a_step_alone_begins_there_too(cell, rng):
    """A call of one step and one row takes a short way through the engine."""
    layer = make(cell)
    twin, rows = plain(layer)
    x = rng.standard_normal((1, 1, I)).astype(np.float32)
    first = as_state(array[:, :1].copy() for array in as_tuple(rows))
    assert_same_bits(layer(x), twin(x, first))
    assert_same_bits(layer(x, first), twin(x, first))


def test_copies_and_files_keep_it(cell, tmp_path, rng):
    layer = make(cell)
    x = drawn(layer, rng)
    fr.save(layer, tmp_path / "model")
    for other in (fr.load(tmp_path / "model"), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)),
                  layer.inference_copy()):  # fmt: skip
        assert other.learn_initial_state and other.config() == layer.config()
        assert_same_bits(other(x), layer(x))


def test_a_stream_begins_there_and_returns_there(cell, rng):
    layer = make(cell, num_layers=2)
    x = drawn(layer, rng)
    y, final = layer(x)
    stream = layer.stream(N)
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x]), y)
    stream.reset([2])
    for array, last, name in zip(as_tuple(stream.state), as_tuple(final), ("h0", "c0"), strict=False):
        assert_same_bits(array[:, 2], layer.params[name])
        assert_same_bits(array[:, [0, 1, 3]], last[:, [0, 1, 3]])
    layer.params["h0"] += 1
    stream.reset()
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x]), layer(x)[0])
    stream.state = None
    assert_same_bits(stream.step(x[0]), layer(x[:1])[0][0])


def test_inside_other_layers_it_trains():
    """Where x is 0 and there are no biases, nothing but the initial state can make y other than 0."""
    x, target, losses = np.zeros((2, 8, I), np.float32), np.ones((2, 8, 1), np.float32), []
    recurrent = fr.RNN(I, I, bias=False, learn_initial_state=True, seed=0)
    model = fr.Sequential(fr.Residual(recurrent), fr.Linear(I, 1, bias=False, seed=1))
    adam = fr.Adam(model, lr=0.05)
    for _ in range(80):
        y, _, tape = model.forward(x)
        loss, dy = fr.mse_loss(y, target)
        losses.append(loss)
        model.zero_grad()
        model.backward(tape, dy)
        adam.step()
    assert losses[0] == 1 and losses[-1] < 0.01
    assert model.params["0.h0"].any()


def test_windows_of_truncated_training_begin_there_once(rng):
    """Only the first window has its gradient; one window is the whole."""
    layer = make("gru", dtype=np.float64)
    x, target = drawn(layer, rng), np.zeros((T, N, H))
    grads = [layer.grads["h0"].copy() for _ in fr.truncated_bptt(layer, fr.mse_loss, x, target, k1=3)]
    assert grads[0].any()
    (whole,) = (layer.grads["h0"].copy() for _ in fr.truncated_bptt(layer, fr.mse_loss, x, target, k1=T))
    assert whole.any() and (whole != grads[0]).any()
    assert not grads[1].any()


@pytest.mark.parametrize("input_feeding", [False, True])
def test_a_decoder_with_attention_begins_there(input_feeding, rng):
    """Against central differences, also in a row without a step."""
    decoder = attention_decoder(
        np.float64, layer=fr.LSTM, input_feeding=input_feeding, learn_initial_state=True, num_layers=2
    )
    for name in ("layer.h0", "layer.c0"):
        decoder.params[name] = rng.standard_normal((2, 4))
    x, memory, lengths = rng.standard_normal((3, 2, 3)), rng.standard_normal((5, 2, 3)), [3, 0]
    y, state, _, tape = decoder.forward(x, memory, None, lengths)
    dy, dh = rng.standard_normal(y.shape), rng.standard_normal((2, 2, 4))
    inner = (dh, np.zeros_like(dh))
    decoder.backward(tape, dy, (inner, np.zeros((1, 2, 5))) if input_feeding else inner)

    def loss():
        y, state, _ = decoder(x, memory, None, lengths)
        return (y * dy).sum() + ((state[0][0] if input_feeding else state[0]) * dh).sum()

    for name in ("layer.h0", "layer.c0"):
        assert_slopes(decoder.grads[name], loss, decoder.params[name], name)
    _, state, _ = decoder(x[:0], memory)
    h, _ = state[0] if input_feeding else state
    assert_same_bits(h[:, 1], decoder.params["layer.h0"])


def test_a_decoder_that_begins_with_the_encoder_s_state_refuses_one():
    with argument_refused(ValueError, "decoder", "expected learn_initial_state=False", "got True"):
        fr.Seq2Seq(fr.GRU(3, 4), fr.Embedding(5, 2), fr.GRU(2, 4, learn_initial_state=True), fr.Linear(4, 5))


def test_initializers_set_it_to_zero_or_leave_it():
    for initialize in (fr.init.orthogonal, fr.init.pytorch, fr.init.xavier_uniform):
        layer = initialize(make("lstm"), seed=1)
        assert not layer.params["h0"].any() and layer.params["weight_hh_l0"].any()
    layer = make("lstm")
    before = layer.params["h0"].copy()
    fr.init.forget_bias(layer, 2.0)
    assert_same_bits(layer.params["h0"], before)


def test_what_looks_inside_begins_there(rng):
    """The Jacobian of the first step, and the influence in a report, are those at the learned state."""
    layer = make("rnn_tanh", dtype=np.float64)
    x = rng.standard_normal((T, I))
    y, W = layer(x)[0], layer.params["weight_hh_l0"]
    jacobians = inspect.state_jacobians(layer, x)["l0"]
    np.testing.assert_allclose(jacobians[0], (1 - y[0] ** 2)[:, None] * W, rtol=1e-9)
    trace = inspect.trace(layer, x)
    assert_same_bits(trace["h"][0, 0, :, 0], y)
    assert_same_bits(state_before(layer, "", trace, np.array([0, 3]))[0], np.stack([layer.params["h0"][0], y[2]]))
