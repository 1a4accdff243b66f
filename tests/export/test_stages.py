# SPDX-License-Identifier: BSD-3-Clause
"""Which layers of the engine a model is, and which models are refused, by the name of the layer."""

import numpy as np
import pytest
from support.every_layer import LAYERS

import fastrnn as fr
from fastrnn.export import _stages
from fastrnn.export._stages import check_finite, stages


def test_a_stage_for_each_layer_of_a_stack():
    model = fr.Sequential(a=fr.LSTM(2, 3, 2), b=fr.Sequential(c=fr.GRU(3, 4, bias=False), d=fr.Dropout(0.5)))
    found = stages(model)
    assert [(s.name, s.cell, s.I, s.H) for s in found] == [
        ("a", "lstm", 2, 3),
        ("a", "lstm", 3, 3),
        ("b.c", "gru", 3, 4),
    ]
    np.testing.assert_array_equal(found[1].w_hh, model.params["a.weight_hh_l1"])
    assert found[2].b_ih is None and found[0].fraction_h is None and found[0].h_0 is None


def test_a_linear_layer_has_no_recurrent_weights():
    (stage,) = stages(layer := fr.Linear(2, 3))
    assert (stage.cell, stage.I, stage.H, stage.w_hh, stage.b_hh) == ("linear", 2, 3, None, None)
    np.testing.assert_array_equal(stage.b_ih, layer.params["bias"])


class Other(fr.GRU):
    """Might compute something else."""


REFUSED = {
    "layer embed: expected RNN, LSTM and GRU .*, got Embedding": lambda: fr.Sequential(
        embed=fr.Embedding(5, 2), gru=fr.GRU(2, 3)
    ),
    "layer 1: .*, got LayerNorm": lambda: fr.Sequential(fr.GRU(2, 3), fr.LayerNorm(3)),
    "layer inner.0: .*, got CausalConv1d": lambda: fr.Sequential(inner=fr.Sequential(fr.CausalConv1d(2, 3, 2))),
    "^model: .*, got EchoState": lambda: fr.EchoState(2, 3),
    "^model: .*, got Other": lambda: Other(2, 3),
    "^model: expected options .* in C, got bidirectional=True": lambda: fr.LSTM(2, 3, bidirectional=True),
    "^model: expected at least one layer": lambda: fr.Dropout(0.5),
}


@pytest.mark.parametrize("message", REFUSED)
def test_other_layers_are_refused_by_name(message):
    with pytest.raises((TypeError, ValueError), match=message):
        stages(REFUSED[message]())


@pytest.mark.parametrize("out", [fr.Linear(3, 1, dtype=np.float64), fr.Linear(4, 1)], ids=str)
def test_layers_fit_each_other(out):
    """Files of the first version may hold others."""
    model = fr.Sequential._composed((), {"gru": fr.GRU(2, 3), "out": out})
    with pytest.raises(ValueError, match="^layer out: expected to read 3 features of float32, as layer gru gives them"):
        stages(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_c_cannot_write_are_refused(value):
    model = fr.Sequential(fr.GRU(2, 3), fr.Linear(3, 1))
    model.params["1.weight"][0, 1] = value
    with pytest.raises(ValueError, match="layer 1: expected finite parameters, got NaN or infinity in w_ih"):
        [check_finite(stage) for stage in stages(model)]


def test_an_option_that_nobody_has_thought_of_is_refused(monkeypatch):
    """Unless it is the default, with which a layer is as it was before it had the option."""
    monkeypatch.setattr(_stages, "KNOWN", _stages.KNOWN - {"leak", "batch_first"})
    assert stages(fr.RNN(2, 3, leak=1.0, batch_first=False))
    with pytest.raises(ValueError, match="^model: expected options that can be written in C, got .*leak=0.5"):
        stages(fr.RNN(2, 3, leak=0.5))
    with pytest.raises(ValueError, match="^layer rnn: .*, got batch_first=True"):
        stages(fr.Sequential(rnn=fr.RNN(2, 3, batch_first=True)))


@pytest.mark.parametrize("name", LAYERS)
def test_every_kind_of_layer_is_written_or_refused(name):
    """Never something else than a list of stages or an error that begins with the layer."""
    layer = LAYERS[name][0](dtype=np.float32, seed=0)
    try:
        assert stages(layer)
    except (TypeError, ValueError) as error:
        assert str(error).startswith(("model: ", "layer "))
