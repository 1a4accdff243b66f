# SPDX-License-Identifier: BSD-3-Clause
"""The parameters of RNN, LSTM and GRU. What the layers compute is in test_stack.py and test_stream.py."""

import numpy as np
import pytest
from support.recurrent import make_layer

import fastrnn as fr


def test_initial_parameters_are_pytorch_s(cell):
    layer = make_layer(cell, 30, 64, 2, bidirectional=True, seed=0)
    for name, array in layer.params.items():
        assert np.abs(array).max() <= 1 / 8 and array.std() == pytest.approx(1 / 8 / np.sqrt(3), rel=0.15), name


@pytest.mark.parametrize(("kind", "gates"), [(fr.RNN, 1), (fr.GRU, 3), (fr.LSTM, 4)])
def test_parameters_have_pytorch_s_names_and_shapes(kind, gates):
    layer = kind(3, 5, 2, bidirectional=True)
    expected = {}
    for suffix, width in (("l0", 3), ("l0_reverse", 3), ("l1", 10), ("l1_reverse", 10)):
        expected |= {f"weight_ih_{suffix}": (5 * gates, width), f"weight_hh_{suffix}": (5 * gates, 5)}
        expected |= {f"bias_ih_{suffix}": (5 * gates,), f"bias_hh_{suffix}": (5 * gates,)}
    assert {name: array.shape for name, array in layer.params.items()} == expected
    assert [n for n in kind(3, 5, bias=False).params] == ["weight_ih_l0", "weight_hh_l0"]


def test_layers_of_one_seed_are_equal_and_share_nothing():
    one, other = fr.LSTM(3, 5, seed=0), fr.LSTM(3, 5, seed=0)
    for name, array in one.params.items():
        np.testing.assert_array_equal(other.params[name], array)
    one.params["weight_hh_l0"][...] = 0
    assert other.params["weight_hh_l0"].any()
