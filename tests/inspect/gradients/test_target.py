# SPDX-License-Identifier: BSD-3-Clause
"""What attribution asks of a target: steps and features for every row, baselines, and a model without its embedding."""

import numpy as np
from support.layers import assert_same_bits, language_model, pooled_model

import fastrnn as fr
from fastrnn.inspect._gradients.target import AttributionTarget, split_embedding

T, N = 5, 3
LENGTHS = [4, 0, 5]


def test_steps_count_from_the_end_of_each_row(rng):
    x = rng.standard_normal((T, N, 2)).astype(np.float32)
    target = AttributionTarget(fr.GRU(2, 3, seed=0), x, LENGTHS, None)
    assert target.steps([-1, 3]).tolist() == [[3, 3], [-1, -1], [4, 3]]
    assert target.steps(None)[0].tolist() == [0, 1, 2, 3, -1]


def test_features_of_every_step_and_row(rng):
    layer = fr.GRU(2, 3, batch_first=True, seed=0)
    target = AttributionTarget(layer, rng.standard_normal((N, T, 2)).astype(np.float32), None, None)
    units = rng.integers(0, 3, (N, T))
    assert target.units(2).shape == (T, N) and (target.units(2) == 2).all()
    np.testing.assert_array_equal(target.units(units), units.T)


def test_after_pooling_y_has_one_step(rng):
    pooled = fr.Sequential(*pooled_model().layers[:2])
    target = AttributionTarget(pooled, rng.standard_normal((T, N, 3)).astype(np.float32), LENGTHS, None)
    assert target.y.shape == (1, N, 8) and not target.has_steps and target.steps(None).tolist() == [[0]] * N


def test_blocks_cover_all_rows(rng):
    target = AttributionTarget(fr.GRU(2, 3, seed=0), rng.standard_normal((T, N, 2)).astype(np.float32), None, None)
    assert [n for block in target.blocks(1000) for n in range(1000)[block]] == list(range(1000))


def test_a_model_without_its_embedding_reads_vectors(rng):
    model, tokens = language_model(), rng.integers(0, 10, (T, N))
    embedding, rest = split_embedding(model)
    assert_same_bits(rest(embedding(tokens))[0], model(tokens)[0])
    assert split_embedding(rest) == (None, rest)
