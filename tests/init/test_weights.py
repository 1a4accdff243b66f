# SPDX-License-Identifier: BSD-3-Clause
"""The distribution of the weights of every gate: PyTorch, Xavier and He."""

import math

import numpy as np
import pytest
from support.init import VARIANCES, assert_distributed, assert_same, blocks, layers
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn import init


@pytest.mark.parametrize("gain", [1.0, 0.25])
@pytest.mark.parametrize("shape", ["uniform", "normal"])
@pytest.mark.parametrize("name", VARIANCES)
def test_every_gate_has_the_variance_of_its_own_block(dtype, name, shape, gain):
    for layer in layers(dtype):
        getattr(init, f"{name}_{shape}")(layer, gain, seed=0)
        for key, block in blocks(layer, "weight").items():
            std = gain * math.sqrt(VARIANCES[name](*block.shape))
            assert_distributed((layer, key), block, std, shape == "uniform")
        assert not any(block.any() for block in blocks(layer, "bias").values())


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "orthogonal"])
def test_the_gain_is_1_by_default(name):
    for layer, other in zip(layers(), layers(), strict=True):
        getattr(init, name)(layer, seed=0)
        assert_same(layer, getattr(init, name)(other, 1.0, 0).params)


def test_pytorch_is_uniform_within_the_root_of_the_size():
    for layer in layers():
        init.pytorch(layer, seed=0)
        size = layer.hidden_size if layer.stateful else layer.in_features
        for kind in ("weight", "bias"):
            for key, block in blocks(layer, kind).items():
                assert_distributed((layer, key), block, (3 * size) ** -0.5, uniform=True)


def test_pytorch_is_what_the_constructor_draws(cell, dtype):
    """To the bit, for a number and for a generator as the seed."""
    for seed in (lambda: 0, lambda: np.random.default_rng(5)):
        built = make_layer(cell, 5, 7, 2, bidirectional=True, dtype=dtype, seed=seed())
        layer = make_layer(cell, 5, 7, 2, bidirectional=True, dtype=dtype, seed=1)
        assert_same(init.pytorch(layer, seed()), built.params)
        linear = init.pytorch(fr.Linear(5, 7, dtype=dtype, seed=1), seed())
        assert_same(linear, fr.Linear(5, 7, dtype=dtype, seed=seed()).params)


def test_pytorch_leaves_dropout_where_it_is():
    layer, built = (fr.GRU(3, 20, 2, dropout=0.5, seed=0) for _ in range(2))
    x = np.ones((4, 2, 3), np.float32)
    init.pytorch(layer, seed=0)
    for _ in range(2):
        np.testing.assert_array_equal(layer.forward(x)[0], built.forward(x)[0])
        init.pytorch(layer, seed=0)
