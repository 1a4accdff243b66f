# SPDX-License-Identifier: BSD-3-Clause
"""trace: every state and gate is the one of the NumPy reference, whatever the model is made of."""

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_same_bits, language_model, mixed_model, pooled_model, refused
from support.recurrent import as_tuple, make_layer, random_lengths
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn import reference
from fastrnn.inspect import trace

SAVED = {  # what a step of the reference leaves on its tape
    "lstm": ("mask", "h_prev", "c_prev", "i", "f", "g", "o", "tanh_c"),
    "gru": ("mask", "h_prev", "r", "z", "n", "h_n"),
    "gru_reset_before": ("mask", "h_prev", "r", "z", "n"),
}


def reference_steps(cell, layer, x, lengths, take_h=1.0, take_c=1.0):
    """States and gates of every layer and direction in NumPy, in float64: (L, D, T, N, H), NaN beyond the lengths."""
    parameters = {name: array.astype(np.float64) for name, array in layer.state_dict().items()}
    L, D, H = layer.num_layers, layer.num_directions, layer.hidden_size
    y, (T, N, _) = np.asarray(x, np.float64), x.shape
    gates = [name for name in SAVED.get(cell, ()) if len(name) == 1]
    names = ["h", *(["c"] if cell == "lstm" else []), *gates]
    found = {name: np.full((L, D, T, N, H), np.nan) for name in names}
    zero = np.zeros((N, H))
    for k in range(L):
        outputs = []
        for d in range(D):
            arrays = map(parameters.get, layer.parameter_names(k, d))
            how = {"lengths": lengths, "reverse": d == 1, "update": reference.StateUpdate(take_h, take_c)}
            out, _, _, tape = reference.forward(cell, y, zero, zero, *arrays, **how)
            for t, rows, _, saved in tape.steps:
                found["h"][k, d, t, rows] = out[t, rows]
                step = dict(zip(SAVED.get(cell, ()), saved, strict=False))
                for name in gates:
                    found[name][k, d, t, rows] = step[name]
                if cell == "lstm":
                    new = step["f"] * step["c_prev"] + step["i"] * step["g"]
                    found["c"][k, d, t, rows] = take_c * new + (1 - take_c) * step["c_prev"]
            outputs.append(out)
        y = np.concatenate(outputs, axis=-1)
    return found


def draw(rng, *shape, dtype=np.float32):
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_state_and_gate_is_the_reference_s(cell, dtype, bidirectional, ragged, rng):
    """Two layers, one or both directions, full rows or lengths with 0 among them."""
    T, N, I, H = 7, 5, 3, 6
    layer = make_layer(cell, I, H, 2, bidirectional=bidirectional, dtype=dtype, seed=3)
    x, lengths = draw(rng, T, N, I, dtype=dtype), random_lengths(T, N, rng) if ragged else None
    assert_traces(layer, x, lengths, reference_steps(cell, layer, x, lengths))


def test_zoneout_takes_the_mean(cell, dtype, rng):
    """As inference does; leaky units keep their share too. Gates are of the step itself, before it is shared out."""
    lstm, rnn = cell == "lstm", cell.startswith("rnn")
    options = {"leak": 0.6} if rnn else {"zoneout": (0.3, 0.2) if lstm else 0.3}
    layer = make_layer(cell, 3, 6, 2, bidirectional=True, dtype=dtype, seed=3, **options)
    x, lengths = draw(rng, 7, 5, 3, dtype=dtype), random_lengths(7, 5, rng)
    expected = reference_steps(cell, layer, x, lengths, 0.6 if rnn else 0.7, 0.8)
    assert_traces(layer, x, lengths, expected)


def assert_traces(layer, x, lengths, expected):
    """The trace has these arrays, NaN in the same places."""
    found, T, terms = trace(layer, x, lengths), len(x), layer.input_size + layer.hidden_size
    ragged = lengths is not None
    assert list(found) == list(expected)
    for name, array in expected.items():
        beyond = np.isnan(array)
        assert beyond.any() == ragged
        np.testing.assert_array_equal(np.isnan(found[name]), beyond)
        actual, array = (np.where(beyond, 0, a) for a in (found[name], array))
        assert found[name].dtype == layer.dtype
        how = {"bidirectional": layer.bidirectional, "terms": terms, "steps": layer.num_layers * T}
        assert_close(actual, array, layer.dtype, **how, what=name)


