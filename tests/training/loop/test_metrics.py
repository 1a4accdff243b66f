# SPDX-License-Identifier: BSD-3-Clause
"""Metrics by name, and what a metric may be."""

import re
from functools import partial

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.losses import Mean
from fastrnn.training import FunctionOfMean, accuracy
from fastrnn.training._loop.metrics import NAMED, as_metrics, score


def test_accuracy_of_classes(rng):
    logits, classes = rng.standard_normal((5, 3, 4)), rng.integers(0, 4, (5, 3))
    classes[0] = -100
    right = [logits[t, n].argmax() == classes[t, n] for t in range(1, 5) for n in range(3)]
    for found in accuracy(logits, classes), accuracy(logits.tolist(), classes.tolist()):
        assert type(found) is Mean and (found.total, found.weight) == (sum(right), 12)
    classes[0] = 2
    padded = accuracy(logits, classes, ignore_index=2)
    assert (padded.total, padded.weight) == (
        (logits.argmax(axis=-1) == classes)[classes != 2].sum(),
        (classes != 2).sum(),
    )


def test_accuracy_of_yes_and_no(rng):
    logits, answers = rng.standard_normal((5, 3, 1)), rng.integers(0, 2, (5, 3, 1))
    right = np.mean((1 / (1 + np.exp(-logits)) > 0.5) == (answers == 1))
    for kind in int, float, bool:
        found = accuracy(logits, answers.astype(kind))
        assert found == right and found.weight == 15


def test_nothing_counted():
    found = accuracy(np.zeros((2, 3)), [-100, -100])
    assert (str(found), found.weight) == ("0.0", 0)


@pytest.mark.parametrize(
    "target, got",
    [(np.zeros(5, int), "int64 (5,)"), (np.zeros(3), "float64 (3,)"), (np.zeros((3, 2), int), "int64 (3, 2)")],
)
def test_accuracy_of_targets_that_do_not_fit(target, got):
    text = f"target: expected integers (3,), the classes, or (3, 4), yes or no, for y (3, 4), got {got}"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        accuracy(np.zeros((3, 4)), target)


def test_the_named_ones(rng):
    y, target = rng.standard_normal((2, 7, 3))
    assert list(NAMED) == ["accuracy", "mae", "mse", "rmse"]
    values = {name: score(name, NAMED[name], y, target, None, False) for name in ("mae", "mse", "rmse")}
    assert values == pytest.approx(
        {
            "mae": np.abs(y - target).mean(),
            "mse": np.square(y - target).mean(),
            "rmse": np.sqrt(np.square(y - target).mean()),
        }
    )
    assert [type(value) for value in values.values()] == [Mean, Mean, float]


def test_a_function_of_a_mean(rng):
    """With the arguments that the mean takes; what is no function is an error."""
    y, target = rng.standard_normal((2, 4, 3, 2))
    lengths, root = np.array([4, 0, 2]), FunctionOfMean(np.sqrt, fr.mse_loss)
    inside = np.arange(4)[:, None] < lengths
    expected = np.sqrt(np.square(y - target)[inside].mean())
    assert root(y, target, lengths=lengths) == pytest.approx(expected)
    assert score("root", root, y, target, lengths, False) == pytest.approx(expected)
    summed = FunctionOfMean(np.sqrt, partial(fr.mse_loss, reduction="sum"))
    assert summed(y, target, lengths=lengths) == root(y, target, lengths=lengths)  # of the mean all the same
    seen = []
    own = FunctionOfMean(len, lambda y, target, lengths: seen.append(lengths) or Mean(1, 1))
    with pytest.raises(TypeError, match="object of type 'Mean' has no len"):
        score("own", own, y, target, lengths, False)
    assert seen[0] is lengths
    for arguments, name in ((3, fr.mse_loss), "function"), ((np.sqrt, FunctionOfMean), "mean"):
        with pytest.raises(TypeError, match=f"^{name}: expected a function, got "):
            FunctionOfMean(*arguments)


def test_names_and_functions_mix():
    found = as_metrics(["rmse", fr.huber_loss])
    assert found == {"rmse": NAMED["rmse"], "huber_loss": fr.huber_loss}
    own = partial(accuracy, ignore_index=0)
    assert as_metrics({"right": "accuracy", "own": own}) == {"right": accuracy, "own": own}


@pytest.mark.parametrize(
    "metrics, error, text",
    [
        (["acuracy"], ValueError,
         "metrics: expected a function or one of accuracy, mae, mse, rmse, got 'acuracy'"),
        ({"a": "f1"}, ValueError, "metrics: expected a function or one of accuracy, mae, mse, rmse, got 'f1'"),
        ([3], TypeError, "metrics: expected functions metric(y, target) or names, got int as int"),
        ({"a": None}, TypeError, "metrics: expected functions metric(y, target) or names, got NoneType as a"),
        ("accuracy", TypeError, "metrics: expected a list or a dict of functions or names, got str"),
        (["mse", "mse"], ValueError, "metrics: expected different names, got mse twice; a dict can name them"),
        ({"loss": "mse"}, ValueError,
         "metrics: expected names other than 'loss', a column of the history of its own"),
    ],
)  # fmt: skip
def test_what_is_no_metric(metrics, error, text):
    with pytest.raises(error, match=f"^{re.escape(text)}$"):
        as_metrics(metrics)
