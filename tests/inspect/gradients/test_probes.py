# SPDX-License-Identifier: BSD-3-Clause
"""A model with probes computes what the model does in inference, forward and backward, and leaves it unchanged."""

import numpy as np
import pytest
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    assert_slopes,
    flat,
    language_model,
    mixed_model,
    refused,
    snapshot,
)
from support.recurrent import make_layer, random_state

import fastrnn as fr
from fastrnn import inspect
from fastrnn.inspect._gradients.probes import recurrences_of, run_recurrences, with_probes

T, N = 6, 3
LENGTHS = [4, 0, 6]


def compare(model, x, lengths, rng, state=None):
    """Run a model without dropout and its copy with probes; both passes agree. Returns the copy."""
    copy = with_probes(model)
    y, final, tape = model.forward(x, state, lengths)
    y_copy, final_copy, tape_copy = copy.forward(x, state, lengths)
    assert_same_bits(y_copy, y, "y")
    for actual, expected in zip(flat(final_copy), flat(final), strict=True):
        assert_same_bits(actual, expected, "state")
    dy = rng.standard_normal(y.shape)
    dx, dstate = model.backward(tape, dy)
    dx_copy, dstate_copy = copy.backward(tape_copy, dy)
    for actual, expected in zip(flat([dx_copy, dstate_copy]), flat([dx, dstate]), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)
    return copy


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_cell(cell, bidirectional, lengths, rng):
    layer = make_layer(cell, 3, 4, 2, bidirectional=bidirectional, dtype=np.float64, seed=0)
    state = random_state(layer, N, rng)
    copy = compare(layer, rng.standard_normal((T, N, 3)), lengths, rng, state)
    names = ["l0", "l0_reverse", "l1", "l1_reverse"] if bidirectional else ["l0", "l1"]
    assert [recurrence.name for recurrence in recurrences_of(copy)] == names
    for recurrence in recurrences_of(copy):
        assert f"weight_hh_{recurrence.name}" in layer.params


@pytest.mark.parametrize("options", [{"batch_first": True}, {"recompute": True}, {"bias": False}], ids=str)
def test_the_options_of_a_layer(options, rng):
    layer = fr.LSTM(3, 4, 2, bidirectional=True, dtype=np.float64, seed=0, **options)
    compare(layer, rng.standard_normal((N, T, 3) if layer.batch_first else (T, N, 3)), LENGTHS, rng)


def test_unbatched(rng):
    compare(fr.LSTM(3, 4, bidirectional=True, dtype=np.float64, seed=0), rng.standard_normal((T, 3)), None, rng)


def test_layers_in_layers(rng):
    copy = compare(mixed_model(np.float64), rng.standard_normal((T, N, 3)), LENGTHS, rng)
    assert [recurrence.name for recurrence in recurrences_of(copy)] == [
        "1.l0", "1.l0_reverse", "1.l1", "1.l1_reverse", "2.0.l0", "3.l0",
    ]  # fmt: skip


def test_a_residual_of_layers_and_its_names(rng):
    inside = fr.Sequential(fr.Linear(3, 4, dtype=np.float64, seed=1), fr.GRU(4, 3, dtype=np.float64, seed=2))
    model = fr.Sequential(fr.Residual(inside), fr.LayerNorm(3, dtype=np.float64))
    copy = compare(model, rng.standard_normal((T, N, 3)), LENGTHS, rng)
    assert [recurrence.name for recurrence in recurrences_of(copy)] == ["0.1.l0"] and "0.1.weight_hh_l0" in model.params


def dropout_model():
    """Dropout of all kinds, in layers in layers."""
    inner = fr.Residual(fr.Sequential(fr.Dropout(0.9, seed=1), fr.GRU(3, 3, 2, dropout=0.9, seed=2)))
    return fr.Sequential(fr.Embedding(5, 3, seed=0), inner, fr.Dropout(0.9, shared_steps=True, seed=3), fr.Linear(3, 2))


def test_training_is_inference(rng):
    model, tokens = dropout_model(), rng.integers(0, 5, (T, N))
    copy = with_probes(model)
    y, state = model(tokens, lengths=[6, 2, 0])
    y_copy, state_copy, _ = copy.forward(tokens, lengths=[6, 2, 0])
    assert_same_bits(y_copy, y)
    assert_same_bits(state_copy[0][0], state[0][0])