def test_states_have_the_bits_of_a_call(cell, rng):
    """h of the last layer is y, and at a row's own end it is the final state; so is c."""
    T, N, H = 6, 4, 5
    layer = make_layer(cell, 3, H, 2, bidirectional=True, seed=0)
    x, lengths = draw(rng, T, N, 3), np.array([6, 1, 4, 3])
    y, state = layer(x, lengths=lengths)
    found = trace(layer, x, lengths)
    last = np.nan_to_num(found["h"][1])
    assert_same_bits(np.concatenate([last[0], last[1]], axis=-1), y)
    assert_same_bits(found.y, y)
    for name, final in zip("hc", as_tuple(state), strict=False):
        for k in range(2):
            assert_same_bits(found[name][k, 0][lengths - 1, np.arange(N)], final[2 * k])
            assert_same_bits(found[name][k, 1][0], final[2 * k + 1])


def test_a_row_alone_has_the_bits_that_it_has_in_a_batch(cell, rng):
    layer = make_layer(cell, 3, 5, 2, bidirectional=True, seed=0)
    x, lengths = draw(rng, 6, 4, 3), [6, 0, 4, 3]
    found = trace(layer, x, lengths)
    for n, length in enumerate(lengths):
        alone = trace(layer, x[:length, n : n + 1])
        for name in found:
            assert_same_bits(found[name][:, :, :length, n : n + 1], alone[name], name)


def test_layouts_end_in_the_same_axes(rng):
    """Batch first and unbatched: (layer, direction, t, n, unit) in all cases."""
    x = draw(rng, 6, 2, 3)
    one, other = fr.LSTM(3, 4, seed=0), fr.LSTM(3, 4, batch_first=True, seed=0)
    expected = trace(one, x, [6, 2])
    assert_same_arrays(dict(trace(other, x.swapaxes(0, 1), [6, 2])), dict(expected))
    alone = trace(one, x[:, 0])
    assert alone["o"].shape == (1, 1, 6, 1, 4)
    assert_same_bits(alone["o"], expected["o"][:, :, :, :1])
    assert alone.axes["o"] == ("layer", "direction", "t", "n", "unit")


def test_names_are_those_of_parameters(rng):
    """Nested models, layers of different widths: each array has its layer's prefix."""
    found = trace(mixed_model(), draw(rng, 5, 2, 3), [5, 3])
    assert list(found) == ["1.h", *(f"1.{gate}" for gate in "cifgo"), "2.0.h", "2.0.r", "2.0.z", "2.0.n", "3.h"]
    assert {name: array.shape for name, array in found.items() if name[-1] == "h"} == {
        "1.h": (2, 2, 5, 2, 2),
        "2.0.h": (1, 1, 5, 2, 3),
        "3.h": (1, 1, 5, 2, 2),
    }
    assert list(found.layers) == ["1", "2.0", "3"]
    assert found.layers["2.0"]["z"] is found["2.0.z"]
    assert found.layers["2.0"].axes["z"] == found.axes["2.0.z"]
    assert {name: part.lengths[""].tolist() for name, part in found.layers.items()} == dict.fromkeys(
        found.layers, [5, 3]
    )


def test_a_residual_adds_nothing_to_a_name(rng):
    """As in params. And what a layer behind it reads is the sum."""
    first, second = fr.GRU(3, 3, seed=0), fr.RNN(3, 2, seed=1)
    x = draw(rng, 5, 2, 3)
    found = trace(fr.Sequential(fr.Residual(first), second), x)
    assert list(found) == ["0.h", "0.r", "0.z", "0.n", "1.h"]
    assert_same_bits(found["1.h"][0, 0], second(x + first(x)[0])[0])
    assert list(trace(fr.Residual(first), x)) == ["h", "r", "z", "n"]


def test_behind_pooling_time_is_another(rng):
    """The decoder's rows are full, and as many steps long as it reads."""
    x = draw(rng, 6, 2, 3)
    found = trace(pooled_model(), x, [6, 2])
    assert found["0.h"].shape[2] == 6 and found["3.h"].shape[2] == 4
    assert np.isnan(found["0.h"][:, :, 2:, 1]).all() and np.isfinite(found["3.h"]).all()


def test_a_layer_in_two_places_is_traced_in_both(rng):
    layer, x = fr.RNN(3, 3, seed=0), draw(rng, 5, 2, 3)
    found = trace(fr.Sequential(layer, layer), x)
    assert_same_bits(found["0.h"][0, 0], layer(x)[0])
    assert_same_bits(found["1.h"][0, 0], layer(layer(x)[0])[0])


