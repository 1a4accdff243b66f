# SPDX-License-Identifier: BSD-3-Clause
"""Batches without padding: what models, losses and metrics get, and what they are made of."""

from functools import partial

import numpy as np
import pytest
from support.layers import argument_refused
from support.ragged_training import LENGTHS, I, N, V, assert_same_training, data, make, padded, train

import fastrnn as fr
from fastrnn.losses import Mean
from fastrnn.training._data.batch import Batch, weight_of, weighted
from fastrnn.training._data.packing import Places, without_padding
from fastrnn.training._data.reading import reading_of


def test_evaluation_and_prediction():
    x, y, weight = data(fr.cross_entropy, True)
    model = make("lstm")
    options = {"metrics": ["accuracy"], "batch_size": 4}
    listed = fr.evaluate(model, fr.cross_entropy, x, y, sample_weight=weight, **options)
    arrays = {"lengths": LENGTHS, "sample_weight": padded(weight, False)}
    assert listed == fr.evaluate(model, fr.cross_entropy, padded(x, False), padded(y, False), **arrays, **options)
    logits = fr.predict(model, x, batch_size=4)
    whole = fr.predict(model, padded(x, False, np.nan), lengths=LENGTHS)
    packed = fr.predict(model, fr.pack_sequence(x))
    for n, (one, same) in enumerate(zip(logits, packed, strict=True)):
        np.testing.assert_array_equal(one, whole[: LENGTHS[n], n])
        np.testing.assert_array_equal(one, same)
        assert one.base is None  # it does not keep the others alive
    assert fr.predict(make("lstm", *[partial(fr.LastStep, bidirectional=True)]), x).shape == (N, V)


def seen_by(function):
    """What a loss or a metric is called with."""
    x, y, _ = data(fr.mse_loss, True)
    return train(make("gru, leaves"), fr.mse_loss, x, y, metrics={"own": function}, epochs=1, validation=0.4)


def test_functions_of_positions_and_of_rows():
    """One that asks for lengths gets rows as before; any other the positions."""
    shapes = []

    def of_rows(y, target, lengths):
        shapes.append((y.shape, target.shape, tuple(lengths)))
        mean = fr.mse_loss(y, target, lengths=lengths)[0]
        return Mean(mean.total, mean.weight)

    def positions(y, target):
        assert y.ndim == 2 and y.shape == target.shape
        return fr.mse_loss(y, target)[0]

    def ratio(y, target, lengths):
        return fr.mse_loss(y, target, lengths=lengths)[0] / 2

    first, second, third = (seen_by(each)[0] for each in (of_rows, positions, ratio))
    assert all(y == target and y[0] == max(n) and y[1] == len(n) for y, target, n in shapes)
    np.testing.assert_allclose(first["own"], second["own"], rtol=1e-12)
    np.testing.assert_allclose(third["val_own"], np.array(second["val_own"]) / 2, rtol=1e-12)
    x, y, _ = data(fr.mse_loss, True)
    own = train(make("rnn"), lambda y, target, lengths: fr.mse_loss(y, target, lengths=lengths), x, y, metrics=())
    for name, p in train(make("rnn"), fr.mse_loss, x, y, metrics=())[1].items():
        np.testing.assert_array_equal(p, own[1][name], err_msg=name)


def test_labels_with_lengths_of_their_own():
    """The loss reads whole rows, (T, N, V); the layers before it still see no padding."""
    rng = np.random.default_rng(2)
    x = [rng.standard_normal((T, I)).astype(np.float32) for T in LENGTHS]
    labels = rng.integers(1, V, (N, 1))
    models = [make("steps alike") for _ in range(2)]
    first = train(models[0], fr.ctc_loss, x, list(labels))
    assert_same_training(first, train(models[1], fr.ctc_loss, padded(x, False, np.nan), labels, lengths=LENGTHS))


def test_layers_that_take_no_packed_rows_get_padded_ones():
    x, y, _ = data(fr.mse_loss, False)
    shapes = []

    class Seen(fr.MeanPool):
        takes_packed = False

        def _forward(self, x, lengths):
            shapes.append((np.shape(x), lengths is not None))
            return super()._forward(x, lengths)

    model = fr.Sequential(fr.GRU(I, 8, seed=0), Seen(), fr.Linear(8, V, seed=9))
    assert not reading_of(model, False).packed
    train(model, fr.mse_loss, x, y)
    assert all(len(shape) == 3 and has_lengths for shape, has_lengths in shapes)


@pytest.mark.parametrize("inside", [False, True])
def test_a_subclass_with_passes_of_its_own(inside):
    """It may do anything with x and lengths, so that it gets arrays, unless it says that it takes packed rows."""
    x, y, _ = data(fr.mse_loss, True)
    seen = []

    class Doubled(fr.GRU):
        def forward(self, x, state=None, lengths=None, mask=None, resets=None):
            seen.append(type(lengths))
            return super().forward(2 * x, state, lengths, mask, resets)

    class Declared(Doubled):
        takes_packed = True

    for kind, packed in ((Doubled, False), (Declared, True)):
        gru = kind(I, V, seed=0)
        model = fr.Sequential(gru) if inside else gru
        assert reading_of(model, False).packed is packed
        if not packed:
            train(model, fr.mse_loss, x, y)
    assert set(seen) == {np.ndarray}


def test_a_batch_packed_and_back():
    x, y, weight = data(fr.mse_loss, True)
    reading = reading_of(make("rnn"), False)
    batch = weighted(Batch(padded(x, False), padded(y, False), LENGTHS), padded(weight, False), 1)
    packed = without_padding(batch, reading)
    for part, sequences in ((packed.x.data, x), (packed.y, y), (weight_of(packed), weight)):
        np.testing.assert_array_equal(part, fr.pack_sequence(sequences).data)
    places = Places.of(packed.x)
    np.testing.assert_array_equal(places.scattered(packed.y, True), padded(y, True, more=0))
    assert packed.lengths is None and packed.steps == LENGTHS.sum()
    assert "9 steps packed into (54, 3) float32" in repr(packed)
    assert without_padding(batch, reading._replace(packed=False)) is batch
    wrong = Batch(batch.x, batch.y, LENGTHS[:3])
    assert without_padding(wrong, reading) is wrong  # the layer says what is wrong


def test_targets_packed_otherwise_and_pieces():
    x, y, _ = data(fr.mse_loss, True)
    batch = fr.pack_sequence(x), fr.pack_sequence(y[::-1])
    with argument_refused(ValueError, "y", "packed as those of x"):
        train(make("rnn"), fr.mse_loss, [batch], None)
    batch = fr.pack_sequence(x), fr.pack_sequence(y)
    with argument_refused(TypeError, "x", "to cut it in time", "packed"):
        train(make("rnn"), fr.mse_loss, [batch], None, truncate=3)
    several = {"x": np.ones((4, 2, 3), np.float32), "resets": np.zeros((4, 2), bool)}
    with argument_refused(TypeError, "x", "to cut it in time", "a dict of 2"):
        train(make("rnn"), fr.mse_loss, [(several, np.ones((4, 2, 5), np.float32))], None, truncate=3)
