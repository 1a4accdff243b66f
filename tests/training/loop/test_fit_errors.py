# SPDX-License-Identifier: BSD-3-Clause
"""Errors of fit: they say where, and the model is that of the last good step."""

import itertools
import math

import numpy as np
import pytest
from support.training import T, assert_same, fit, make_model

import fastrnn as fr


def test_nan_stops_before_the_update(data):
    """It names the step, the loss, the norm and the layers; the parameters are those of the last good step."""
    before, calls = [], itertools.count(1)

    def loss(y, target):
        value, dy = fr.mse_loss(y, target)
        before.append(model.state_dict())
        return (math.nan, dy * math.nan) if next(calls) == 5 else (value, dy)

    model = make_model()
    adam = fr.Adam(model)
    message = r"step 5: .* loss nan and gradient norm nan; not finite: the gradient of 0.weight_ih_l0.* those of step 4"
    with pytest.raises(FloatingPointError, match=message):
        fr.fit(model, loss, *data, optimizer=adam, batch_size=8, progress=False)
    assert_same(model, before[-1])
    assert adam.steps == 4


def test_nan_in_the_data(data):
    x = [row.copy() for row in data[0]]
    x[7][0, 1] = np.nan
    with pytest.raises(FloatingPointError, match="step 1: .* loss nan") as caught:
        fit(make_model(), (x, data[1]), shuffle=False)
    assert caught.value.__notes__ == ["x of this batch holds nan or inf", "x holds nan or inf in row 7"]
    with pytest.raises(FloatingPointError, match="step 1: .* loss inf") as caught:
        fit(make_model(), (data[0], data[1] + np.inf), shuffle=False)
    assert caught.value.__notes__ == ["y of this batch holds nan or inf", "y holds nan or inf in row 0"]


def test_a_learning_rate_that_is_too_large(data):
    model = make_model()
    before = model.state_dict()
    with pytest.raises(FloatingPointError, match="step 1: expected finite parameters, got others in 0.weight_ih_l0"):
        fit(model, data, optimizer=fr.SGD(model, lr=1e300))
    assert_same(model, before)


def test_errors_in_a_batch_name_the_step():
    model = fr.Sequential(fr.Embedding(5, 3, seed=0), fr.GRU(3, 4, seed=1), fr.Linear(4, 5, seed=2))
    tokens = np.zeros((T, 8), int)
    for x, y, message in [(tokens + 5, tokens, "expected .*0..4"), (tokens, tokens + 5, "targets: expected .*0..4")]:
        good = [(tokens, tokens)] * 2
        before = model.state_dict()
        with pytest.raises(ValueError, match=message) as caught:
            fr.fit(model, fr.cross_entropy, iter([(x, y), *good]), progress=False)
        assert caught.value.__notes__[-1] == "in step 1 of fit, in epoch 1"
        assert_same(model, before)


def test_errors_in_the_validation_say_so(data):
    for validation, epoch in [(object(), None), ((data[0],), None), (([row[:, :1] for row in data[0]], data[1]), 1)]:
        with pytest.raises((TypeError, ValueError)) as caught:
            fit(make_model(), data, validation=validation)
        told = caught.value.__notes__[-1]
        assert told == f"in the validation of fit, after epoch {epoch}" if epoch else told.startswith("in validation")