def test_it_sees_inference(rng):
    """Dropout of every kind is off, recompute changes nothing, and the model goes on as if nothing had been."""
    inside = {"zoneout": (0.3, 0.2), "seed": 1}
    options = {"dropout": 0.5, "recurrent_dropout": 0.4, "weight_drop": 0.3, "delta_clip": 0.1, "recompute": True}
    model = fr.Sequential(fr.Dropout(0.5, seed=0), fr.LSTM(3, 4, 2, **inside, **options), fr.Residual(fr.Dropout(0.5)))
    x = draw(rng, 3000, 1, 3)  # long enough for recompute to leave the gates out
    before, generators = model.state_dict(), [layer.random_state for layer in model.layers[:2]]
    found = trace(model, x)
    assert_same_bits(found.y, model(x)[0])
    plain = trace(fr.LSTM(3, 4, 2, **inside), x)
    assert_same_arrays(dict(found.layers["1"]), dict(plain))
    assert_same_arrays(model.state_dict(), before)
    assert [layer.random_state for layer in model.layers[:2]] == generators
    assert not any(grad.any() for grad in model.grads.values())


@pytest.mark.parametrize("shape", [(0, 2, 3), (5, 0, 3), (0, 0, 3)])
def test_nothing_to_read_gives_empty_arrays(shape, cell):
    found = trace(make_layer(cell, 3, 4, 2, bidirectional=True), np.zeros(shape, np.float32))
    assert {array.shape for array in found.values()} == {(2, 2, *shape[:2], 4)}


def test_rows_without_a_step_are_all_nan(rng):
    found = trace(fr.GRU(3, 4), draw(rng, 5, 2, 3), [0, 0])
    assert all(np.isnan(array).all() for array in found.values())


# -- models that read several sequences ------------------------------------------------------------------------------


def decoder(**options):
    """Attention over a memory of 5 features; y has 4."""
    fed = 4 if options.get("input_feeding") else 0
    return fr.AttentionDecoder(
        fr.LSTM(3 + fed, 6, 2, zoneout=0.2, seed=0), fr.Attention(6, 5, seed=1), fr.Linear(11, 4, seed=2), **options
    )


def translator(kind="attention", batch_first=False):
    """From tokens 0..8 to tokens 0..6, with and without attention."""
    if kind == "plain":
        last = fr.GRU(3, 8, batch_first=batch_first, seed=2)
    else:
        fed = kind == "fed"
        last = fr.AttentionDecoder(
            fr.GRU(3 + 4 * fed, 8, batch_first=batch_first, seed=2),
            fr.Attention(8, 8, batch_first=batch_first, seed=3),
            fr.Linear(16, 4, seed=4),
            input_feeding=fed,
        )
    return fr.Seq2Seq(
        fr.Sequential(
            fr.Embedding(9, 3, seed=0), fr.GRU(3, 4, bidirectional=True, batch_first=batch_first, dropout=0.0, seed=1)
        ),
        fr.Embedding(7, 3, seed=5),
        last,
        fr.Linear(8 if kind == "plain" else 4, 7, seed=6),
    )


LENGTHS = {"source_lengths": np.array([6, 3, 0]), "target_lengths": np.array([2, 5, 4])}


@pytest.mark.parametrize("kind", ["attention", "fed", "plain"])
def test_seq2seq(kind, rng):
    """Encoder and decoder under their names; the weights are those that a call returns."""
    model = translator(kind)
    given = {"source": rng.integers(0, 9, (6, 3)), "target": rng.integers(0, 7, (5, 3)), **LENGTHS}
    logits, weights = model(**given)
    found = trace(model, given)
    layer = "decoder" if kind == "plain" else "decoder.layer"
    names = [f"encoder.1.{name}" for name in "hrzn"] + [f"{layer}.{name}" for name in "hrzn"]
    assert list(found) == names + (["decoder.attention.weights"] if kind != "plain" else [])
    assert_same_bits(found.y, logits)
    assert found["encoder.1.h"].shape == (1, 2, 6, 3, 4) and found[f"{layer}.h"].shape == (1, 1, 5, 3, 8)
    for name, lengths in (("encoder.1", LENGTHS["source_lengths"]), (layer, LENGTHS["target_lengths"])):
        np.testing.assert_array_equal(found.lengths[name], lengths)
        steps = np.arange(len(found[f"{name}.z"][0, 0]))[:, None]
        np.testing.assert_array_equal(np.isnan(found[f"{name}.z"][0, 0, ..., 0]), steps >= lengths)
    if kind != "plain":
        shown = found["decoder.attention.weights"]
        assert found.axes["decoder.attention.weights"] == ("t", "n", "memory")
        beyond = np.arange(5)[:, None] >= LENGTHS["target_lengths"]
        assert np.isnan(shown[beyond]).all() and (weights[beyond] == 0).all()
        assert_same_bits(shown[~beyond], weights[~beyond])