@pytest.mark.parametrize(
    "layer",
    [
        fr.LSTM(2, 3, 2, zoneout=(0.3, 0.6), recurrent_dropout=0.5, weight_drop=0.5, dtype=np.float64, seed=0),
        fr.GRU(2, 3, zoneout=0.4, delta_clip=1e-9, bidirectional=True, dtype=np.float64, seed=0),
        fr.RNN(2, 3, leak=0.2, zoneout=0.3, recurrent_dropout=0.5, dtype=np.float64, seed=0),
    ],
    ids=repr,
)
def test_regularization_of_the_state_takes_its_mean(layer, rng):
    """The forward pass of the copy has the bits of inference, and its gradient is the derivative of that."""
    x = rng.standard_normal((T, 2, 2))
    copy = with_probes(layer)
    y, _, tape = copy.forward(x, lengths=[6, 4])
    assert_same_bits(y, layer(x, lengths=[6, 4])[0])
    dy = rng.standard_normal(y.shape)
    dx, _ = copy.backward(tape, dy)
    assert_slopes(dx, lambda: float((layer(x, lengths=[6, 4])[0] * dy).sum()), x, "x")


def test_the_model_is_left_alone(rng):
    """Parameters, gradients and random generators; and no array is shared."""
    model, tokens = dropout_model(), rng.integers(0, 5, (T, N))
    model.grads["3.bias"][:] = 7
    params, grads = snapshot(model.params), snapshot(model.grads)
    layers = [model.layers[2], *model.layers[1].layer.layers]
    generators = [layer.random_state for layer in layers]
    copy = with_probes(model)
    assert not any(np.shares_memory(copy.params[name], model.params[name]) for name in copy.params)
    y, _, tape = copy.forward(tokens)
    copy.backward(tape, np.ones_like(y))
    assert copy.grads["3.bias"].any()
    assert_same_arrays(snapshot(model.params), params)
    assert_same_arrays(snapshot(model.grads), grads)
    assert generators == [layer.random_state for layer in layers]


def test_bad_input_is_refused():
    x = np.zeros((T, N, 3), np.float32)
    with refused(TypeError, "model: expected a layer of fastrnn, got str"):
        run_recurrences("model", x)
    with refused(TypeError, "model: expected a layer of fastrnn, got Stream"):
        run_recurrences(fr.GRU(3, 3).stream(), x)
    with refused(ValueError, "model: expected one with a recurrent layer in it, got Linear("):
        run_recurrences(fr.Linear(3, 3), x)
    with refused(ValueError, "model: expected recurrent layers in Sequential or Residual only, got AttentionDecoder("):
        run_recurrences(fr.AttentionDecoder(fr.GRU(3, 4), fr.Attention(4, 4), fr.Linear(8, 4)), x)
    with refused(ValueError, "model: expected RNN, LSTM or GRU as its recurrent layers, got EchoState("):
        run_recurrences(fr.Sequential(fr.EchoState(3, 4), fr.GRU(3, 4)), x)
    with refused(ValueError, "model: expected one with", "Sequential(Embedding("):
        run_recurrences(fr.Sequential(fr.Embedding(3, 3)), x)
    for shape in ((0, N, 3), (T, 0, 3)):
        with refused(ValueError, "x: expected at least one step of at least one row", str(shape)):
            run_recurrences(fr.GRU(3, 4), np.zeros(shape, np.float32))
    with refused(ValueError, "x: expected (T, N, 4) or (T, 4), got (6, 3, 3)"):
        run_recurrences(fr.GRU(4, 4), x)
    with refused(ValueError, "lengths: expected 0..6"):
        run_recurrences(fr.GRU(3, 4), x, [7, 1, 1])
    with refused(ValueError, "tokens: expected integers in 0..9, got 10"):
        run_recurrences(language_model(), np.full((T, N), 10))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        inspect.influence,
        inspect.integrated_gradients,
        inspect.state_jacobians,
        inspect.jacobian_norms,
        inspect.gradient_flow,
        inspect.diagnose,
    ],
)
def test_nan_and_inf_are_refused_within_the_lengths(function, batch_first, bad, rng):
    """The error names x; beyond the length of a row any value is allowed."""
    layer = fr.GRU(3, 4, batch_first=batch_first, seed=0)
    x, lengths = rng.standard_normal((T, N, 3)).astype(np.float32), [T, T - 2, T]
    x[T - 1, 1, 2] = bad
    x = x.swapaxes(0, 1) if batch_first else x
    output = {"output": 0} if function is inspect.integrated_gradients else {}
    for sequence in x, x[1] if batch_first else x[:, 1]:
        with refused(ValueError, "x: expected finite values, got nan or inf"):
            function(layer, sequence, **output)
    function(layer, x, lengths, **output)
