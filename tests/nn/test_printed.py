# SPDX-License-Identifier: BSD-3-Clause
"""What a layer shows of itself costs an import nothing, and changes nothing."""

import sys

import numpy as np
import pytest
from support.child import in_child
from support.layers import summariser, translator

import fastrnn as fr


def modules_of_printing():
    names = {"fastrnn.nn._summary", "fastrnn.nn._tree"}
    before = sorted(names & sys.modules.keys())
    fr.LSTM(3, 4).summary()
    return [before, sorted(names & sys.modules.keys())]


def test_an_import_does_not_load_it():
    assert in_child(modules_of_printing) == [[], ["fastrnn.nn._summary", "fastrnn.nn._tree"]]


def test_showing_a_model_changes_nothing():
    """Not the numbers of dropout, the gradients or the output."""
    model = fr.Sequential(fr.Linear(3, 8, seed=0), fr.Dropout(0.5, seed=1))
    other = fr.Sequential(fr.Linear(3, 8, seed=0), fr.Dropout(0.5, seed=1))
    x = np.ones((5, 3), np.float32)
    model.summary(x)
    str(model)
    assert not any(grad.any() for grad in model.grads.values())
    np.testing.assert_array_equal(model.forward(x)[0], other.forward(x)[0])


@pytest.mark.parametrize(
    ("layer", "tokens"),
    [
        (fr.Embedding(9, 4), True),
        (fr.Residual(fr.Sequential(fr.Embedding(9, 4))), True),
        (fr.Linear(3, 4), False),
        (fr.Sequential(fr.Linear(3, 4)), False),
        (translator(), True),
        (summariser(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_which_layers_read_tokens(layer, tokens):
    assert layer.reads_tokens is tokens
