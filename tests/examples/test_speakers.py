# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/speakers.py, and a whole run, on a small scale."""

import importlib.util
import re

import numpy as np
import pytest


@pytest.fixture
def data(example):
    if importlib.util.find_spec("sktime") is None:
        pytest.skip("the example reads utterances that sktime carries")
    return example.read("TRAIN"), example.read("TEST")


def test_the_utterances_are_those_of_the_paper(data):
    """270 and 370 of nine men, 30 training utterances each; 7 to 29 steps; 0 after their ends."""
    (known, known_lengths, known_speakers), (new, new_lengths, new_speakers) = data
    assert known.shape == (26, 270, 12) and new.shape == (29, 370, 12)
    assert np.bincount(known_speakers).tolist() == [30] * 9
    assert np.bincount(new_speakers).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert known_lengths.min() == new_lengths.min() == 7
    np.testing.assert_allclose(known[:2, 0, :3], [[1.860936, -0.207383, 0.261557], [1.891651, -0.193249, 0.235363]])
    beyond = np.arange(29)[:, None] >= new_lengths
    assert beyond.any() and not new[beyond].any() and new[~beyond].all(axis=-1).any()


def test_scales_come_from_the_training_part(example, data):
    """Mean 0 and standard deviation 1 there; the test part is scaled by the same numbers."""
    (known, lengths, _), (new, new_lengths, _) = data
    (x, *_), (x_new, *_) = example.standardize(*data)
    steps = x[np.arange(len(x))[:, None] < lengths]
    np.testing.assert_allclose(steps.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(steps.std(axis=0), 1, rtol=1e-5)
    slope = (x[1, 0] - x[0, 0]) / (known[1, 0] - known[0, 0])
    np.testing.assert_allclose(x_new[0, 0] - x[0, 0], slope * (new[0, 0] - known[0, 0]), rtol=1e-2, atol=1e-4)


def test_an_utterance_has_the_same_result_alone_and_in_a_batch(example, data):
    """Bit for bit, whatever comes after its end."""
    (x, lengths, _), _ = data
    model = example.make_model(units=16, seed=0)
    together, _ = model(x, lengths=lengths)
    x = x.copy()
    x[np.arange(len(x))[:, None] >= lengths] = np.nan
    for n in (0, 100, 269):
        alone, _ = model(x[: lengths[n], n : n + 1])
        np.testing.assert_array_equal(together[n], alone[0])
    np.testing.assert_array_equal(together, model(x, lengths=lengths)[0])


def test_training_is_the_same_on_every_run_and_learns(example, data):
    results = []
    for _ in range(2):
        model = example.make_model(units=8, seed=0)
        results.append((example.train(model, *data[0], epochs=20, seed=1), model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < losses[0] - 0.5
    assert all((state[name] == state_again[name]).all() for name in state)


def test_whole_run(run, data, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--epochs", 60, "--units", 32, "--plot", tmp_path / "speakers.png")
    match = re.fullmatch(r"The GRU recognizes (.*)% .* 370 .* the mean (.*)%\.", output.splitlines()[-1])
    assert float(match[1]) > max(95, float(match[2]))
    assert (tmp_path / "speakers.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(run, data):
    with pytest.raises(SystemExit, match="has not learned"):
        run("--epochs", 1, "--units", 4)


def test_without_sktime(example, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[examples\]"'):
        example.read("TRAIN")
