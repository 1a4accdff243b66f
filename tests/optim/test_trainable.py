# SPDX-License-Identifier: BSD-3-Clause
"""What a model has to be."""

import re

import numpy as np
import pytest
from support.optimizers import Model

import fastrnn as fr
from fastrnn.optim import SGD


def test_bad_models():
    with pytest.raises(TypeError, match="expected an object with params and grads, got dict"):
        SGD(Model().params)
    model = Model()
    model.grads["bias"] = np.zeros(5)
    with pytest.raises(ValueError, match=re.escape("grads['bias']: expected float64 (4,), got ")):
        SGD(model)
    del model.grads["bias"]
    with pytest.raises(ValueError, match=re.escape("same names, got ['bias'] in one of them only")):
        SGD(model)


def test_every_layer_is_a_model():
    linear = fr.Linear(2, 1, seed=0)
    linear.grads["bias"] = [2.0]
    before = linear.state_dict()
    sgd = SGD(linear, lr=0.5)
    sgd.step()
    np.testing.assert_array_equal(linear.params["bias"], before["bias"] - 1)
    sgd.zero_grad()
    assert not linear.grads["bias"].any()
