# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/outliers.py, and a whole run."""

import re

import numpy as np
import pytest


def test_one_reading_in_twenty_is_too_large(example):
    signal, readings = example.measure(400, np.random.default_rng(0))
    assert signal.shape == readings.shape == (101, 400, 1) and signal.dtype == readings.dtype == np.float32
    assert np.abs(signal).max() <= 2
    error = (readings - signal).ravel()
    spikes = error > example.SPIKE / 2
    assert 0.045 < spikes.mean() < 0.055
    assert abs(error[spikes].mean() - 10) < 0.01 and abs(error[~spikes].mean()) < 0.01
    assert abs(np.median(error)) < 0.01 < 0.4 < error.mean() < 0.6  # what the losses estimate


def test_errors_count_only_after_the_first_steps(example):
    signal = np.zeros((101, 3, 1), np.float32)
    readings, prediction = np.ones_like(signal), np.full((100, 3, 1), -2, np.float32)
    prediction[: example.SETTLED] = 99
    assert example.judge(prediction, signal, readings) == (-2, 2, 9)
    prediction[example.SETTLED :: 2] = 2
    assert example.judge(prediction, signal, readings) == (0, 2, 5)
    signal[0] = readings[0] = 99  # the first reading is not predicted
    assert example.judge(prediction, signal, readings) == (0, 2, 5)


def test_the_share_below_each_quantile(example):
    readings = np.zeros((101, 4, 1), np.float32)
    readings[1:, :3, 0] = 1, 2, 3
    quantiles = np.broadcast_to(np.array([0.5, 1.5, 9.0]), (100, 4, 3))
    assert example.shares_below(quantiles, readings).tolist() == [0.25, 0.5, 1.0]


def test_training_is_the_same_on_every_run_and_learns(example):
    _, readings = example.measure(64, np.random.default_rng(0))
    results = []
    for _ in range(2):
        model = example.make_model(16, seed=0)
        history = example.train(model, example.LOSSES["l1_loss"], readings, epochs=40, seed=1)
        results.append((history["loss"], model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < 0.8 * losses[0]
    assert all((state[name] == state_again[name]).all() for name in state)


@pytest.mark.slow
def test_whole_run(run, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--epochs", 15, "--plot", tmp_path / "outliers.png")
    match = re.fullmatch(r"Spikes .* by 0\.50\. Predictions are too large by (.*) with mse_loss, "
                         r"by (.*) with huber_loss, by (.*) with l1_loss\.", output.splitlines()[-1])  # fmt: skip
    mse, huber, l1 = map(float, match.groups())
    assert 0.4 < mse < 0.7 and 0 < huber < 0.2 and abs(l1) < 0.05
    assert (tmp_path / "outliers.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(run):
    with pytest.raises(SystemExit, match="has not shown what outliers do"):
        run("--epochs", 1, "--units", 4)
