# SPDX-License-Identifier: BSD-3-Clause
"""The parameters of RNN, LSTM and GRU. What the layers compute is in test_stack.py and test_stream.py."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_arrays
from support.recurrent import make_layer
from support.tolerance import assert_close

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


@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU])
@pytest.mark.parametrize("bias", [True, False])
def test_the_state_dict_of_a_cell_of_pytorch_is_taken(kind, bias, rng):
    """As that of the layer, also inside other layers; the outputs are those of the cell, step by step."""
    torch = pytest.importorskip("torch")
    cell = getattr(torch.nn, f"{kind.__name__}Cell")(3, 5, bias=bias, dtype=torch.float64)
    arrays = {name: tensor.detach().numpy() for name, tensor in cell.state_dict().items()}
    layer = kind(3, 5, bias=bias, dtype=np.float64)
    layer.load_state_dict(arrays)
    x, state, expected = rng.standard_normal((7, 2, 3)), None, []
    for x_t in torch.from_numpy(x):
        state = cell(x_t, state)
        expected.append((state[0] if kind is fr.LSTM else state).detach().numpy())
    assert_close(layer(x)[0], expected, np.float64, terms=8, steps=7)
    model = fr.Sequential(fr.Residual(fr.Sequential(kind(3, 5, bias=bias, dtype=np.float64))))
    model.load_state_dict({f"0.0.{name}": array for name, array in arrays.items()})
    for name, array in layer.params.items():
        np.testing.assert_array_equal(model.params[f"0.0.{name}"], array)


def test_names_of_a_cell_stand_for_one_layer_of_one_direction_alone():
    layer = fr.GRU(3, 5, seed=0)
    own = layer.state_dict()
    cell = {name.removesuffix("_l0"): np.ones_like(array) for name, array in own.items()}
    for other in (fr.GRU(3, 5, 2), fr.GRU(3, 5, bidirectional=True)):
        with argument_refused(ValueError, "state_dict", "missing weight_ih_l0", "unknown weight_ih,"):
            other.load_state_dict(cell)
    with argument_refused(ValueError, "state_dict", "got unknown weight_ih"):  # which of the two?
        layer.load_state_dict(own | {"weight_ih": cell["weight_ih"]})
    with argument_refused(ValueError, "state_dict", "got missing bias_hh_l0"):
        layer.load_state_dict({name: array for name, array in cell.items() if name != "bias_hh"})
    with argument_refused(ValueError, "weight_hh", "expected shape (15, 5), got (5, 15)"):
        layer.load_state_dict(cell | {"weight_hh": cell["weight_hh"].T})
    assert_same_arrays(layer.state_dict(), own)
