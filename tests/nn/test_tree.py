# SPDX-License-Identifier: BSD-3-Clause
"""print(model): a tree of the layers, with options that are not at their default, shapes, and numbers of parameters."""

import numpy as np
import pytest
from support.every_layer import LAYERS

import fastrnn as fr


def test_a_model_is_a_tree():
    model = fr.Sequential(
        embed=fr.Embedding(50, 16),
        lstm=fr.LSTM(16, 64, num_layers=2, bidirectional=True),
        head=fr.Sequential(fr.LastStep(bidirectional=True), fr.Dropout(0.2), fr.Linear(128, 3)),
    )
    expected = """
Sequential                                              (T, N) -> (N, 3)           142,499 parameters
  embed: Embedding(50, 16)                              (T, N) -> (T, N, 16)           800
  lstm: LSTM(16, 64, num_layers=2, bidirectional=True)  (T, N, 16) -> (T, N, 128)  141,312
  head: Sequential                                      (T, N, 128) -> (N, 3)          387
    0: LastStep(bidirectional=True)                     (T, N, 128) -> (N, 128)          0
    1: Dropout(p=0.2)                                   (N, 128) -> (N, 128)             0
    2: Linear(128, 3)                                   (N, 128) -> (N, 3)             387"""
    assert str(model) == expected.strip()


@pytest.mark.parametrize(
    ("layer", "line"),
    [
        (fr.LSTM(64, 128, 2), "LSTM(64, 128, num_layers=2)  (T, N, 64) -> (T, N, 128)  231,424 parameters"),
        (fr.GRU(3, 4, batch_first=True), "GRU(3, 4, batch_first=True)  (N, T, 3) -> (N, T, 4)  108 parameters"),
        (fr.Linear(1, 1, bias=False), "Linear(1, 1, bias=False)  (..., 1) -> (..., 1)  1 parameter"),
        (fr.Linear(3, 4, dtype=np.float64), "Linear(3, 4, dtype='float64')  (..., 3) -> (..., 4)  16 parameters"),
        (fr.Activation("relu"), "Activation('relu')  (..., F) -> (..., F)  0 parameters"),
        (fr.Embedding(9, 4), "Embedding(9, 4)  (...) -> (..., 4)  36 parameters"),
        (fr.RepeatVector(7), "RepeatVector(7)  (N, F) -> (7, N, F)  0 parameters"),
        (fr.RepeatVector(7, batch_first=True), "RepeatVector(7, batch_first=True)  (N, F) -> (N, 7, F)  0 parameters"),
        (fr.LSTM(3, 4, zoneout=(0.1, 0.2)), "LSTM(3, 4, zoneout=[0.1, 0.2])  (T, N, 3) -> (T, N, 4)  144 parameters"),
        (fr.Attention(3, 3, score="dot"), "Attention(3, 3, score='dot')  0 parameters"),
    ],
    ids=str,
)
def test_a_layer_is_a_line(layer, line):
    assert str(layer) == line


def test_steps_behind_a_repeat_vector_are_its_own():
    model = fr.Sequential(fr.GRU(3, 4), fr.LastStep(), fr.RepeatVector(7), fr.GRU(4, 2))
    shapes = ["(T, N, 3) -> (T, N, 4)", "(T, N, 4) -> (N, 4)", "(N, 4) -> (7, N, 4)", "(7, N, 4) -> (7, N, 2)"]
    lines = str(model).split("\n")[1:]
    assert all(shape in line for shape, line in zip(shapes, lines, strict=True))


def test_a_shared_layer_says_so_and_counts_once():
    linear = fr.Linear(3, 3)
    lines = str(fr.Sequential(linear, fr.Activation("tanh"), linear)).split("\n")
    assert lines[0].endswith(" 12 parameters")
    assert lines[3].startswith("  2: Linear(3, 3), shared with 0")


@pytest.mark.parametrize("case", LAYERS.values(), ids=LAYERS)
def test_every_layer_has_a_repr_of_one_line_and_a_tree_with_all_parameters(case):
    layer = case[0](dtype=np.float32, seed=0)
    assert "\n" not in repr(layer)
    count = sum(array.size for array in layer.params.values())
    lines = str(layer).split("\n")
    assert lines[0].endswith(f" {count:,} parameters")
    assert lines[0].startswith(type(layer).__name__)
    assert max(map(len, lines)) < 130


class Twice(fr.nn.StatelessLayer):
    """y = [x, x]."""

    def __init__(self, copies=2):
        super().__init__()
        self.copies = copies

    def features_after(self, features):
        return None if features is None else self.copies * features

    def _forward(self, x, training):
        return np.concatenate([x] * self.copies, -1), None

    def _backward(self, saved, dy):
        return sum(np.split(dy, self.copies, -1))


class Forgetful(fr.nn.StatelessLayer):
    """y = x; it does not keep its argument."""

    def __init__(self, gain):
        super().__init__()

    def _forward(self, x, training):
        return x, None

    def _backward(self, saved, dy):
        return dy


def test_layers_of_your_own():
    """What a layer does not say is left out, and what follows from an unknown number is unknown."""
    assert str(Twice()) == "Twice()  (..., F) -> (..., ?)  0 parameters"
    assert str(Twice(3)) == "Twice(copies=3)  (..., F) -> (..., ?)  0 parameters"
    assert str(Forgetful(1)) == "Forgetful(...)  0 parameters"
    model = fr.Sequential(fr.Linear(3, 4), Twice(), fr.Linear(8, 1))
    assert "  1: Twice()       (..., 4) -> (..., 8)   0" in str(model)
