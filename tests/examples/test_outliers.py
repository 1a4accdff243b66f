# SPDX-License-Identifier: BSD-3-Clause
"""The pieces of examples/outliers.py, and the whole of it."""

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
    assert abs(np.median(error)) < 0.01 < 0.4 < error.mean() < 0.6  # what the losses ask for


def test_what_is_judged_begins_when_a_series_has_been_seen(example):
    signal = np.zeros((101, 3, 1), np.float32)
    readings, guess = np.ones_like(signal), np.full((100, 3, 1), -2, np.float32)
    guess[: example.SETTLED] = 99
    assert example.judge(guess, signal, readings) == (-2, 2, 9)
    guess[example.SETTLED :: 2] = 2
    assert example.judge(guess, signal, readings) == (0, 2, 5)
    signal[0] = readings[0] = 99  # nobody is asked for the first one
    assert example.judge(guess, signal, readings) == (0, 2, 5)


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
    found = re.fullmatch(r"The mean .* is 0\.50 too large, and so is mse_loss's guess, by (.*); "
                         r"huber_loss's by (.*), l1_loss's by (.*)\.", output.splitlines()[-1])  # fmt: skip
    mse, huber, l1 = map(float, found.groups())
    assert 0.4 < mse < 0.7 and 0 < huber < 0.2 and abs(l1) < 0.05
    assert (tmp_path / "outliers.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(run):
    with pytest.raises(SystemExit, match="has not shown what outliers do"):
        run("--epochs", 1, "--units", 4)
