# SPDX-License-Identifier: BSD-3-Clause
"""Who remembers? Two tasks that need one thing only, from long ago, and networks that learn them or do not.

Adding: T numbers, two of them marked, one in each half; the answer at the end is the sum of the two (Hochreiter and
Schmidhuber, "Long short-term memory", 1997, in the form of Le, Jaitly and Hinton, arXiv 1504.00941, 2015).
Copying: two letters, then T steps of nothing, then, asked for them, the two letters again (after the same paper of 1997
and Arjovsky, Shah and Bengio, "Unitary evolution recurrent neural networks", ICML 2016).

What the end of a sequence has to say to its beginning gets lost on the way back in a plain RNN, as
vanishing_gradients.py shows, so it does not learn to keep anything. Rectified linear units that begin as the identity
(IRNN) pass it on, as long as it does not explode; gates pass it on if they begin open for long enough, and the chrono
initialisation sees to that (Tallec and Ollivier, "Can recurrent neural networks warp time?", ICLR 2018). Who fails is
not asked for longer sequences; inf: its gradient was no finite number any more.

    python examples/remember.py
    python examples/remember.py --T 100 1000 --steps 3000
"""

import argparse
import math
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

import fastrnn as fr

UNITS, N, MAX_NORM = 32, 20, 1.0  # N sequences in a step of training
DELTA_CLIP = 0.1  # of gates, whose gradient over 500 steps may else leave the range of float32
LETTERS, V = 2, 4  # to be copied, of an alphabet of V
LEARNED = 0.1  # of the error of an answer that remembers nothing


def adding(T, N, rng):
    """x (T, N, 2): numbers in 0..1, and which two are marked; and their sums, (1, N, 1), to be said at the end."""
    x, n = np.zeros((T, N, 2), np.float32), np.arange(N)
    first, second = rng.integers(T // 2, size=N), rng.integers(T // 2, T, size=N)
    x[..., 0] = rng.random((T, N))
    x[first, n, 1] = x[second, n, 1] = 1
    return x, (x[first, n, 0] + x[second, n, 0])[None, :, None]


def copying(T, N, rng):
    """x (LETTERS + T + LETTERS, N, V + 2): letters, nothing, the question; and the letters, (LETTERS, N)."""
    letters = rng.integers(V, size=(LETTERS, N))
    read = np.concatenate([letters, np.full((T, N), V), np.full((LETTERS, N), V + 1)])
    return np.eye(V + 2, dtype=np.float32)[read], letters


class Task(NamedTuple):
    batch: Callable  # (T, N, rng) -> x, targets: the answers of the last steps
    loss: Callable
    features: int  # of x
    outputs: int
    memoryless: float  # loss of the best answer that remembers nothing


TASKS = {
    "adding": Task(adding, fr.mse_loss, 2, 1, 1 / 6),  # always 1; the variance of the sum of two numbers in 0..1
    "copying": Task(copying, fr.cross_entropy, V + 2, V, math.log(V)),
}


def rnn(I, T, seed):
    return fr.init.orthogonal(fr.RNN(I, UNITS), seed=seed)


def irnn(I, T, seed):
    return fr.init.identity(fr.RNN(I, UNITS, nonlinearity="relu"), input_std=0.1, seed=seed)


def lstm(I, T, seed):
    return fr.init.forget_bias(fr.init.orthogonal(fr.LSTM(I, UNITS, delta_clip=DELTA_CLIP), seed=seed), 1.0)


def chrono_lstm(I, T, seed):
    return fr.init.chrono(fr.init.orthogonal(fr.LSTM(I, UNITS, delta_clip=DELTA_CLIP), seed=seed), T, seed=seed)


def gru(I, T, seed):
    return fr.init.orthogonal(fr.GRU(I, UNITS, delta_clip=DELTA_CLIP), seed=seed)


def chrono_gru(I, T, seed):
    return fr.init.chrono(fr.init.orthogonal(fr.GRU(I, UNITS, delta_clip=DELTA_CLIP), seed=seed), T, seed=seed)


NETWORKS = {  # name: (recurrent layer for I features and T steps, its learning rate: of some that were tried, the best)
    "RNN": (rnn, 1e-3),
    "IRNN": (irnn, 1e-3),
    "LSTM, forget bias 1": (lstm, 4e-2),
    "LSTM, chrono": (chrono_lstm, 4e-2),
    "GRU": (gru, 4e-2),
    "GRU, chrono": (chrono_gru, 4e-2),
}


def train(model, task, T, lr, steps, seed):
    """Adam on ever new sequences, until it has learned or `steps` are over. Returns the loss of every step."""
    optimizer, rng, losses = fr.Adam(model, lr=lr), np.random.default_rng(seed), []
    while len(losses) < steps and not np.mean(losses[-50:] or math.inf) < LEARNED / 2 * task.memoryless:
        x, targets = task.batch(T, N, rng)
        y, _, tape = model.forward(x)
        dy, k = np.zeros_like(y), len(targets)
        loss, dy[-k:] = task.loss(y[-k:], targets)  # only the last steps are asked
        model.zero_grad()
        model.backward(tape, dy)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
        losses.append(loss)
    return losses


def error(model, task, T, seed):
    """Loss on 500 new sequences, as a part of that of a memoryless answer."""
    x, targets = task.batch(T, 500, np.random.default_rng(seed))
    y, _ = model(x)
    return task.loss(y[-len(targets) :], targets)[0] / task.memoryless


def errors(name, task, longer, steps, seed):
    """The error for each T, a network for each, as far as they learn; the last one may have failed."""
    (make, lr), found = NETWORKS[name], []
    with fr.threads(1):  # so small a network gains little from two; two networks side by side do
        for T in longer:
            model = fr.Sequential(make(task.features, T, seed), fr.Linear(UNITS, task.outputs, seed=seed + 1))
            try:
                train(model, task, T, lr, steps, seed + 2)
                found.append(error(model, task, T, seed + 3))
            except FloatingPointError:  # no clipping helps a gradient that is not finite any more
                found.append(math.inf)
            if not found[-1] < LEARNED:
                break
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--T", type=int, nargs="+", default=[50, 200, 500], help="steps; default: 50 200 500")
    parser.add_argument("--steps", type=int, default=1200, help="of training, at most; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    arguments = parser.parse_args()
    if min(arguments.T) < 2:
        parser.error(f"--T: expected 2 steps or more, got {min(arguments.T)}")

    rest = arguments.T, arguments.steps, arguments.seed
    print(f"{'error in % of a memoryless one':32}" + "".join(f"{f'T = {T}':>9}" for T in arguments.T))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = [(task, name) for task in TASKS for name in NETWORKS]
        rows = pool.map(lambda key: errors(key[1], TASKS[key[0]], *rest), keys)
        found = {}
        for (task, name), row in zip(keys, rows, strict=True):
            found[task, name] = row
            print(f"{task:10}{name:22}" + "".join(f"{100 * error:9.1f}" for error in row), flush=True)

    chrono = [found[task, name] for task in TASKS for name in ("LSTM, chrono", "GRU, chrono")]
    worst, plain = max(row[-1] for row in chrono), found["adding", "RNN"]
    if not worst < LEARNED < plain[-1]:
        sys.exit("It has not shown that gates remember longer than a plain RNN: more --steps?")
    print(
        f"\nOver {arguments.T[-1]} steps chrono gates leave at most {worst:.1%} of a memoryless answer's error, ",
        end="",
    )
    print(f"an RNN {plain[-1]:.0%} over {arguments.T[len(plain) - 1]}.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
