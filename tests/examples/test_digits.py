# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/digits.py, and a whole run, on a small scale."""

import re
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the example reads images that scikit-learn carries")


def test_two_ways_to_see_an_image(example):
    images = np.arange(128, dtype=np.float32).reshape(2, 8, 8)
    assert example.at_once(images).shape == (1, 2, 64)
    np.testing.assert_array_equal(example.at_once(images)[0, 1], np.arange(64, 128))
    rows = example.row_by_row(images)
    assert rows.shape == (8, 2, 8)
    np.testing.assert_array_equal(rows[3, 0], images[0, 3])


def test_the_last_third_is_held_out(example):
    (known, known_digits), (new, new_digits) = example.read()
    assert len(known) == len(known_digits) == 1198 and len(new) == len(new_digits) == 599
    assert known.dtype == np.float32 and known.min() == 0 and known.max() == 1
    assert set(known_digits) == set(new_digits) == set(range(10))


def test_an_image_is_shifted_by_a_pixel_at_most(example):
    image = np.zeros((1, 8, 8), np.float32)
    image[0, 4, 4] = 1
    rng = np.random.default_rng(0)
    places = {tuple(map(int, np.argwhere(example.shift(image, rng)[0])[0])) for _ in range(200)}
    assert places == {(i, j) for i in (3, 4, 5) for j in (3, 4, 5)}


def test_fewer_rows_are_the_same_as_shorter_lengths(example):
    """So it is tested on what it learned from images that end early."""
    (images, _), _ = example.read()
    model, x = example.make_model(8, 16, seed=0), example.row_by_row(images[:20])
    logits, _ = model(x, lengths=[3] * 20)
    np.testing.assert_array_equal(example.predict(model, x, 3), logits.argmax(axis=-1))


def test_training_is_the_same_on_every_run_and_learns(example):
    (images, digits), _ = example.read()
    results = []
    for _ in range(2):
        model = example.make_model(8, units=32, seed=0)
        losses = example.train(model, example.row_by_row, images[:300], digits[:300], epochs=30, seed=1)
        results.append((losses, model.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < losses[0] - 0.3
    assert all((state[name] == state_again[name]).all() for name in state)


@pytest.mark.slow
def test_whole_run(run, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--epochs", 70, "--plot", tmp_path / "digits.png")
    match = re.fullmatch(r"It reads (.*)% of 599 .* at once, (.*)% row by row\.", output.splitlines()[-1])
    assert 88 < float(match[1]) < float(match[2])
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(run):
    with pytest.raises(SystemExit, match="has not learned"):
        run("--epochs", 1, "--units", 4)


def test_without_scikit_learn(load_example, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[examples\]"'):
        load_example()
