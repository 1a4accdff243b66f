# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every initialiser: in place, seeds, dtypes, containers, and that packed weights follow."""

import copy

import numpy as np
import pytest
from support.init import INITIALISERS, assert_same, each, fitting, layers, random

import fastrnn as fr
from fastrnn import init


def test_every_initialiser_is_tested_here():
    assert sorted(INITIALISERS) == sorted(init.__all__)
    assert fr.init is init


@each
def test_writes_in_place_and_returns_the_layer(initialise, kinds, dtype):
    for layer in fitting(kinds, dtype):
        before = layer.state_dict()
        arrays = dict(layer.params)
        assert initialise(layer, 0) is layer
        assert all(layer.params[name] is array for name, array in arrays.items())
        assert all(array.dtype == dtype and array.shape == before[name].shape for name, array in arrays.items())
        assert any((array != before[name]).any() for name, array in arrays.items())
        assert not any(grad.any() for grad in layer.grads.values())


@each
def test_the_same_seed_gives_the_same_bits(initialise, kinds):
    for layer in fitting(kinds):
        other = copy.deepcopy(layer)
        assert_same(initialise(other, 7), initialise(layer, 7).params)


@random
def test_another_seed_gives_other_numbers(initialise, kinds):
    """As do no seed at all, and the same generator once more."""
    rng = np.random.default_rng(0)
    for seed, again in [(7, 8), (None, None), (rng, rng)]:
        for layer in fitting(kinds):
            first = initialise(layer, seed).state_dict()
            second = initialise(layer, again).state_dict()
            assert any((first[name] != second[name]).any() for name in first)


@each
def test_float32_is_float64_rounded(initialise, kinds):
    for single, double in zip(fitting(kinds), fitting(kinds, np.float64), strict=True):
        single.load_state_dict(double.state_dict())
        initialise(single, 0)
        initialise(double, 0)
        assert_same(single, {name: array.astype(np.float32) for name, array in double.params.items()})


@each
def test_layers_without_biases(initialise, kinds):
    """Their weights are drawn as always; what only writes biases has nothing to do there, and says so."""
    for layer in fitting(kinds):
        bare = type(layer)(**layer.config() | {"bias": False}, seed=1)
        before = bare.state_dict()
        if initialise in (INITIALISERS["forget_bias"][0], INITIALISERS["chrono"][0]):
            text = rf"^(layer|lstm): expected layers with bias=True, got {type(bare).__name__}\("
            with pytest.raises(ValueError, match=text):
                initialise(bare, 0)
            assert_same(bare, before)
        else:
            initialise(bare, 0)
            assert all((array != before[name]).any() for name, array in bare.params.items())


@each
def test_the_output_follows(initialise, kinds, dtype, rng):
    """Weights that have been packed are packed anew, for calls, training and streams that began before."""
    for layer in fitting(kinds, dtype):
        x = rng.standard_normal((3, 2, 70)).astype(dtype)
        stream = None
        if layer.stateful:
            layer = type(layer)(**layer.config() | {"bidirectional": False}, seed=1)
            stream = layer.stream(2)
            stream.step(x[0])
            stream.reset()
        before = y_of(layer, x)
        initialise(layer, 0)
        fresh = type(layer)(**layer.config())
        fresh.load_state_dict(layer.state_dict())
        y = y_of(layer, x)
        assert (y != before).any()
        np.testing.assert_array_equal(y, y_of(fresh, x))
        np.testing.assert_array_equal(layer.forward(x)[0], y)
        if stream:
            np.testing.assert_array_equal(np.stack([stream.step(x_t) for x_t in x]), y)


def y_of(layer, x):
    return layer(x)[0] if layer.stateful else layer(x)


@each
def test_a_sequential_stands_for_its_layers(initialise, kinds):
    """One after another with one generator, also in a Sequential in it; what is not meant is left alone."""
    parts = layers(H=35)  # each reads 70 features, what the one before gives
    inner = fr.Sequential(*parts[1:3])
    model = fr.Sequential(fr.Embedding(9, 70, seed=0), parts[0], inner, parts[3])
    before, expected, rng = model.state_dict(), layers(H=35), np.random.default_rng(0)
    for layer in expected:
        if isinstance(layer, kinds):
            initialise(layer, rng)
    assert initialise(model, np.random.default_rng(0)) is model
    for layer, other in zip(parts, expected, strict=True):
        assert_same(layer, other.params)
    np.testing.assert_array_equal(model.params["0.weight"], before["0.weight"])


def test_what_stands_in_a_residual_is_written_too():
    """A Sequential and a Residual, in any nesting, are gone through."""
    model = fr.Sequential(fr.Residual(fr.Sequential(fr.Linear(4, 4), fr.GRU(4, 4))), fr.Linear(4, 2))
    assert fr.init.orthogonal(model, seed=0) is model
    for block in np.split(model.params["0.1.weight_hh_l0"], 3):
        np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-6)


@each
def test_a_layer_in_two_places_is_written_once(initialise, kinds):
    """As on its own, and the layers after it have the next random numbers."""
    layer = fitting(kinds)[0]
    other, alone, next_one = (copy.deepcopy(layer) for _ in range(3))
    rng = np.random.default_rng(0)
    initialise(alone, rng)
    initialise(next_one, rng)
    initialise(fr.Sequential(fr.Residual(layer), fr.Sequential(fr.Residual(layer), fr.Residual(other))), 0)
    assert_same(layer, alone.params)
    assert_same(other, next_one.params)
