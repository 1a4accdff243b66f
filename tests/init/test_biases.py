# SPDX-License-Identifier: BSD-3-Clause
"""Biases of gates: their values, their place in the order, and what they do to the state."""

import math

import numpy as np
import pytest
from support.init import assert_distributed, biases, blocks, fitting, gates_of
from support.tolerance import assert_close

import fastrnn as fr
from fastrnn import init, reference


def assert_only_changed(layer, before, gates):
    """Only biases of these gates differ from what was before, everything else has its bits."""
    assert set(layer.params) == set(before)
    for key, block in blocks(layer, "bias").items():
        name, gate = key
        old = np.split(before[name], len(gates_of(layer)))[gates_of(layer).index(gate)]
        assert (block != old).all() if gate in gates else (block == old).all(), key
    for name, array in layer.params.items():
        if name.startswith("weight"):
            np.testing.assert_array_equal(array, before[name], err_msg=name)


def silent(layer):
    """The layer with weights and biases of 0: its gates are then what their biases make them."""
    for array in layer.params.values():
        array[...] = 0
    return layer


def test_forget_bias_sets_that_gate_alone(dtype):
    (lstm,) = fitting((fr.LSTM,), dtype)
    before = lstm.state_dict()
    assert init.forget_bias(lstm, 2.5) is lstm
    assert_only_changed(lstm, before, "f")
    b_ih, b_hh = biases(lstm, "f")
    assert b_ih.shape == (4, 30) and (b_ih == 2.5).all() and not b_hh.any()
    assert (biases(init.forget_bias(lstm), "f")[0] == 1).all()


def test_forget_bias_is_the_part_of_c_that_is_kept(isa, dtype):
    """The gate's place in the order, as the engine has it: c_1 = sigma(value) c_0, since g is 0."""
    lstm = init.forget_bias(silent(fr.LSTM(3, 5, dtype=dtype)), 0.75)
    h, c = np.zeros((1, 2, 5), dtype), np.ones((1, 2, 5), dtype)
    _, (_, c) = lstm(np.zeros((1, 2, 3), dtype), (h, c))
    assert_close(c, np.full((1, 2, 5), reference.sigmoid(np.float64(0.75))), dtype, terms=8, steps=1)


T_MAX = 50


@pytest.mark.parametrize("kind", [fr.LSTM, fr.GRU])
def test_chrono_draws_one_bias_per_unit(dtype, kind):
    """exp(b) is uniform in [1, T_max - 1], and the gates that are not meant keep what they have."""
    layer = kind(2, 300, 2, bidirectional=True, dtype=dtype, seed=0)
    before = layer.state_dict()
    assert init.chrono(layer, T_MAX, seed=0) is layer
    gate, opposite = {"LSTM": ("f", "i"), "GRU": ("z", None)}[kind.__name__]
    assert_only_changed(layer, before, (gate, opposite))
    b_ih, b_hh = biases(layer, gate)
    assert b_ih.shape == (4, 300) and not b_hh.any()
    assert b_ih.min() >= 0 and b_ih.max() <= dtype.type(np.log(T_MAX - 1))
    if opposite:
        b_i, b_hi = biases(layer, opposite)
        assert (b_i == -b_ih).all() and not b_hi.any()
    middle, half = T_MAX / 2, (T_MAX - 2) / 2  # of the interval [1, T_max - 1]
    for row in b_ih:
        # float32 rounds log(u) by at most 2e-7, and so u by 2e-7 u
        assert_distributed(kind, (np.exp(row) - middle) / (half * (1 + 1e-6)), 1 / math.sqrt(3), uniform=True)
    assert len({row.tobytes() for row in b_ih}) == 4


def test_chrono_of_the_least_time_is_zero():
    lstm = init.chrono(fr.LSTM(2, 3, seed=0), 2, seed=0)
    assert not biases(lstm, "f")[0].any() and not biases(lstm, "i")[0].any()


@pytest.mark.parametrize("reset_after", [True, False])
def test_chrono_gives_a_gru_times_from_2_to_t_max(isa, dtype, reset_after):
    """A unit loses 1/time of itself at the first step: 1 - h_1 / h_0 = 1 - z. At any other gate, times would be 2."""
    gru = silent(fr.GRU(2, 300, reset_after=reset_after, dtype=dtype))
    h = np.ones((1, 1, 300), dtype)
    _, h = init.chrono(gru, T_MAX, seed=0)(np.zeros((1, 1, 2), dtype), h)
    times = 1 / (1 - h.astype(np.float64))
    slack = 1 + 1e-4  # float32: h is within 1e-6 of exact, and T_max = 50 times that changes a time
    assert 2 / slack <= times.min() < 5 and 45 < times.max() <= T_MAX * slack


def test_chrono_gives_an_lstm_gates_that_sum_to_1(isa, dtype):
    """With g = 1 and c_0 = 1, c_1 = f + i is 1; from c_0 = 0 it is i = 1/time."""
    lstm = silent(fr.LSTM(2, 300, dtype=dtype))
    lstm.params["bias_ih_l0"][600:900] = 40  # g = tanh(40) = 1
    init.chrono(lstm, T_MAX, seed=0)
    h, ones = np.zeros((1, 1, 300), dtype), np.ones((1, 1, 300), dtype)
    x = np.zeros((1, 1, 2), dtype)
    assert_close(lstm(x, (h, ones))[1][1], ones, dtype, terms=302, steps=1)
    times = 1 / lstm(x, (h, h))[1][1].astype(np.float64)
    slack = 1 + 1e-4
    assert 2 / slack <= times.min() < 5 and 45 < times.max() <= T_MAX * slack
