# SPDX-License-Identifier: BSD-3-Clause
"""The same seed gives the same parameters and the same masks."""

import numpy as np
import pytest
from support.every_layer import X, call, inputs
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
)

import fastrnn as fr


def test_the_same_seed_gives_the_same_parameters_and_another_seed_others(case, make):
    layer, same, other = make(), make(), make(seed=100)
    assert_same_arrays(same.params, layer.params)
    for name in layer.params if type(layer) is not fr.LayerNorm else ():  # its first values are ones and zeros
        assert (layer.params[name] != other.params[name]).any()
    assert_same_bits(call(same, inputs(case)), call(layer, inputs(case)))


@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU, fr.Linear, fr.Embedding])
def test_without_a_seed_every_layer_is_another(kind):
    layer, other = kind(3, 4), kind(3, 4)
    for name in layer.params:
        assert (layer.params[name] != other.params[name]).any()


@pytest.mark.parametrize("kind", [fr.RNN, fr.LSTM, fr.GRU])
def test_the_same_seed_gives_the_same_dropout_masks_and_another_seed_others(kind):
    """Whatever the parameters are; inference draws nothing and drops nothing."""
    layers = [kind(3, 64, 2, dropout=0.5, seed=seed) for seed in (0, 0, 1)]
    plain = kind(3, 64, 2, seed=0)
    for layer in layers:
        layer.load_state_dict(plain.state_dict())
    x = inputs((None, X))
    for layer in layers:
        assert_same_bits(layer(x)[0], plain(x)[0])
    first = [layer.forward(x)[0] for layer in layers]
    second = [layer.forward(x)[0] for layer in layers]
    for a, b, c in (first, second):
        assert_same_bits(a, b)
        assert (a != c).any() and (a != plain(x)[0]).any()
    assert (first[0] != second[0]).any()


@pytest.mark.parametrize(
    "seed", [True, np.True_, np.random.RandomState(0), np.random.Generator(np.random.RandomState(0)._bit_generator)]
)
def test_seeds_that_have_no_independent_parts_are_named(seed):
    """A generator of a legacy seed cannot be divided; a flag is no seed."""
    with pytest.raises(TypeError, match="seed: expected an integer of at least 0 or None, got "):
        fr.LSTM(3, 4, seed=seed)
