# SPDX-License-Identifier: BSD-3-Clause
"""Results of papers that the package has to reach: who learns to remember over how many steps, and who does not.

The tasks are those of examples/remember.py, the copy task in its full size, each over two seeds.
"""

import math

import numpy as np
import pytest

import fastrnn as fr

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEEDS = (0, 1)
SYMBOLS, ALPHABET = 10, 8  # of the copy task


def adding(T, N, rng):
    """Le, Jaitly, Hinton 2015, section 4.1: x (T, N, 2), and the sum of the two marked numbers, (N, 1)."""
    x, n = np.zeros((T, N, 2), np.float32), np.arange(N)
    first, second = rng.integers(T // 2, size=N), rng.integers(T // 2, T, size=N)
    x[..., 0] = rng.random((T, N))
    x[first, n, 1] = x[second, n, 1] = 1
    return x, (x[first, n, 0] + x[second, n, 0])[:, None]


def adding_error(recurrent, T, lr, steps, seed):
    """Mean squared error on 2,000 fresh sequences after training on ever new ones; always saying 1 has 1/6."""
    model = fr.Sequential(recurrent, fr.LastStep(), fr.Linear(recurrent.hidden_size, 1, seed=seed + 1))
    optimizer, rng = fr.Adam(model, lr=lr), np.random.default_rng(seed + 2)
    for k in range(steps):
        optimizer.lr = lr * (1 - k / steps)
        x, sums = adding(T, 32, rng)
        y, _, tape = model.forward(x)
        _, dy = fr.mse_loss(y, sums)
        model.zero_grad()
        model.backward(tape, dy)
        fr.clip_grad_norm(model, 1.0)
        optimizer.step()
    x, sums = adding(T, 2000, np.random.default_rng(seed + 3))
    return fr.mse_loss(model(x)[0], sums)[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_lstm_adds_over_200_steps(seed):
    """Hochreiter and Schmidhuber 1997, section 5.4; the forget gates begin as Tallec and Ollivier 2018 say."""
    lstm = fr.init.chrono(fr.init.orthogonal(fr.LSTM(2, 32), seed=seed), T_max=200, seed=seed)
    assert adding_error(lstm, 200, lr=1e-2, steps=2000, seed=seed) < 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plain_rnn_does_not(seed):
    """It stays where it remembers nothing, at 1/6 = 0.167, whatever the learning rate."""
    for lr in (1e-2, 1e-3):
        rnn = fr.RNN(2, 32, seed=seed)
        assert adding_error(rnn, 200, lr, steps=2000, seed=seed) == pytest.approx(1 / 6, abs=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_irnn_adds_over_150_steps(seed):
    """Le, Jaitly and Hinton 2015, section 4.1; with input weights of standard deviation 0.1 instead of 0.001."""
    irnn = fr.init.identity(fr.RNN(2, 100, nonlinearity="relu"), input_std=0.1, seed=seed)
    assert adding_error(irnn, 150, lr=1e-3, steps=4000, seed=seed) < 0.01


def copying(T, N, rng):
    """Arjovsky, Shah, Bengio 2016: ten symbols, T - 1 blanks, a delimiter, ten blanks; and the answers.

    Both are (T + 20, N): the answers are blank, 0, until the last ten steps.
    """
    symbols = rng.integers(1, ALPHABET + 1, size=(SYMBOLS, N))
    x = np.zeros((T + 2 * SYMBOLS, N), np.intp)
    answers = np.zeros_like(x)
    x[:SYMBOLS], x[SYMBOLS + T - 1], answers[-SYMBOLS:] = symbols, ALPHABET + 1, symbols
    return x, answers


@pytest.mark.parametrize("seed", SEEDS)
def test_a_gru_copies_over_100_steps(seed):
    """Tallec and Ollivier 2018: far under the loss of 10 ln 8 / (T + 20) that needs no memory."""
    T, one_hot = 100, np.eye(ALPHABET + 2, dtype=np.float32)
    gru = fr.init.chrono(fr.init.orthogonal(fr.GRU(ALPHABET + 2, 64), seed=seed), T_max=3 * T / 2, seed=seed)
    model = fr.Sequential(gru, fr.Linear(64, ALPHABET + 1, seed=seed + 1))
    optimizer, rng = fr.Adam(model, lr=1e-2), np.random.default_rng(seed + 2)
    for _ in range(3000):
        x, answers = copying(T, 32, rng)
        logits, _, tape = model.forward(one_hot[x])
        _, dlogits = fr.cross_entropy(logits, answers)
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, 1.0)
        optimizer.step()
    x, answers = copying(T, 500, np.random.default_rng(seed + 3))
    loss, _ = fr.cross_entropy(model(one_hot[x])[0], answers)
    assert loss < 0.8 * SYMBOLS * math.log(ALPHABET) / (T + 2 * SYMBOLS)
