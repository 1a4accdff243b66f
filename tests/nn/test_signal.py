# SPDX-License-Identifier: BSD-3-Clause
"""Layouts, dtypes and directions that do not fit together are refused when a Sequential is built."""

import numpy as np
import pytest
from support.layers import refused

import fastrnn as fr

BATCH_FIRST = {"batch_first": True}
BOTH = {"bidirectional": True}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((fr.LSTM(3, 4, **BATCH_FIRST), fr.LSTM(4, 4)), "layers[1]: expected batch_first=True, as LSTM at 0 gives it, "
            "got LSTM with batch_first=False"),
        ((fr.LSTM(3, 4, **BATCH_FIRST), fr.LastStep()), "layers[1]: expected batch_first=True, as LSTM at 0"),
        ((fr.GRU(3, 4), fr.Linear(4, 4), fr.MaxPool(**BATCH_FIRST)), "layers[2]: expected batch_first=False"),
        ((fr.GRU(3, 4), fr.Residual(fr.GRU(4, 4, **BATCH_FIRST))), "layers[1]: expected batch_first=False, as GRU"),
        ((fr.GRU(3, 4), fr.Sequential(fr.Dropout(), fr.MeanPool(**BATCH_FIRST))), "layers[1]: expected batch_first=Fa"),
        ((fr.GRU(3, 4), fr.Dropout(shared_steps=True, **BATCH_FIRST)), "layers[1]: expected batch_first=False, as GRU"),
        ((fr.GRU(3, 4), fr.LastStep(), fr.RepeatVector(3), fr.GRU(4, 4, **BATCH_FIRST)), "layers[3]: expected batch_f"),
        ((fr.GRU(3, 4), fr.EchoState(4, 9, **BATCH_FIRST)), "layers[1]: expected batch_first=False, as GRU at 0"),
        ((fr.GRU(3, 4), fr.LastStep(), fr.GRU(4, 4)), "layers[2]: expected a layer that reads rows without time, (N, "
            "features), which LastStep at 1 gives, got GRU of (T, N, features)"),
        ((fr.GRU(3, 4), fr.MeanPool(), fr.LastStep()), "layers[2]: expected a layer that reads rows without time"),
        ((fr.GRU(3, 4), fr.RepeatVector(3)), "layers[1]: expected a layer that reads (T, N, features), which GRU at 0 "
            "gives, got RepeatVector of rows without time, (N, features)"),
        ((fr.GRU(3, 4, **BOTH), fr.LastStep()), "layers[1]: expected bidirectional=True, as GRU at 0 gives it, got "
            "LastStep with bidirectional=False"),
        ((fr.GRU(3, 4), fr.LastStep(**BOTH)), "layers[1]: expected bidirectional=False, as GRU at 0"),
        ((fr.GRU(3, 4, **BOTH), fr.LayerNorm(8), fr.Activation("relu"), fr.LastStep()), "layers[3]: expected bidirec"),
        ((fr.Residual(fr.GRU(4, 2, **BOTH)), fr.LastStep()), "layers[1]: expected bidirectional=True, as Residual"),
        ((fr.GRU(3, 4, **BOTH), fr.Sequential(fr.Dropout(), fr.LastStep())), "layers[1]: expected bidirectional=True"),
        ((fr.GRU(3, 4), fr.Linear(4, 4), fr.LastStep(**BOTH)), "layers[2]: expected bidirectional=False, as Linear"),
        ((fr.EchoState(3, 8), fr.LastStep(**BOTH)), "layers[1]: expected bidirectional=False, as EchoState"),
        ((fr.GRU(3, 4), fr.Linear(4, 2, dtype=np.float64)), "layers[1]: expected dtype=np.float32, as GRU at 0 gives "
            "it, got Linear with dtype=np.float64"),
        ((fr.GRU(3, 4, dtype=np.float64), fr.LastStep()), "layers[1]: expected dtype=np.float64, as GRU at 0"),
        ((fr.Linear(3, 4), fr.Residual(fr.Linear(4, 4, dtype=np.float64))), "layers[1]: expected dtype=np.float32"),
    ],
    ids=str,
)  # fmt: skip
def test_layers_that_do_not_fit_are_refused_at_construction(layers, message):
    with refused(ValueError, message):
        fr.Sequential(*layers)


@pytest.mark.parametrize(
    ("layers", "axes_in", "axes_after"),
    [
        ((fr.GRU(3, 4, **BOTH), fr.LastStep(**BOTH)), "TN", "N"),
        ((fr.GRU(3, 4, **BATCH_FIRST, **BOTH), fr.GRU(8, 4, **BATCH_FIRST), fr.LastStep(**BATCH_FIRST)), "NT", "N"),
        ((fr.GRU(3, 4, **BOTH), fr.Linear(8, 4), fr.LastStep()), "TN", "N"),
        ((fr.GRU(3, 4, **BOTH), fr.MaxPool(), fr.Linear(8, 4)), "TN", "N"),
        ((fr.GRU(3, 4), fr.LastStep(), fr.RepeatVector(3, **BATCH_FIRST), fr.GRU(4, 4, **BATCH_FIRST)), "TN", "NT"),
        ((fr.Linear(3, 4), fr.RepeatVector(3), fr.GRU(4, 4)), "N", "TN"),
        ((fr.Dropout(**BATCH_FIRST), fr.GRU(3, 4)), "TN", "TN"),
        ((fr.LastStep(**BOTH), fr.Linear(8, 4)), "TN", "N"),
        ((fr.Residual(fr.GRU(4, 4)), fr.LastStep()), "TN", "N"),
        ((fr.GRU(3, 4, **BOTH), fr.Residual(fr.GRU(8, 8)), fr.LastStep()), "TN", "N"),
        ((fr.Linear(3, 4), fr.Dropout(), fr.LayerNorm(4)), None, None),
        ((fr.Embedding(9, 4), fr.Sequential(fr.Dropout(), fr.GRU(4, 4, **BATCH_FIRST))), "NT", "NT"),
    ],
    ids=str,
)  # fmt: skip
def test_layers_that_fit_say_what_they_read_and_give(layers, axes_in, axes_after):
    model = fr.Sequential(*layers)
    assert model.axes_in == axes_in and model.axes_after(axes_in) == axes_after
    assert model.batch_first == {"TN": False, "NT": True}.get(axes_in)


def test_layers_in_layers_are_asked_a_few_times():
    """Not twice as often with every layer around them."""

    class Counted(fr.Dropout):
        asked = 0

        def features_after(self, features):
            type(self).asked += 1
            return features

    model: fr.nn.Layer = Counted()
    for _ in range(20):
        model = fr.Sequential(fr.Residual(model))
    assert Counted.asked < 200
    Counted.asked = 0
    assert model.features_in is None and model.axes_after("TN") == "TN" and Counted.asked < 10
