# SPDX-License-Identifier: BSD-3-Clause
"""The options that regularize a recurrent layer: their checks, and files that hold them."""

import numpy as np
import pytest
from support.layers import refused
from support.model_files import architecture_of, with_architecture
from support.recurrent import make_layer

import fastrnn as fr

T, N, I, H = 7, 5, 3, 17


@pytest.mark.parametrize("name", ["recurrent_dropout", "zoneout", "weight_drop"])
def test_probabilities_are_checked(cell, name):
    for value in (-0.1, 1, 1.5, np.nan):
        with refused(ValueError, f"{name}: expected a probability in [0, 1)", repr(value)):
            make_layer(cell, I, H, **{name: value})
    for value in (None, "0.5", {}):
        with refused(TypeError, f"{name}: expected a probability in [0, 1)"):
            make_layer(cell, I, H, **{name: value})


def test_zoneout_has_as_many_parts_as_the_state():
    with refused(ValueError, "zoneout: expected a probability or (h, c), got (0.1,)"):
        fr.LSTM(I, H, zoneout=(0.1,))
    with refused(ValueError, "zoneout: expected a probability or (h), got (0.1, 0.2)"):
        fr.GRU(I, H, zoneout=(0.1, 0.2))


def test_leak_and_clip_are_checked():
    for value in (0, -1, 1.1, np.nan, np.inf):
        with refused(ValueError, "leak: expected a number"):
            fr.RNN(I, H, leak=value)
    for value in (0, -1, np.nan, np.inf):
        with refused(ValueError, "delta_clip: expected a finite number above 0"):
            fr.GRU(I, H, delta_clip=value)
    for name in ("leak", "delta_clip"):
        with refused(TypeError, f"{name}: expected a"):
            fr.RNN(I, H, **{name: "1"})


def test_the_options_are_saved_with_the_layer(tmp_path):
    layer = fr.LSTM(I, H, zoneout=(0.1, 0.2), recurrent_dropout=0.3, weight_drop=0.4, delta_clip=0.5)
    leaky = fr.RNN(I, H, leak=0.25, zoneout=0.5)
    for k, model in enumerate((layer, leaky, fr.Sequential(leaky, fr.GRU(H, H, zoneout=0.1)))):
        fr.save(model, tmp_path / f"{k}.safetensors")
        assert fr.load(tmp_path / f"{k}.safetensors").config() == model.config()
    assert layer.config()["zoneout"] == [0.1, 0.2] and leaky.config()["leak"] == 0.25
    assert "leak" not in fr.RNN(I, H).config()  # a default that changes nothing is left out


@pytest.mark.parametrize(
    ("provided", "message"),
    [
        ({"zoneout": "0.1"}, "LSTM.zoneout: expected float, got '0.1'"),
        ({"zoneout": [0.1, "x"]}, "zoneout: expected a probability"),
        ({"zoneout": [[0.1], 0.2]}, "zoneout: expected a probability"),
        ({"weight_drop": [0.1]}, "LSTM.weight_drop: expected float, got [0.1]"),
        ({"delta_clip": True}, "LSTM.delta_clip: expected float, got True"),
    ],
    ids=str,
)
def test_files_with_invalid_options_are_refused(tmp_path, provided, message):
    path = tmp_path / "model.safetensors"
    fr.save(fr.LSTM(I, H), path)
    with_architecture(path, architecture_of(path) | provided)
    with refused(ValueError, message):
        fr.load(path)
