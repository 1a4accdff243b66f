# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/needle.py, and a whole run."""

import re

import numpy as np
import pytest

import fastrnn as fr


def test_half_of_the_series_hold_a_blow_and_a_quarter_a_swelling(example):
    """Below the noise, which averages out over many series: a decay, a rise, or nothing."""
    readings, is_blow, begin = example.measure(4000, np.random.default_rng(0))
    assert readings.shape == (400, 4000, 1) and is_blow.shape == (4000, 1)
    assert 0.47 < is_blow.mean() < 0.53
    steps = begin + np.arange(example.LENGTH)[:, None]
    hidden = readings[steps, np.arange(4000), 0]
    blow = example.HEIGHT * np.exp(-np.arange(12) / example.DECAY)
    np.testing.assert_allclose(hidden[:, is_blow[:, 0]].mean(axis=1), blow, atol=0.15)
    np.testing.assert_allclose(hidden[:, ~is_blow[:, 0]].mean(axis=1), blow[::-1] / 2, atol=0.25)
    readings[steps, np.arange(4000), 0] = 0
    assert abs(readings.mean()) < 0.01 and readings.std() == pytest.approx(np.sqrt(1 - 12 / 400), rel=0.01)
    assert begin.min() == 0 and begin.max() == 400 - 12


def test_live_outputs_are_bit_for_bit_those_for_the_series_so_far(example):
    readings, _, _ = example.measure(3, np.random.default_rng(0))
    model = example.make_model(fr.MaxPool, units=8, seed=0)
    for n in range(3):
        scores = list(example.listen(model, readings[:, n]))
        assert len(scores) == 400
        for t in (0, 1, 57, 399):
            np.testing.assert_array_equal(scores[t], model(readings[: t + 1, n])[0])


def test_training_is_the_same_on_every_run_and_learns(example):
    readings, is_blow, _ = example.measure(400, np.random.default_rng(0))
    results = []
    for _ in range(2):
        model = example.make_model(fr.MaxPool, units=8, seed=0)
        history = example.train(model, readings, is_blow, epochs=30, seed=1)
        results.append((history["loss"], model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < losses[0] - 0.1
    assert all((state[name] == state_again[name]).all() for name in state)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_whole_run(run, tmp_path, seed):
    pytest.importorskip("matplotlib")
    output = run("--seed", seed, "--plot", tmp_path / "needle.png")
    match = re.fullmatch(
        r"MaxPool is right in (.*)% .* MeanPool in (.*)%, LastStep in (.*)%; live .* after (.*) of its 12 .*\.",
        output.splitlines()[-1],
    )
    best, mean, last, steps = map(float, match.groups())
    assert best > 95 and best > mean + 5 and best > last + 5
    assert 2 <= steps <= 10
    live = re.search(r"detects (\d+) of (\d+) blows, .* in (\d+) of 200 series", output)
    detected, blows, false = map(int, live.groups())
    assert detected > 0.9 * blows and false < 10
    assert (tmp_path / "needle.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(run):
    with pytest.raises(SystemExit, match="has not learned"):
        run("--epochs", 1, "--units", 4)
