# SPDX-License-Identifier: BSD-3-Clause
"""Models, and the part of the samples that is kept for validation."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.sklearn import RNNClassifier
from fastrnn.sklearn._training import make_model, validates, with_validation_last


def made(channels=3, outputs=2, **parameters):
    options = RNNClassifier(hidden_size=4, **parameters)._checked()
    return make_model(options, (channels, outputs), np.float64, [0, 1, 2])


@pytest.mark.parametrize(("name", "kind"), [("gru", fr.GRU), ("lstm", fr.LSTM), ("rnn", fr.RNN)])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_model_reads_sequences_of_any_lengths(name, kind, pooling, bidirectional, rng):
    """A row with padding has the bits of the row alone, whatever the layers."""
    model = made(cell=name, pooling=pooling, bidirectional=bidirectional, num_layers=2, dropout=0.1)
    assert isinstance(model["recurrent"], kind)
    long, short = rng.standard_normal((7, 3)), rng.standard_normal((4, 3))
    both = fr.predict(model, [long, short])
    assert both.shape == (2, 2) and (both[1] == fr.predict(model, [short])[0]).all()


def test_the_last_step_is_that_of_each_direction(rng):
    """h of both directions, which an LSTM returns."""
    model, x = made(cell="lstm", bidirectional=True), rng.standard_normal((2, 5, 3))
    _, (h, _) = model["recurrent"](x)
    np.testing.assert_array_equal(model["output"](np.concatenate([h[0], h[1]], axis=-1)), model(x)[0])


def test_dropout_stands_between_layers_and_before_the_output():
    assert len(made()) == 3 and made()["recurrent"].dropout == 0
    one, two = made(dropout=0.3), made(dropout=0.3, num_layers=2)
    assert one["dropout"].p == two["dropout"].p == two["recurrent"].dropout == 0.3


def test_many_samples_spare_some_for_validation():
    assert [validates("auto", count) for count in (499, 500)] == [False, True]
    assert validates(True, 3) and not validates(False, 3000)


@pytest.mark.parametrize("seed", range(5))
def test_each_class_has_its_share_of_the_validation(seed):
    codes = np.repeat([0, 1, 2], [60, 30, 10])
    order, last = with_validation_last(codes, 100, 0.2, seed)
    assert sorted(order) == list(range(100)) and last == 20
    np.testing.assert_allclose(np.bincount(codes[order[-last:]]), [12, 6, 2], atol=1)


def test_the_only_sample_of_a_class_is_trained_on():
    codes = np.array([0, *[1] * 9, 2])
    for seed in range(20):
        order, last = with_validation_last(codes, 11, 0.3, seed)
        assert last and {0, 10} <= set(order[:-last])


def test_values_are_drawn_at_random():
    orders = [with_validation_last(None, 50, 0.1, seed) for seed in (0, 0, 1)]
    assert [last for _, last in orders] == [5, 5, 5]
    assert (orders[0][0] == orders[1][0]).all() and set(orders[0][0][-5:]) != set(orders[2][0][-5:])


@pytest.mark.parametrize(("count", "fraction"), [(3, 0.1), (1, 0.5), (3, 0.99)])
def test_both_parts_need_a_sample(count, fraction):
    with pytest.raises(ValueError, match="validation_fraction: expected at least one sample in both parts"):
        with_validation_last(None, count, fraction, 0)
