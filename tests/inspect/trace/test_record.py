# SPDX-License-Identifier: BSD-3-Clause
"""trace: every state and gate equals that of the NumPy reference, in every kind of model."""

import numpy as np
import pytest
from support.inspection import draw, reference_steps
from support.layers import assert_same_arrays, assert_same_bits, language_model, mixed_model, pooled_model, refused
from support.recurrent import make_layer, random_lengths
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn._engine.layout import state_arrays
from fastrnn.inspect import trace


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_every_state_and_gate_equals_the_reference(cell, dtype, bidirectional, ragged, rng):
    """Two layers, one or both directions, full rows or lengths with 0 among them."""
    T, N, I, H = 7, 5, 3, 6
    layer = make_layer(cell, I, H, 2, bidirectional=bidirectional, dtype=dtype, seed=3)
    x, lengths = draw(rng, T, N, I, dtype=dtype), random_lengths(T, N, rng) if ragged else None
    assert_traces(layer, x, lengths, reference_steps(cell, layer, x, lengths))


def test_zoneout_takes_the_mean(cell, dtype, rng):
    """As in inference; leaky units keep their share, too. The gates are those of the step before zoneout acts."""
    lstm, rnn = cell == "lstm", cell.startswith("rnn")
    options = {"leak": 0.6} if rnn else {"zoneout": (0.3, 0.2) if lstm else 0.3}
    layer = make_layer(cell, 3, 6, 2, bidirectional=True, dtype=dtype, seed=3, **options)
    x, lengths = draw(rng, 7, 5, 3, dtype=dtype), random_lengths(7, 5, rng)
    expected = reference_steps(cell, layer, x, lengths, 0.6 if rnn else 0.7, 0.8)
    assert_traces(layer, x, lengths, expected)


def assert_traces(layer, x, lengths, expected):
    """The trace has these arrays, NaN in the same places."""
    result, T, terms = trace(layer, x, lengths), len(x), layer.input_size + layer.hidden_size
    ragged = lengths is not None
    assert list(result) == list(expected)
    for name, array in expected.items():
        beyond = np.isnan(array)
        assert beyond.any() == ragged
        np.testing.assert_array_equal(np.isnan(result[name]), beyond)
        actual, array = (np.where(beyond, 0, a) for a in (result[name], array))
        assert result[name].dtype == layer.dtype
        how = {"bidirectional": layer.bidirectional, "terms": terms, "steps": layer.num_layers * T}
        assert_close(actual, array, layer.dtype, **how, what=name)


def test_states_have_the_bits_of_a_call(cell, rng):
    """h of the last layer is y, and at the end of a row h and c are the final state."""
    T, N, H = 6, 4, 5
    layer = make_layer(cell, 3, H, 2, bidirectional=True, seed=0)
    x, lengths = draw(rng, T, N, 3), np.array([6, 1, 4, 3])
    y, state = layer(x, lengths=lengths)
    result = trace(layer, x, lengths)
    last = np.nan_to_num(result["h"][1])
    assert_same_bits(np.concatenate([last[0], last[1]], axis=-1), y)
    assert_same_bits(result.y, y)
    for name, final in zip("hc", state_arrays(state), strict=False):
        for k in range(2):
            assert_same_bits(result[name][k, 0][lengths - 1, np.arange(N)], final[2 * k])
            assert_same_bits(result[name][k, 1][0], final[2 * k + 1])


def test_a_row_alone_has_the_bits_that_it_has_in_a_batch(cell, rng):
    layer = make_layer(cell, 3, 5, 2, bidirectional=True, seed=0)
    x, lengths = draw(rng, 6, 4, 3), [6, 0, 4, 3]
    result = trace(layer, x, lengths)
    for n, length in enumerate(lengths):
        alone = trace(layer, x[:length, n : n + 1])
        for name in result:
            assert_same_bits(result[name][:, :, :length, n : n + 1], alone[name], name)


