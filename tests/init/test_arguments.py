# SPDX-License-Identifier: BSD-3-Clause
"""What initialisers refuse, leaving the layer as it was."""

import math
import re

import pytest
from support.init import assert_same, each, fitting, random

import fastrnn as fr
from fastrnn import init

WRONG = {
    "Embedding": lambda: fr.Embedding(3, 4),
    "the class LSTM": lambda: fr.LSTM,
    "dict": dict,
    "NoneType": lambda: None,
    "a Sequential of Embedding": lambda: fr.Sequential(fr.Embedding(3, 4)),
    "a Sequential of Embedding, Embedding": lambda: fr.Sequential(
        fr.Embedding(3, 4), fr.Sequential(fr.Embedding(3, 4))
    ),
}


@each
@pytest.mark.parametrize("got", WRONG)
def test_other_things_are_refused(initialise, kinds, got):
    expected = ", ".join(kind.__name__ for kind in kinds)
    text = f"expected {expected} or a Sequential that holds one, got {got}"
    with pytest.raises(TypeError, match=rf"^\w+: {re.escape(text)}$"):
        initialise(WRONG[got](), 0)


@pytest.mark.parametrize(
    ("call", "layer", "text"),
    [
        (init.identity, fr.LSTM(3, 4), "rnn: expected RNN or a Sequential that holds one, got LSTM"),
        (init.identity, fr.GRU(3, 4), "rnn: expected RNN or a Sequential that holds one, got GRU"),
        (init.identity, fr.Linear(3, 4), "rnn: expected RNN or a Sequential that holds one, got Linear"),
        (init.forget_bias, fr.GRU(3, 4), "lstm: expected LSTM or a Sequential that holds one, got GRU"),
        (init.forget_bias, fr.RNN(3, 4), "lstm: expected LSTM or a Sequential that holds one, got RNN"),
        (
            lambda layer: init.chrono(layer, 9),
            fr.Sequential(fr.RNN(3, 4), fr.Linear(4, 5)),
            "layer: expected LSTM, GRU or a Sequential that holds one, got a Sequential of RNN, Linear",
        ),
    ],
)
def test_layers_of_another_kind_are_refused_and_left_alone(call, layer, text):
    before = layer.state_dict()
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        call(layer)
    assert_same(layer, before)


AT_LEAST_0 = "expected a finite number of at least 0"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: init.xavier_uniform(fr.GRU(3, 4), -1.0), ValueError, f"gain: {AT_LEAST_0}, got -1.0"),
        (lambda: init.he_normal(fr.GRU(3, 4), math.nan), ValueError, f"gain: {AT_LEAST_0}, got nan"),
        (lambda: init.orthogonal(fr.GRU(3, 4), math.inf), ValueError, f"gain: {AT_LEAST_0}, got inf"),
        (lambda: init.xavier_normal(fr.GRU(3, 4), "high"), TypeError, f"gain: {AT_LEAST_0}, got 'high'"),
        (lambda: init.identity(fr.RNN(3, 4), math.nan), ValueError, "scale: expected a finite number, got nan"),
        (lambda: init.identity(fr.RNN(3, 4), None), TypeError, "scale: expected a finite number, got None"),
        (lambda: init.identity(fr.RNN(3, 4), 1, -1), ValueError, f"input_std: {AT_LEAST_0}, got -1"),
        (lambda: init.forget_bias(fr.LSTM(3, 4), math.inf), ValueError, "value: expected a finite number, got inf"),
        (lambda: init.forget_bias(fr.LSTM(3, 4), [1]), TypeError, "value: expected a finite number, got [1]"),
        (lambda: init.chrono(fr.LSTM(3, 4), 1.5), ValueError, "T_max: expected a finite number of at least 2, got 1.5"),
        (
            lambda: init.chrono(fr.LSTM(3, 4), "long"),
            TypeError,
            "T_max: expected a finite number of at least 2, got 'long'",
        ),
    ],
)
def test_numbers_out_of_range_are_refused(call, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        call()


@random
@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), ("x", TypeError), (1.5, TypeError)], ids=repr)
def test_seeds_that_are_not_valid_are_refused(initialise, kinds, seed, error):
    layer = fitting(kinds)[0]
    before = layer.state_dict()
    with pytest.raises(error, match="^seed: expected an integer"):
        initialise(layer, seed)
    assert_same(layer, before)


@each
def test_parameters_that_cannot_be_written_are_named(initialise, kinds):
    """And nothing has been written then."""
    layer = fitting(kinds)[-1]
    before, last = layer.state_dict(), "bias_ih_l0" if layer.stateful else "weight"
    layer.params[last].flags.writeable = False
    with pytest.raises(ValueError, match=f"^{last}: expected an array that can be written"):
        initialise(layer, 0)
    assert_same(layer, before)


def test_a_layer_without_biases_in_a_sequential_stops_all():
    model = fr.Sequential(fr.LSTM(3, 4), fr.LSTM(4, 4, bias=False))
    before = model.state_dict()
    with pytest.raises(ValueError, match=r"^lstm: expected layers with bias=True, got LSTM\(input_size=4"):
        init.forget_bias(model)
    assert_same(model, before)
