# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/autoencoder.py, and a whole run."""

import importlib.util
import re

import numpy as np
import pytest


@pytest.fixture
def data(example):
    if importlib.util.find_spec("sktime") is None:
        pytest.skip("the example reads days that sktime carries")
    return example.read()


def test_the_days_are_those_of_three_years(data):
    """Scaled; October to March has 182 days, and 183 once; lights are switched on earlier in those months."""
    days, winter = data
    assert days.shape == (1096, 24) and winter.sum() == 3 * 182 + 1
    np.testing.assert_allclose(days.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(days.std(axis=1, ddof=1), 1, atol=1e-5)
    assert days[winter, 18].mean() > days[~winter, 18].mean() + 0.5
    assert days[winter, 22].mean() < days[~winter, 22].mean() - 0.3


def test_principal_components_are_the_best_planes(example):
    """New days in the plane of the known ones are reconstructed from two numbers, but not from one."""
    rng = np.random.default_rng(0)
    days = rng.standard_normal((50, 2)) @ rng.standard_normal((2, 24)) + rng.standard_normal(24)
    codes, restored = example.by_components(2, days[:30], days[30:])
    assert codes.shape == (20, 2)
    np.testing.assert_allclose(restored, days[30:], atol=1e-12)
    _, restored = example.by_components(1, days[:30], days[30:])
    assert 0.01 < example.unexplained(restored, days[30:], days[:30]) < 1


def test_the_unexplained_share_of_the_variance(example):
    known = np.array([[0.0, 2.0], [2.0, 0.0]])
    days = np.array([[3.0, 1.0], [1.0, 3.0]])
    assert example.unexplained(days, days, known) == 0
    assert example.unexplained(np.ones((2, 2)), days, known) == 1
    assert example.unexplained((days + 1) / 2, days, known) == pytest.approx(0.25)


def test_a_season_is_predicted_from_near_codes(example):
    winter = np.arange(40) < 20
    codes = np.where(winter, 1.0, -1.0)[:, None]
    new_codes = np.array([[0.9], [-3.0], [-0.1]])
    assert example.season_accuracy(codes, winter, new_codes, np.array([True, False, False])) == 1
    assert example.season_accuracy(codes, winter, new_codes, np.array([True, True, True])) == pytest.approx(1 / 3)


def test_the_decoder_reads_nothing_but_the_code(example):
    """Both parts make up the model, and days with the same code are reconstructed alike."""
    model = example.autoencoder(units=8, numbers=2, seed=0)
    days = np.random.default_rng(0).standard_normal((5, 24)).astype(np.float32)
    codes, restored = example.by_network(model, days)
    assert codes.shape == (5, 2) and restored.shape == (5, 24)
    np.testing.assert_array_equal(restored, model(example.sequences(days))[0][..., 0].T)
    again, _ = model.layers[1](codes[[3, 3]])
    np.testing.assert_array_equal(again[:, 0, 0], restored[3])
    np.testing.assert_array_equal(again[:, 1, 0], restored[3])


def test_training_is_the_same_on_every_run_and_learns(example, data):
    results = []
    for _ in range(2):
        model = example.autoencoder(units=8, numbers=1, seed=0)
        history = example.train(model, data[0][:200], epochs=40, seed=1)
        results.append((history["loss"], model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < losses[0] / 2
    assert all((state[name] == state_again[name]).all() for name in state)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_whole_run(run, data, tmp_path, seed):
    pytest.importorskip("matplotlib")
    output = run("--epochs", 150, "--seed", seed, "--plot", tmp_path / "autoencoder.png")
    match = re.fullmatch(
        r"One number .* misses (.*)% of .* predicts (.*)% of .* component misses (.*)% and predicts (.*)%\.",
        output.splitlines()[-1],
    )
    missing, season, missing_linear, season_linear = map(float, match.groups())
    assert missing < 25 and season > 90 and missing_linear > 40 and season_linear < 75
    assert (tmp_path / "autoencoder.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(run, data):
    with pytest.raises(SystemExit, match="has not learned"):
        run("--epochs", 1, "--units", 4)


def test_without_sktime(example, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[examples\]"'):
        example.read()