def test_all_layouts_give_the_same_axes(rng):
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
    """Nested models, layers of different widths: each array has the prefix of its layer."""
    result = trace(mixed_model(), draw(rng, 5, 2, 3), [5, 3])
    assert list(result) == ["1.h", *(f"1.{gate}" for gate in "cifgo"), "2.0.h", "2.0.r", "2.0.z", "2.0.n", "3.h"]
    assert {name: array.shape for name, array in result.items() if name[-1] == "h"} == {
        "1.h": (2, 2, 5, 2, 2),
        "2.0.h": (1, 1, 5, 2, 3),
        "3.h": (1, 1, 5, 2, 2),
    }
    assert list(result.layers) == ["1", "2.0", "3"]
    assert result.layers["2.0"]["z"] is result["2.0.z"]
    assert result.layers["2.0"].axes["z"] == result.axes["2.0.z"]
    assert {name: part.lengths[""].tolist() for name, part in result.layers.items()} == dict.fromkeys(
        result.layers, [5, 3]
    )


def test_a_residual_adds_nothing_to_a_name(rng):
    """As in params. The layer after it reads the sum."""
    first, second = fr.GRU(3, 3, seed=0), fr.RNN(3, 2, seed=1)
    x = draw(rng, 5, 2, 3)
    result = trace(fr.Sequential(fr.Residual(first), second), x)
    assert list(result) == ["0.h", "0.r", "0.z", "0.n", "1.h"]
    assert_same_bits(result["1.h"][0, 0], second(x + first(x)[0])[0])
    assert list(trace(fr.Residual(first), x)) == ["h", "r", "z", "n"]


def test_after_pooling_there_are_other_steps(rng):
    """The rows of the decoder are full, and have as many steps as it reads."""
    x = draw(rng, 6, 2, 3)
    result = trace(pooled_model(), x, [6, 2])
    assert result["0.h"].shape[2] == 6 and result["3.h"].shape[2] == 4
    assert np.isnan(result["0.h"][:, :, 2:, 1]).all() and np.isfinite(result["3.h"]).all()


def test_a_layer_in_two_places_has_two_traces(rng):
    layer, x = fr.RNN(3, 3, seed=0), draw(rng, 5, 2, 3)
    result = trace(fr.Sequential(layer, layer), x)
    assert_same_bits(result["0.h"][0, 0], layer(x)[0])
    assert_same_bits(result["1.h"][0, 0], layer(layer(x)[0])[0])


def test_it_records_inference(rng):
    """Dropout of every kind is off, recompute changes nothing, and the model itself does not change."""
    inside = {"zoneout": (0.3, 0.2), "seed": 1}
    options = {"dropout": 0.5, "recurrent_dropout": 0.4, "weight_drop": 0.3, "delta_clip": 0.1, "recompute": True}
    model = fr.Sequential(fr.Dropout(0.5, seed=0), fr.LSTM(3, 4, 2, **inside, **options), fr.Residual(fr.Dropout(0.5)))
    x = draw(rng, 3000, 1, 3)  # long enough for recompute to leave the gates out
    before, generators = model.state_dict(), [layer.random_state for layer in model.layers[:2]]
    result = trace(model, x)
    assert_same_bits(result.y, model(x)[0])
    plain = trace(fr.LSTM(3, 4, 2, **inside), x)
    assert_same_arrays(dict(result.layers["1"]), dict(plain))
    assert_same_arrays(model.state_dict(), before)
    assert [layer.random_state for layer in model.layers[:2]] == generators
    assert not any(grad.any() for grad in model.grads.values())


@pytest.mark.parametrize("shape", [(0, 2, 3), (5, 0, 3), (0, 0, 3)])
def test_an_empty_input_gives_empty_arrays(shape, cell):
    result = trace(make_layer(cell, 3, 4, 2, bidirectional=True), np.zeros(shape, np.float32))
    assert {array.shape for array in result.values()} == {(2, 2, *shape[:2], 4)}


def test_rows_without_a_step_are_all_nan(rng):
    result = trace(fr.GRU(3, 4), draw(rng, 5, 2, 3), [0, 0])
    assert all(np.isnan(array).all() for array in result.values())


def test_echo_states(rng):
    """The states of the reservoir, which are the features of its readout."""
    model, x = fr.EchoState(3, 20, 2, input_to_readout=False, seed=0), draw(rng, 6, 2, 3)
    result = trace(model, x, [6, 4])
    features, _ = model.features(x, lengths=[6, 4])
    assert list(result) == ["h"] and result["h"].shape == (2, 1, 6, 2, 20)
    states = np.nan_to_num(result["h"][:, 0])
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
    with refused(ValueError, "tokens: expected integers in 0..9"):
        trace(language_model(), np.array([[3, 10]]))
