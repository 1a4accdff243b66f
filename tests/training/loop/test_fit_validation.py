# SPDX-License-Identifier: BSD-3-Clause
"""A validation that fails: it says so, and nothing of the epoch before it is lost."""

import itertools
import math

import numpy as np
import pytest
from support.training import assert_same, but_seconds, fit, make_model

import fastrnn as fr

BATCHES = 3  # of an epoch of the training, and of the validation


def failing(answer, at=2):
    """The mean squared error, and in the validation after epoch `at` what `answer` returns."""
    calls = itertools.count()

    def mse_loss(y, target):
        value, dy = fr.mse_loss(y, target)
        epoch, k = divmod(next(calls), 2 * BATCHES)
        return (answer() if epoch == at - 1 and k >= BATCHES else value), dy

    return mse_loss


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite(value, data):
    """It names epoch and loss; the model has the parameters of the end of the epoch."""
    model, expected = make_model(), make_model()
    message = rf"epoch 2: expected a finite validation loss, got {value}. The parameters are those of step 6, the last"
    with pytest.raises(FloatingPointError, match=message) as caught:
        fit(model, data, failing(lambda: value), validation=data)
    assert caught.value.__notes__ == ["in the validation of fit, after epoch 2"]
    fit(expected, data, epochs=2)
    assert_same(model, expected.params)


@pytest.mark.parametrize("name, place", [("x", 0), ("y", 1)])
def test_data_that_are_not_finite(name, place, data):
    bad = [[row.copy() for row in part] for part in data]
    bad[place][11].flat[-1] = np.nan
    bad[1] = np.array(bad[1])
    with pytest.raises(FloatingPointError, match="epoch 1: expected a finite validation loss, got nan") as caught:
        fit(make_model(), data, validation=tuple(bad))
    note = f"{name} of batch 2 of the validation holds nan or inf"
    assert caught.value.__notes__ == [note, "in the validation of fit, after epoch 1"]


def test_a_metric_may_be_nan(data):
    """It is the user's: undefined, say, where a class is missing. Nan is no better epoch."""
    values = itertools.cycle([math.nan] * BATCHES)
    options = {"validation": data, "metrics": {"score": lambda y, target: next(values)}, "monitor": "val_score"}
    history = fit(make_model(), data, **options)
    assert np.isnan(history["val_score"]).all() and history.epochs == 3 and history.best_epoch is None


def interrupt():
    raise RuntimeError("no connection")


@pytest.mark.parametrize("error, answer", [(FloatingPointError, lambda: math.nan), (RuntimeError, interrupt)])
@pytest.mark.parametrize("at", [1, 2])
def test_the_checkpoint_of_the_epoch_is_written(error, answer, at, data, tmp_path):
    """Resumed, the training begins with the validation, and has the bits of one without a break."""
    whole, model, other = (make_model(fr.Dropout(0.3, seed=3), seed=seed) for seed in (0, 0, 7))
    expected = fit(whole, data, validation=data)
    with pytest.raises(error):
        fit(model, data, failing(answer, at), validation=data, checkpoint=tmp_path / "run")
    steps = []

    class Counter:
        def on_step(self, model, step, loss, norm):
            steps.append(step)

    options = {"validation": data, "checkpoint": tmp_path / "run", "resume": True, "callbacks": [Counter()]}
    history = fit(other, data, **options)
    assert steps == list(range(BATCHES * at + 1, 3 * BATCHES + 1))
    assert but_seconds(history) == but_seconds(expected) and history.best_epoch == expected.best_epoch
    assert_same(other, whole.params)
