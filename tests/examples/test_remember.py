# SPDX-License-Identifier: BSD-3-Clause
"""Parts of examples/remember.py, and a whole run, on short sequences."""

import math

import numpy as np
import pytest

import fastrnn as fr


def test_adding(example):
    x, sums = example.adding(11, 500, np.random.default_rng(0))
    assert x.shape == (11, 500, 2) and sums.shape == (1, 500, 1)
    numbers, marked = x[..., 0], x[..., 1]
    assert (marked[:5].sum(axis=0) == 1).all() and (marked[5:].sum(axis=0) == 1).all()
    assert (marked.sum(axis=1) > 0).all()  # every step is marked in some row
    assert numbers.min() >= 0 and numbers.max() < 1
    np.testing.assert_allclose(sums[0, :, 0], (numbers * marked).sum(axis=0), rtol=1e-6)


def test_copying(example):
    L, V = example.LETTERS, example.V
    x, letters = example.copying(7, 300, np.random.default_rng(0))
    assert x.shape == (L + 7 + L, 300, V + 2) and (x.sum(axis=-1) == 1).all()
    read = x.argmax(axis=-1)
    np.testing.assert_array_equal(read[:L], letters)
    assert (read[L:-L] == V).all() and (read[-L:] == V + 1).all()
    assert set(letters.flat) == set(range(V))


def test_errors_of_the_best_memoryless_answers(example):
    """Always 1, and every letter equally likely."""
    rng = np.random.default_rng(0)
    for task, y in ((example.TASKS["adding"], 1.0), (example.TASKS["copying"], 0.0)):
        _, targets = task.batch(10, 20_000, rng)
        answers = np.full((len(targets), 20_000, task.outputs), y, np.float32)
        assert task.loss(answers, targets)[0] == pytest.approx(task.memoryless, rel=0.02)
    assert example.TASKS["copying"].memoryless == math.log(example.V)


def test_networks_start_as_their_names_say(example):
    layers = {name: make(3, 500, 0) for name, (make, _) in example.NETWORKS.items()}
    w_hh = {name: layer.params["weight_hh_l0"][: example.UNITS] for name, layer in layers.items()}
    eye = np.eye(example.UNITS)
    assert layers["IRNN"].nonlinearity == "relu" and (w_hh.pop("IRNN") == eye).all()
    for name, matrix in w_hh.items():
        np.testing.assert_allclose(matrix @ matrix.T, eye, atol=1e-5, err_msg=name)
    biases = {name: layer.params["bias_ih_l0"].reshape(-1, example.UNITS) for name, layer in layers.items()}
    assert (biases["LSTM, forget bias 1"][1] == 1).all() and not biases["GRU"].any()
    assert biases["LSTM, chrono"][1].max() > 5 and biases["GRU, chrono"][1].max() > 5  # log of steps


@pytest.mark.parametrize("task", ["adding", "copying"])
def test_training_is_the_same_on_every_run_and_learns(example, task):
    task = example.TASKS[task]
    make, lr = example.NETWORKS["GRU, chrono"]
    results = []
    for _ in range(2):
        model = fr.Sequential(make(task.features, 10, 0), fr.Linear(example.UNITS, task.outputs, seed=1))
        results.append((example.train(model, task, 10, lr, 600, seed=2), example.error(model, task, 10, seed=3)))
    assert results[0] == results[1]
    losses, error = results[0]
    assert 50 < len(losses) < 600 and error < example.LEARNED  # training ends when the task is learned


def test_a_network_that_fails_is_not_tried_again(example):
    results = example.errors("RNN", example.TASKS["adding"], [20, 40], steps=1, seed=0)
    assert len(results) == 1 and results[0] > example.LEARNED


def test_a_gradient_that_is_not_finite_is_a_failure(example, monkeypatch):
    def explode(*_):
        raise FloatingPointError

    monkeypatch.setattr(example, "train", explode)
    assert example.errors("IRNN", example.TASKS["adding"], [20, 40], steps=1, seed=0) == [math.inf]


def test_whole_run(run):
    lines = run("--T", 40, "--steps", 800).splitlines()
    rows = {line[:32].strip() for line in lines[1:13]}
    assert "adding    GRU, chrono" in rows and "copying   IRNN" in rows and len(rows) == 12
    assert lines[-1].startswith("Over 40 steps chrono gates have at most ")


def test_too_little_learned_is_an_error(run):
    with pytest.raises(SystemExit, match="has not shown"):
        run("--T", 20, "--steps", 1)


def test_a_sequence_of_one_step_has_no_halves(run, capsys):
    with pytest.raises(SystemExit):
        run("--T", 50, 1)
    assert "--T: expected 2 steps or more, got 1" in capsys.readouterr().err
