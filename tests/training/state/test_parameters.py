# SPDX-License-Identifier: BSD-3-Clause
"""Parameters, architecture and random states of any model, for checkpoints."""

import re

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._state.parameters import difference_of, random_states, set_random_states


def test_custom_models(path):
    class Model:
        def __init__(self, shape=(2,)):
            self.params, self.grads = {"w": np.ones(shape)}, {"w": np.zeros(shape)}

    model = Model()
    fr.save_checkpoint(path, model, fr.SGD(model))
    model.params["w"][...] = 7
    fr.load_checkpoint(path, model, fr.SGD(model))
    assert model.params["w"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="expected the architecture of the checkpoint"):
        fr.load_checkpoint(path, Model((3,)))


@pytest.mark.parametrize(
    "saved, current, difference",
    [
        ({"type": "A", "p": 1}, {"type": "A", "p": 1}, ""),
        ({"type": "A", "p": 1}, {"type": "here:A", "p": 1}, ""),  # of a layer of another package, wherever it is today
        ({"type": "there.inner:A"}, {"type": "here:A"}, ""),
        ({"type": "there:A"}, {"type": "there:B"}, ": model is A in the checkpoint, B in the model"),
        ({"type": "A", "p": 1}, {"type": "B"}, ": model is A in the checkpoint, B in the model"),
        ({"type": "A", "p": 1}, {"type": "A", "p": 2}, ": model.p is 1 in the checkpoint, 2 in the model"),
        ({"type": "A"}, {"type": "A", "q": 2}, ": model.q is None in the checkpoint, 2 in the model"),
        ({"type": "A", "l": [{"type": "B"}]}, {"type": "A", "l": [{"type": "C"}]}, ": model.l.0 is B in the .*, C in"),
        ({"type": "A", "l": [1]}, {"type": "A", "l": [1, 2]}, ": model.l is a list of 1 in the .*, a list of 2 in"),
    ],
)
def test_the_first_difference(saved, current, difference):
    assert re.match(difference or "$", difference_of(saved, current))


def test_random_states():
    """Of all layers, containers included; of a model that is not a layer, none."""
    make = lambda seed: fr.Sequential(fr.GRU(2, 3, 2, dropout=0.5, seed=seed), fr.Dropout(0.5, seed=seed))  # noqa: E731
    first, second, x = make(0), make(1), np.ones((4, 2, 2), np.float32)
    set_random_states(second.layers[1], random_states(first.layers[1]))
    np.testing.assert_array_equal(first.layers[1].forward(x)[0], second.layers[1].forward(x)[0])
    assert len(random_states(first)) == 3 and random_states(object()) == []
