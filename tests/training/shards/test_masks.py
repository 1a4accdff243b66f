# SPDX-License-Identifier: BSD-3-Clause
"""Masks are a function of the first state, the layer, the step and the shard, and of nothing else."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._shards.masks import Masks
from fastrnn.training._state.parameters import random_states


def make(seed=0, **options):
    return fr.Sequential(fr.Dropout(0.5, seed=seed), fr.Dropout(0.5, seed=seed + 1), fr.Linear(2, 2, seed=2))


def drawn(masks, step, shard):
    with masks.kept():
        masks.begin(step, shard)
        return masks.model.forward(np.ones((4, 3, 2), np.float32))[0]


def test_steps_and_shards_have_masks_of_their_own():
    masks = Masks(make())
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2)]
    ys = [drawn(masks, *place) for place in places]
    assert len({y.tobytes() for y in ys}) == len(places)
    for place, y in zip(reversed(places), reversed(ys), strict=True):  # in any order
        np.testing.assert_array_equal(drawn(masks, *place), y)


def test_equal_generators_draw_different_masks_in_different_layers():
    model = fr.Sequential(fr.Dropout(0.5, seed=0), fr.Dropout(0.5, seed=0))
    masks = Masks(model)
    masks.begin(0, 0)
    first, second = random_states(model)[1:]
    assert first != second


def test_the_first_states_come_back():
    model = make()
    before = random_states(model)
    masks = Masks(model)
    with pytest.raises(KeyError), masks.kept():
        masks.begin(3, 1)
        assert random_states(model) != before
        raise KeyError
    assert random_states(model) == before


def test_another_seed_gives_other_masks():
    assert (drawn(Masks(make(0)), 1, 1) != drawn(Masks(make(5)), 1, 1)).any()


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_generators_of_any_kind(kind):
    model = fr.Dropout(0.5, seed=np.random.Generator(kind(0)))
    masks = Masks(model)
    assert (drawn(masks, 0, 0) != drawn(masks, 0, 1)).any()
    np.testing.assert_array_equal(drawn(masks, 0, 0), drawn(masks, 0, 0))


def test_models_without_generators():
    masks = Masks(object())
    with masks.kept():
        masks.begin(0, 0)
    assert masks.first == []
