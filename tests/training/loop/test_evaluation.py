# SPDX-License-Identifier: BSD-3-Clause
"""evaluate: the mean over all data, however they are cut into batches and pieces."""

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._loop.metrics import as_metrics


def error(y, target):
    return np.abs(y - target).mean()


@pytest.fixture
def data(rng):
    sequences = [rng.standard_normal((length, 3)) for length in rng.integers(0, 9, 20)]
    return sequences, [row.sum(axis=1, keepdims=True) for row in sequences]


@pytest.fixture
def model():
    return fr.Sequential(fr.GRU(3, 4, seed=0, dtype=np.float64), fr.Linear(4, 1, seed=1, dtype=np.float64))


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
@pytest.mark.parametrize("chunk", [None, 1, 3, 100])
def test_the_mean_over_all_steps(batch_size, chunk, model, data):
    x, y = data
    outputs = np.concatenate([model(row[:, None])[0][:, 0] for row in x])
    expected = fr.mse_loss(outputs, np.concatenate(y))[0]
    metrics = {"error": error, "huber": fr.huber_loss}
    found = fr.evaluate(model, fr.mse_loss, x, y, metrics=metrics, batch_size=batch_size, chunk=chunk)
    assert list(found) == ["loss", "error", "huber"]
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["error"], error(outputs, np.concatenate(y)), rtol=1e-12)
    np.testing.assert_allclose(found["huber"], fr.huber_loss(outputs, np.concatenate(y))[0], rtol=1e-12)


def test_rows_have_equal_weight_without_time(rng):
    model = fr.Sequential(fr.GRU(3, 4, seed=0), fr.LastStep(), fr.Linear(4, 2, seed=1))
    x, y = rng.standard_normal((5, 7, 3)).astype(np.float32), rng.integers(2, size=7)
    logits, _ = model(x)
    found = fr.evaluate(model, fr.cross_entropy, x, y, batch_size=3)
    np.testing.assert_allclose(found["loss"], fr.cross_entropy(logits, y)[0], rtol=1e-6)


def test_it_is_inference(model, data):
    """No dropout, no gradients, and the same every time."""
    model = fr.Sequential(*model.layers, fr.Dropout(0.9, seed=0, dtype=np.float64))
    before = {name: grad.copy() for name, grad in model.grads.items()}
    first, second = (fr.evaluate(model, fr.mse_loss, *data) for _ in range(2))
    assert first == second
    for name, grad in model.grads.items():
        np.testing.assert_array_equal(grad, before[name])


def test_custom_batches(model, data):
    x, y = data
    batches = [(a[:, None], b[:, None]) for a, b in zip(x, y, strict=True)]
    assert fr.evaluate(model, fr.mse_loss, iter(batches)) == fr.evaluate(model, fr.mse_loss, x, y, batch_size=1)


def test_bad_input(model, data):
    for wrong, message in [
        (3, "metrics: expected a list or a dict of functions or names, got int"),
        ([3], "metrics: expected functions .* got int as int"),
        ({"a": 1}, "got int as a"),
    ]:
        with pytest.raises(TypeError, match=message):
            fr.evaluate(model, fr.mse_loss, *data, metrics=wrong)
    for name in "loss", "epoch", "seconds":  # they would be overwritten, or overwrite
        with pytest.raises(ValueError, match=f"metrics: expected names other than '{name}'"):
            as_metrics({name: error})
    with pytest.raises(ValueError, match="metrics: expected different names, got <lambda> twice"):
        as_metrics([lambda y, target: 1.0, lambda y, target: 2.0])
    for wrong, got in [(np.zeros(2), r"shape \(2,\)"), (None, "None"), ("high", "'high'")]:
        with pytest.raises(TypeError, match=f"metrics: expected a number from m, got {got}"):
            fr.evaluate(model, fr.mse_loss, *data, metrics={"m": lambda y, target, wrong=wrong: wrong})
    with pytest.raises(ValueError, match="x: expected at least one batch, got none"):
        fr.evaluate(model, fr.mse_loss, iter([]))
    with pytest.raises(ValueError, match="chunk: expected at least 1, got 0"):
        fr.evaluate(model, fr.mse_loss, *data, chunk=0)


def test_what_cannot_be_cut_in_time(rng):
    """A chunk would begin a reverse direction in its middle, and sum up a part."""
    x, y = rng.standard_normal((5, 2, 3)).astype(np.float32), np.zeros((5, 2, 4), np.float32)
    for model, message in [
        (fr.GRU(3, 2, bidirectional=True), "model: expected one direction, got a bidirectional GRU"),
        (fr.Sequential(fr.GRU(3, 4), fr.LastStep()), "model: expected an output for every step, got a Sequential"),
    ]:
        with pytest.raises(ValueError, match=message):
            fr.evaluate(model, fr.mse_loss, x, y, chunk=2)
    with pytest.raises(ValueError, match=r"y: expected \(5, 2, ...\), a target for each step of x, .* got \(2, 4\)"):
        fr.evaluate(fr.GRU(3, 4, seed=0), fr.mse_loss, x, y[0], chunk=2)
    steps = fr.Linear(3, 4, seed=0)  # without a state, steps stand alone
    whole, cut = (fr.evaluate(steps, fr.mse_loss, x.swapaxes(0, 1), y.swapaxes(0, 1), chunk=k) for k in (None, 2))
    assert whole == pytest.approx(cut)
