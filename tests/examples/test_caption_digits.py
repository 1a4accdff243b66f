# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/caption_digits.py, and a whole run, on a small scale."""

import re
import sys

import numpy as np
import pytest
from support.tolerance import central_differences

import fastrnn as fr

pytest.importorskip("sklearn", reason="the example reads images that scikit-learn carries")


def test_names_as_letters(example):
    """The decoder reads the letters one step after it should write them; the final stop counts once."""
    letters, targets, lengths = example.spelled([6, 3])
    assert lengths.tolist() == [4, 6] and letters.shape == targets.shape == (6, 2)
    read, written = ("".join(example.LETTERS[k] for k in column) for column in (letters[:, 1], targets[:, 1]))
    assert (read, written) == (".three", "three.")
    assert "".join(example.LETTERS[k] for k in targets[:4, 0]) == "six."


def test_the_encoder_gets_its_gradient_through_the_first_state(example):
    """Against finite differences, in float64."""
    V, rng = len(example.LETTERS), np.random.default_rng(0)
    encoder = fr.RNN(64, 3, dtype=np.float64, seed=0)
    decoder = fr.Sequential(
        fr.Embedding(V, 2, dtype=np.float64, seed=1),
        fr.GRU(2, 3, dtype=np.float64, seed=2),
        fr.Linear(3, V, dtype=np.float64, seed=3),
    )
    images, digits = rng.random((1, 4, 64)), np.array([7, 0, 6, 3])
    example.step(encoder, decoder, images, digits)
    bias = encoder.params["bias_ih_l0"]

    def loss(values):
        before, bias[...] = bias.copy(), values
        value = example.step(encoder, decoder, images, digits)
        bias[...] = before
        return value

    grad = encoder.grads["bias_ih_l0"].copy()  # each further step adds to it
    assert np.abs(grad).max() > 1e-3
    np.testing.assert_allclose(central_differences(loss, bias.copy()), grad, rtol=1e-6, atol=1e-9)


def test_writing_stops_at_the_stop(example):
    """A decoder that knows its texts: its state holds the number of its steps."""
    texts = ["one.x", ".", "neverend"]

    def decoder(letter, state):
        ((h, steps),) = state if isinstance(state[0], tuple) else ((state[0], 0),)
        indices = [example.LETTERS.index(text[steps]) if steps < len(text) and text[steps] in example.LETTERS else 0
                for text in texts]  # fmt: skip
        return np.eye(len(example.LETTERS))[indices][None], ((h, steps + 1),)

    written = example.write(decoder, np.zeros((1, 3, 4)))
    assert written[:2] == ["one.", "."]
    assert len(written[2]) == example.LONGEST and "." not in written[2]


def test_training_is_the_same_on_every_run_and_learns(example):
    (images, digits), _ = example.read()
    results = []
    for _ in range(2):
        encoder, decoder = example.make_model(units=16, seed=0)
        losses = example.train(encoder, decoder, images[:, :300], digits[:300], epochs=10, seed=1)
        results.append((losses, encoder.state_dict()))
    (losses, state), (again, state_again) = results
    assert losses == again and losses[-1] < losses[0] - 0.3
    assert all((state[name] == state_again[name]).all() for name in state)


def test_whole_run(run, tmp_path):
    pytest.importorskip("matplotlib")
    output = run("--epochs", 40, "--units", 48, "--plot", tmp_path / "captions.png")
    match = re.fullmatch(r"It names (.*)% of 599 unseen digits .*\.", output.splitlines()[-1])
    assert float(match[1]) > 90
    assert (tmp_path / "captions.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_learned_is_an_error(run):
    with pytest.raises(SystemExit, match="has not learned"):
        run("--epochs", 1, "--units", 4)


def test_without_scikit_learn(load_example, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SystemExit, match=r'pip install "fastrnn\[examples\]"'):
        load_example()
