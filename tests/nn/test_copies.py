# SPDX-License-Identifier: BSD-3-Clause
"""Copies, pickles, repr and config of every layer."""

import copy
import json
import pickle

import numpy as np
import pytest
from support.cells import ReferenceCell
from support.every_layer import X, call, inputs, memory, step
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
)

import fastrnn as fr

COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda layer, n=n: pickle.loads(pickle.dumps(layer, n)) for n in (2, 5)},
}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_a_copy_is_equal_and_independent(case, make, duplicate):
    """Same class, config, parameters and results; no memory in common; both train alike."""
    layer, x = make(), inputs(case)
    step(layer, x)
    clone = duplicate(layer)
    assert type(clone) is type(layer)
    assert clone.config() == layer.config() and clone.params.keys() == layer.params.keys()
    assert clone.params.first_names() == layer.params.first_names()
    assert_same_arrays(clone.state_dict(), layer.state_dict())
    assert not any(grad.any() for grad in clone.grads.values())
    assert not any(np.shares_memory(a, b) for a in memory(clone) for b in memory(layer))
    layer.zero_grad()
    clone.zero_grad()
    for a, b in zip(step(clone, x), step(layer, x), strict=True):
        assert a is b is None or (a == b).all()
    assert_same_arrays(clone.grads, layer.grads)
    y = call(layer, x)
    for array in memory(clone):
        array.fill(np.nan)
    assert_same_bits(call(layer, x), y)


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize(
    "contained", [lambda layer: layer, fr.Sequential, lambda layer: fr.Residual(fr.Sequential(layer))]
)
def test_a_copy_draws_the_next_dropout_masks(duplicate, contained):
    """It continues where the original stands, and neither takes numbers from the other."""
    make = lambda: contained(fr.GRU(3, 3, 3, dropout=0.5, seed=0))  # noqa: E731
    layer, other, x = make(), make(), inputs((None, X))
    expected = [other.forward(x)[0] for _ in range(3)]
    assert (expected[0] != expected[1]).any()
    assert_same_bits(layer.forward(x)[0], expected[0])
    clone = duplicate(layer)
    for k in (1, 2):
        assert_same_bits(clone.forward(x)[0], expected[k])
    for k in (1, 2):
        assert_same_bits(layer.forward(x)[0], expected[k])


def test_repr_evaluates_to_an_equal_layer(make, dtype):
    layer = make(dtype)
    again = eval(repr(layer), vars(fr) | {"ReferenceCell": ReferenceCell})
    assert type(again) is type(layer)
    assert again.config() == layer.config()
    assert repr(again) == repr(layer)
    assert again.dtype == dtype
    assert list(again.params) == list(layer.params)
    for name, array in layer.params.items():
        assert again.params[name].shape == array.shape


def test_config_is_plain_data(make):
    """JSON gives it back as it was."""
    config = make().config()
    assert json.loads(json.dumps(config)) == config