@pytest.mark.parametrize("kind", ["attention", "fed"])
def test_seq2seq_with_the_batch_first(kind, rng):
    """The axes stay: t, n, memory."""
    source, target = rng.integers(0, 9, (6, 3)), rng.integers(0, 7, (5, 3))
    found = trace(translator(kind), (source, target))
    other = trace(translator(kind, batch_first=True), (source.T, target.T))
    assert_same_arrays(dict(other), dict(found))


def test_a_step_of_a_fed_decoder_is_the_reference_s(rng):
    """The states of each step come from what the step before gave, to the tolerance of float32."""
    model, x, memory = decoder(input_feeding=True), draw(rng, 4, 2, 3), draw(rng, 6, 2, 5)
    found = trace(model, (x, memory), lengths=[4, 2])
    y, _, weights = model(x, memory, lengths=[4, 2])
    fed = np.concatenate([np.zeros((1, 2, 4), np.float32), y[:-1]])
    expected = reference_steps("lstm", model.layer, np.concatenate([x, fed], axis=-1), [4, 2], 0.8, 0.8)
    assert list(found) == [f"layer.{name}" for name in "hcifgo"] + ["attention.weights"]
    for name, array in expected.items():
        actual = found[f"layer.{name}"]
        np.testing.assert_array_equal(np.isnan(actual), np.isnan(array))
        actual, array = np.nan_to_num(actual), np.nan_to_num(array)
        assert_close(actual, array, np.float32, terms=3 + 4 + 6, steps=2 * 4, what=name)
    assert_same_bits(np.nan_to_num(found["attention.weights"]), weights)


def test_a_decoder_without_feeding(rng):
    model, x, memory = decoder(), draw(rng, 4, 2, 3), draw(rng, 6, 2, 5)
    found = trace(model, {"x": x, "memory": memory, "memory_lengths": [6, 3]}, lengths=[4, 2])
    y, _, weights = model(x, memory, lengths=[4, 2], memory_lengths=[6, 3])
    assert_same_bits(found.y, y)
    assert (found["attention.weights"][:2, 1, 3:] == 0).all()
    assert_same_bits(np.nan_to_num(found["attention.weights"]), weights)
    plain = trace(model.layer, x, [4, 2])
    assert_same_arrays(dict(found.layers["layer"]), dict(plain))


@pytest.mark.parametrize("kind", ["attention", "fed"])
def test_targets_without_a_step(kind, rng):
    found = trace(translator(kind), (rng.integers(0, 9, (6, 2)), np.zeros((0, 2), int)))
    assert found["decoder.attention.weights"].shape == (0, 2, 6)
    assert found.lengths["decoder.attention"].tolist() == [0, 0]


def test_echo_states(rng):
    """The reservoir's states, which are the features that its readout sees."""
    model, x = fr.EchoState(3, 20, 2, input_to_readout=False, seed=0), draw(rng, 6, 2, 3)
    found = trace(model, x, [6, 4])
    features, _ = model.features(x, lengths=[6, 4])
    assert list(found) == ["h"] and found["h"].shape == (2, 1, 6, 2, 20)
    states = np.nan_to_num(found["h"][:, 0])
    assert_same_bits(np.concatenate([states[0], states[1]], axis=-1), features)
    assert list(trace(fr.Sequential(fr.Linear(3, 3), model), x)) == ["1.h"]


def test_bad_arguments():
    x = np.zeros((5, 2, 3), np.float32)
    with refused(TypeError, "model: expected a layer of fastrnn, got dict"):
        trace({}, x)
    for model in fr.Linear(3, 4), fr.Sequential(fr.Linear(3, 4), fr.MeanPool()):
        with refused(ValueError, "model: expected a recurrent layer in it, got", "Linear(in_features=3"):
            trace(model, x)
    with refused(ValueError, "x: expected (T, N, 4) or (T, 4), got (5, 2, 3)"):
        trace(fr.GRU(4, 4), x)
    with refused(ValueError, "lengths: expected 0..5"):
        trace(fr.GRU(3, 4), x, [5, 6])
    with refused(TypeError, "x: expected a tuple (source, target) or a dict for Seq2Seq, got ndarray"):
        trace(translator(), x)
    with refused(TypeError, "x: expected a tuple (x, memory) or a dict for AttentionDecoder, got list"):
        trace(decoder(), [x, x])
    with refused(ValueError, "tokens: expected integers in 0..9"):
        trace(language_model(), np.array([[3, 10]]))
