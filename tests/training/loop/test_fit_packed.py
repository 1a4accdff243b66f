# SPDX-License-Identifier: BSD-3-Clause
"""Rows of different lengths in fit: the same training, to the bit, however they come."""

import numpy as np
import pytest
from support.ragged_training import (
    LENGTHS,
    LOSSES,
    MODELS,
    POOLS,
    I,
    N,
    assert_same_training,
    compare,
    data,
    make,
    padded,
    train,
)

import fastrnn as fr


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_every_layer(name, dtype, batch_first):
    compare(name, fr.cross_entropy, True, dtype=dtype, batch_first=batch_first)


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("name", ["gru, leaves", "steps alike", "residual"])
def test_targets_of_rows(name, pool):
    compare(name, fr.mse_loss, False, pool)


@pytest.mark.parametrize("per_step", [True, False])
@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_every_loss(loss, weights, per_step):
    compare("gru, leaves", loss, per_step, *([] if per_step else [fr.MeanPool]), weights=weights, batch_first=True)


@pytest.mark.parametrize("options", [{"validation": 0.3}, {"shards": 2}, {"truncate": 4}], ids=str)
def test_options_of_fit(options):
    history, _ = compare("gru, leaves", fr.cross_entropy, True, weights=True, **options)
    assert ("val_loss" in history) == ("validation" in options)


def test_layout_makes_no_difference():
    """To rows of different lengths; nor does a loop by hand over packed sequences."""
    x, y, _ = data(fr.cross_entropy, True)
    models = [make("steps alike", batch_first=first) for first in (False, True)]
    time_first, rows_first = (train(model, fr.cross_entropy, x, y, shuffle=False) for model in models)
    assert_same_training(time_first, rows_first)
    model = make("steps alike")
    adam = fr.Adam(model)
    for _ in range(2):
        for part in np.split(np.arange(N), range(4, N, 4)):
            logits, _, tape = model.forward(fr.pack_sequence([x[n] for n in part]))
            _, dlogits = fr.cross_entropy(logits.data, fr.pack_sequence([y[n] for n in part]).data)
            model.zero_grad()
            model.backward(tape, dlogits)
            adam.step()
    for name, p in time_first[1].items():
        np.testing.assert_array_equal(p, model.params[name], err_msg=name)


def test_batches_and_packed_batches():
    """Padded ones, with steps behind the longest, and packed ones; the model sees the same."""
    x, y, _ = data(fr.cross_entropy, True)
    expected = train(make("lstm"), fr.cross_entropy, x, y, shuffle=False)
    parts = np.split(np.arange(N), range(4, N, 4))
    arrays = padded(x, False, np.nan), padded(y, False)
    batches = [(arrays[0][:, part], arrays[1][:, part], LENGTHS[part]) for part in parts]
    packed = [tuple(fr.pack_sequence([each[n] for n in part]) for each in (x, y)) for part in parts]
    own = fr.Batches(x, y, batch_size=4, shuffle=False, per_step=True)
    for source in (batches, packed, own):
        assert_same_training(expected, train(make("lstm"), fr.cross_entropy, source, None))
    two = train(make("lstm"), fr.cross_entropy, x, y, shuffle=False, shards=2)
    for source in (batches, packed):
        assert_same_training(two, train(make("lstm"), fr.cross_entropy, source, None, shards=2))
    whole = fr.pack_sequence(x), fr.pack_sequence(y)
    assert_same_training(expected, train(make("lstm"), fr.cross_entropy, *whole, shuffle=False))


def test_full_rows_are_an_array():
    """Of equal lengths, behind which a longer array is cut."""
    x, y = [np.ones((3, I), np.float32)] * 4, [np.arange(3)] * 4
    long = [np.stack([np.concatenate([each, each]) for each in part], axis=1) for part in (x, y)]
    for first in (False, True):
        arrays = [part.swapaxes(0, 1) for part in long] if first else long
        models = [make("steps alike", batch_first=first) for _ in range(2)]
        as_list = train(models[0], fr.cross_entropy, x, y)
        assert_same_training(as_list, train(models[1], fr.cross_entropy, *arrays, lengths=[3] * 4))
