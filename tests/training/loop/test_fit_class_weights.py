# SPDX-License-Identifier: BSD-3-Clause
"""Weights of classes in fit and evaluate: what the loss gives with the same weights."""

from functools import partial

import numpy as np
import pytest
from support.training import T, assert_same, fit, tagger

import fastrnn as fr

V = 3
RTOL = 1e-12  # sums of a few float64 numbers in another order


@pytest.mark.parametrize("weights", ["balanced", {0: 2.0, 2: 0.5}, [2.0, 1.0, 0.5]])
def test_classes_weigh_as_in_the_loss(weights, tagged):
    """The value of cross_entropy(weight=...), of the counts that lie within lengths and are not ignored."""
    x, y, lengths, _, _ = tagged
    y[0, :5] = -100
    model = tagger()
    within = np.arange(T)[:, None] < lengths
    counts = np.bincount(y[within & (y >= 0)], minlength=V)
    table = counts.sum() / (V * counts) if isinstance(weights, str) else [2.0, 1.0, 0.5]
    expected = fr.cross_entropy(model(x, lengths=lengths)[0], y, lengths=lengths, weight=table)[0]
    lists = [x[:n, k] for k, n in enumerate(lengths)], [y[:n, k] for k, n in enumerate(lengths)]
    for data, options in ((x, y), {"lengths": lengths}), (lists, {}):
        result = fr.evaluate(model, fr.cross_entropy, *data, class_weight=weights, **options, metrics=["accuracy"])
        np.testing.assert_allclose(result["loss"], expected, rtol=1e-6)
        plain = fr.evaluate(model, fr.cross_entropy, *data, **options, metrics=["accuracy"])
        assert result["accuracy"] == plain["accuracy"]


def test_balanced_counts_what_is_trained_on(rng):
    """Not the validation, whose loss is unweighted by class, and not targets of weight 0."""
    x, y = rng.standard_normal((10, 2)).astype(np.float32), np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
    model, hand = (fr.Sequential(fr.Linear(2, V, seed=0)) for _ in range(2))
    weight = np.array([0, 1, 1, 1, 1, 2, 1, 1, 1, 1.0])  # row 0 counts for nothing
    options = {"validation": 0.2, "restore_best": False, "shuffle": False, "epochs": 2}
    history = fit(model, (x, y), fr.cross_entropy, sample_weight=weight, class_weight="balanced", **options)
    table = 7 / (3 * np.array([3, 2, 2]))
    adam = fr.Adam(hand)
    for _ in range(2):
        out, *_, tape = hand.forward(x[:8])
        _, dy = fr.cross_entropy(out, y[:8], sample_weight=weight[:8] * table[y[:8]])
        hand.zero_grad()
        hand.backward(tape, dy)
        adam.step()
    assert_same(model, hand.params)
    np.testing.assert_allclose(history["val_loss"][-1], fr.cross_entropy(hand(x[8:])[0], y[8:])[0], rtol=RTOL)


def test_classes_of_yes_and_no(rng):
    x, y = rng.standard_normal((12, 2)).astype(np.float32), (rng.uniform(size=(12, 2)) > 0.7).astype(np.float32)
    model = fr.Linear(2, 2, seed=0)
    loss = fr.binary_cross_entropy_with_logits
    got = fr.evaluate(model, loss, x, y, class_weight={0: 0.5, 1: 3.0})["loss"]
    np.testing.assert_allclose(got, loss(model(x), y, sample_weight=np.where(y == 1, 3.0, 0.5))[0], rtol=RTOL)
    with pytest.raises(ValueError, match="class_weight: expected targets of 0 and 1, the classes, got others"):
        fr.evaluate(model, loss, x, y * 0.5, class_weight="balanced")


def test_another_ignored_class(rng):
    """The loss says which: here the padding 0 of the targets."""
    x, y = rng.standard_normal((9, 2)).astype(np.float32), np.array([0, 0, 0, 0, 0, 1, 1, 1, 2])
    model, loss = fr.Linear(2, V, seed=0), partial(fr.cross_entropy, ignore_index=0)
    got = fr.evaluate(model, loss, x, y, class_weight="balanced")["loss"]
    np.testing.assert_allclose(got, loss(model(x), y, weight=[0, 4 / 6, 4 / 2])[0], rtol=RTOL)


def test_a_resumed_training_names_other_class_weights(tmp_path, tagged):
    x, y, *_ = tagged
    options = {"checkpoint": str(tmp_path / "run"), "class_weight": "balanced"}
    fit(tagger(), (x, y), fr.cross_entropy, epochs=1, **options)
    with pytest.warns(UserWarning, match="class_weight"):
        fit(tagger(), (x, y), fr.cross_entropy, resume=True, **options | {"class_weight": {0: 2.0}})
