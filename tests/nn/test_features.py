# SPDX-License-Identifier: BSD-3-Clause
"""Layers that do not fit together are refused when a Sequential is built."""

import numpy as np
import pytest
from support.layers import (
    refused,
)

import fastrnn as fr


class Scale(fr.Linear):
    """A layer of one's own that says nothing of its features."""

    features_in = None

    def features_after(self, features):
        return None


class Double(fr.Dropout):
    """One that says what it gives, of any number."""

    def features_after(self, features):
        return None if features is None else 2 * features


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((fr.GRU(3, 4), fr.Linear(5, 2)), "layers[1]: expected 4 features in, which GRU at 0 gives, got Linear with 5"),
        ((fr.GRU(3, 4, bidirectional=True), fr.LSTM(4, 2)), "layers[1]: expected 8 features in, which GRU at 0 gives"),
        ((fr.Embedding(9, 4), fr.RNN(9, 4)), "layers[1]: expected 4 features in, which Embedding at 0 gives"),
        ((fr.RNN(3, 4), fr.Dropout(), fr.Linear(5, 2)), "layers[2]: expected 4 features in, which Dropout at 1 gives"),
        ((fr.RNN(3, 4), fr.LastStep(), fr.RepeatVector(3), fr.LSTM(5, 4)), "layers[3]: expected 4 features in"),
        ((fr.LayerNorm(3), fr.Linear(4, 2)), "layers[1]: expected 3 features in, which LayerNorm at 0 gives"),
        ((fr.Linear(3, 4), fr.LayerNorm(3)), "layers[1]: expected 4 features in, which Linear at 0 gives"),
        ((fr.EchoState(3, 40, output_size=2), fr.Linear(40, 2)), "layers[1]: expected 2 features in, which EchoState"),
        ((fr.Linear(3, 4), fr.Residual(fr.GRU(5, 5))), "layers[1]: expected 4 features in, which Linear at 0 gives"),
        ((fr.Residual(fr.GRU(5, 5)), fr.Linear(4, 2)), "layers[1]: expected 5 features in, which Residual at 0 gives"),
        ((fr.Linear(3, 4), fr.Sequential(fr.Dropout(), fr.Linear(5, 2))), "got Sequential with 5"),
        ((fr.Sequential(fr.Linear(3, 4), fr.MaxPool()), fr.Linear(5, 2)), "which Sequential at 0 gives, got Linear"),
        ((fr.Linear(3, 4), Double(), fr.Linear(4, 2)), "layers[2]: expected 8 features in, which Double at 1 gives"),
    ],
    ids=str,
)  # fmt: skip
def test_features_that_do_not_fit_are_refused_at_construction(layers, message):
    with refused(ValueError, message):
        fr.Sequential(*layers)


def test_layers_that_do_not_say_their_features_are_not_checked(rng):
    """Behind a layer of one's own nobody knows; dropout in front reads anything; a Residual reads what it holds."""
    x = np.ones((6, 2, 3), np.float32)
    for layers in (
        (fr.Linear(3, 4), Scale(4, 5), fr.Linear(5, 2)),
        (fr.Linear(3, 4), fr.Sequential(Scale(4, 4), fr.GRU(4, 2))),
        (fr.Dropout(), fr.Linear(3, 2)),
        (Double(0.0), fr.Linear(3, 2)),
        (fr.GRU(3, 4, bidirectional=True), fr.LastStep(bidirectional=True), fr.Linear(8, 2)),
    ):
        model = fr.Sequential(*layers)
        assert model(x)[0].shape[-1] == 2 and model.features_after(3) == 2
    assert fr.Sequential(fr.Dropout(), fr.Residual(fr.GRU(3, 3))).features_in == 3
    assert fr.Sequential(fr.Dropout(), fr.MeanPool()).features_in is None
    assert fr.Sequential(Double(), fr.Linear(3, 2)).features_in is None
    assert fr.Sequential(fr.Embedding(9, 4), fr.Linear(4, 2)).features_in is None
