# SPDX-License-Identifier: BSD-3-Clause
"""The order of what DataFrames and Series hold: columns of targets, times, and weights with an index."""

from datetime import date

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._data.frames import check_order, check_times, columns_of

pd = pytest.importorskip("pandas")


@pytest.fixture
def data(rng):
    """Sequences of 3 features, and 2 targets at each of their steps."""
    x = [pd.DataFrame(rng.standard_normal((T, 3)), columns=["a", "b", "c"]) for T in (5, 3, 4)]
    return x, [pd.DataFrame(rng.standard_normal((len(each), 2)), columns=["u", "v"]) for each in x]


def trained(x, y, **options):
    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 2, seed=1))
    fr.fit(model, fr.mse_loss, x, y, epochs=1, seed=0, progress=False, **options)
    return model


def test_columns_of_targets_are_those_of_the_training(data):
    """In validation and evaluation; a loss of other pairs would be a number like any other."""
    x, y = data
    turned = [each[["v", "u"]] for each in y]
    model = trained(x, y)
    assert columns_of(model) == (("a", "b", "c"), ("u", "v"))
    with pytest.raises(ValueError, match=r"y\[0\]: expected the columns \['u', 'v'\], those that the model was fitted"):
        fr.evaluate(model, fr.mse_loss, x, turned)
    with pytest.raises(ValueError, match=r"y\[0\]: expected the columns \['u', 'v'\], those that the model was fitted"):
        trained(x, y, validation=(x, turned))
    fr.evaluate(model, fr.mse_loss, x, [each.to_numpy() for each in turned])  # an array has no names
    assert columns_of(trained([each.to_numpy() for each in x], y)) == (None, ("u", "v"))


def test_times_that_go_back_are_refused(data):
    """Numbers may be those of parts that were joined."""
    x, y = data
    for index in (pd.date_range("2026", periods=5), pd.Index([date(2026, 1, day) for day in range(1, 6)])):
        frame, targets = x[0].set_axis(index), y[0].set_axis(index)
        trained(frame, targets)
        with pytest.raises(ValueError, match=r"x: expected the steps in their order, got .* behind .*; sort_index\(\)"):
            trained(frame[::-1], targets[::-1])
    trained(x[0][::-1], y[0][::-1])


def test_an_index_of_words_has_no_order():
    for index in (pd.Index(["b", "a"]), pd.Index([]), pd.Index([date(2026, 1, 1), "a"])):
        check_order("x", index)
    check_times("x", pd.Index([2, 1]))
    with pytest.raises(ValueError, match="x: expected the steps in their order, got .*1.* behind .*2"):
        check_order("x", pd.Index([2, 1]))


def test_weights_have_the_index_of_the_targets(data):
    x, y = data
    weights = [pd.Series(np.arange(len(each)) + 1.0, index=each.index) for each in y]
    trained(x, y, sample_weight=weights)
    with pytest.raises(ValueError, match=r"sample_weight\[0\]: expected the index of y\[0\], got another one"):
        trained(x, y, sample_weight=[each[::-1] for each in weights])


def test_weights_of_classes_are_those_of_their_names(data):
    """As ``1 / labels.value_counts()`` has them, the most frequent class first."""
    x, labels = data[0], [np.array([1, 1, 0, 1, 1]), np.array([2, 1, 2]), np.array([1, 1, 0, 2])]
    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 3, seed=1))
    weights = 1 / pd.Series(np.concatenate(labels)).value_counts()
    assert weights.index[0] == 1
    losses = [
        fr.evaluate(model, fr.cross_entropy, x, labels, class_weight=each)["loss"]
        for each in (weights, weights.to_dict(), weights.sort_index().to_numpy())
    ]
    assert losses[0] == losses[1] == losses[2]
