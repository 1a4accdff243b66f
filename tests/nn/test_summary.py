# SPDX-License-Identifier: BSD-3-Clause
"""model.summary(): a table of the layers whose columns add up, with the shapes of an example."""

import numpy as np
import pytest
from support.every_layer import LAYERS, call, inputs

import fastrnn as fr


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_the_rows_add_up(case):
    layer = case[0](dtype=np.float32, seed=0)
    summary = layer.summary()
    assert summary.parameters == sum(row.parameters for row in summary.rows)
    assert summary.parameters == sum(array.size for array in layer.params.values())
    assert summary.nbytes == sum(row.nbytes for row in summary.rows)
    assert summary.nbytes == sum(array.nbytes for array in layer.state_dict().values())


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_an_example_gives_the_shapes_that_the_layers_gave(case):
    layer, x = case[0](dtype=np.float32, seed=0), inputs(case)
    last = layer.summary(x).rows[-1]
    if not layer.children() or isinstance(layer, fr.Sequential):
        assert last.output == str(call(layer, x).shape)
    if isinstance(layer, fr.Seq2Seq):
        assert str(call(layer, x).shape) in [row.output for row in layer.summary(x).rows]


def test_a_shape_stands_for_an_example():
    tokens = fr.Sequential(fr.Embedding(50, 8), fr.LSTM(8, 16), fr.LastStep(), fr.Linear(16, 2))
    assert [row.output for row in tokens.summary((20, 4)).rows] == ["(20, 4, 8)", "(20, 4, 16)", "(4, 16)", "(4, 2)"]
    floats = fr.Sequential(
        fr.GRU(3, 4, batch_first=True, dtype=np.float64), fr.MaxPool(batch_first=True, dtype=np.float64)
    )
    assert [row.output for row in floats.summary([5, 7, 3]).rows] == ["(5, 7, 4)", "(5, 4)"]


def test_an_example_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="x: expected .*got .5, 2, 4."):
        fr.Sequential(fr.GRU(3, 4)).summary((5, 2, 4))


def test_names_are_those_of_the_parameters():
    model = fr.Sequential(a=fr.Residual(fr.GRU(3, 3)), b=fr.Sequential(fr.LayerNorm(3), fr.Linear(3, 1)))
    names = [row.name for row in model.summary().rows]
    assert names == ["a", "b.0", "b.1"]
    assert all(name.startswith(("a.", "b.0.", "b.1.")) for name in model.params)


def test_shared_layers_count_once():
    linear = fr.Linear(3, 3)
    summary = fr.Sequential(linear, fr.Activation("tanh"), linear).summary()
    assert [row.parameters for row in summary.rows] == [12, 0, 0]
    assert (summary.parameters, summary.nbytes) == (12, 48)
    assert summary.rows[2].layer == "Linear(3, 3), shared with 0"


def test_a_container_with_parameters_of_its_own_has_a_row():
    class Gain(fr.nn.Container, fr.nn.StatelessLayer):
        """y = gain inner(x)."""

        inner: fr.nn.Sublayer = fr.nn.Sublayer("Any.", fr.nn.Layer)

        def _setup(self):
            self.add_parameters(gain=np.ones(1))

        def _forward(self, x, training):
            y, _, tape = self.inner.apply(x, None, None, training)
            return self.params["gain"] * y, (y, tape)

        def _backward(self, saved, dy):
            self.grads["gain"] += (dy * saved[0]).sum()
            return self.inner.apply_backward(saved[1], dy * self.params["gain"], None)[0]

    rows = fr.Sequential(Gain(fr.Linear(3, 4))).summary((2, 3)).rows
    assert [(row.name, row.layer, row.output, row.parameters) for row in rows] == [
        ("0", "Gain", "(2, 4)", 1),
        ("0.inner", "Linear(3, 4)", "(2, 4)", 16),
    ]


def test_weights_that_are_not_trained_have_bytes():
    row = fr.EchoState(3, 4, output_size=2).summary().rows[0]
    assert row.parameters == 2 * (4 + 3 + 1)
    assert row.nbytes > 4 * row.parameters


def test_the_table():
    assert repr(fr.Sequential(fr.LSTM(16, 300), fr.Linear(300, 2)).summary((7, 2, 16))).split("\n") == [
        "name   layer           output       parameters      bytes",
        "0      LSTM(16, 300)   (7, 2, 300)     381,600  1,526,400",
        "1      Linear(300, 2)  (7, 2, 2)           602      2,408",
        "total                                  382,202  1,528,808",
    ]
