# SPDX-License-Identifier: BSD-3-Clause
"""Which networks remember? Two tasks that depend on a distant past, and networks that learn them or fail.

Adding: T numbers, of which two are marked, one in each half; the target at the end is their sum (Hochreiter and
Schmidhuber, "Long short-term memory", 1997, in the form of Le, Jaitly and Hinton, arXiv 1504.00941, 2015).
Copying: two letters, then T empty steps, then a prompt to write the two letters (after the same paper of 1997 and
Arjovsky, Shah and Bengio, "Unitary evolution recurrent neural networks", ICML 2016).

In a plain RNN the gradient from the end of a sequence vanishes on its way to the beginning, as vanishing_gradients.py
shows, so the network does not learn to keep anything. Rectified linear units that start as the identity (IRNN) pass the
gradient on as long as it does not explode. Gates pass it on if they start open for long enough, which is what chrono
initialization is for (Tallec and Ollivier, "Can recurrent neural networks warp time?", ICLR 2018). A network that fails
is not tried on longer sequences; inf means that its gradient was no longer finite.

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

UNITS, N, MAX_NORM = 32, 20, 1.0  # N sequences per training step
DELTA_CLIP = 0.1  # for gates, whose gradient over 500 steps may otherwise overflow float32
LETTERS, V = 2, 4  # letters to copy, size of the alphabet
LEARNED = 0.1  # of the error of a memoryless answer


def adding(T, N, rng):
    """x (T, N, 2), numbers in 0..1 and marks; and the sums of the marked numbers, (1, N, 1), the targets."""
    x, n = np.zeros((T, N, 2), np.float32), np.arange(N)
    first, second = rng.integers(T // 2, size=N), rng.integers(T // 2, T, size=N)
    x[..., 0] = rng.random((T, N))
    x[first, n, 1] = x[second, n, 1] = 1
    return x, (x[first, n, 0] + x[second, n, 0])[None, :, None]


def copying(T, N, rng):
    """x (LETTERS + T + LETTERS, N, V + 2): letters, empty steps, the prompt; and the letters, (LETTERS, N)."""
    letters = rng.integers(V, size=(LETTERS, N))
    read = np.concatenate([letters, np.full((T, N), V), np.full((LETTERS, N), V + 1)])
    return np.eye(V + 2, dtype=np.float32)[read], letters


class Task(NamedTuple):
    batch: Callable  # (T, N, rng) -> x, targets of the last steps
    loss: Callable
    features: int  # of x
    outputs: int
    memoryless: float  # loss of the best memoryless answer


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


NETWORKS = {  # name: (recurrent layer for I features and T steps, best learning rate of those tried)
    "RNN": (rnn, 1e-3),
    "IRNN": (irnn, 1e-3),
    "LSTM, forget bias 1": (lstm, 4e-2),
    "LSTM, chrono": (chrono_lstm, 4e-2),
    "GRU": (gru, 4e-2),
    "GRU, chrono": (chrono_gru, 4e-2),
}


def train(model, task, T, lr, steps, seed):
    """Adam on new sequences at every step, at most `steps`, until the task is learned. Returns the losses."""
    optimizer, rng, losses = fr.Adam(model, lr=lr), np.random.default_rng(seed), []
    # Not one of the last 50 losses may be large: at this learning rate some steps spoil what was learned for a while.
    while len(losses) < steps and not (len(losses) >= 50 and max(losses[-50:]) < LEARNED * task.memoryless):
        x, targets = task.batch(T, N, rng)
        y, _, tape = model.forward(x)
        dy, k = np.zeros_like(y), len(targets)
        loss, dy[-k:] = task.loss(y[-k:], targets)  # only the last steps have targets
        model.zero_grad()
        model.backward(tape, dy)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()
        losses.append(loss)
    return losses


def error(model, task, T, seed):
    """The loss on 500 new sequences, relative to that of a memoryless answer."""
    x, targets = task.batch(T, 500, np.random.default_rng(seed))
    y, _ = model(x)
    return task.loss(y[-len(targets) :], targets)[0] / task.memoryless


def errors(name, task, longer, steps, seed):
    """The error for each T, with a new network each time, up to the first that fails."""
    (make, lr), results = NETWORKS[name], []
    with fr.threads(1):  # one thread each: training two networks at once gains more than threads do
        for T in longer:
            model = fr.Sequential(make(task.features, T, seed), fr.Linear(UNITS, task.outputs, seed=seed + 1))
            try:
                train(model, task, T, lr, steps, seed + 2)
                results.append(error(model, task, T, seed + 3))
            except FloatingPointError:  # clipping cannot help if the gradient is not finite
                results.append(math.inf)
            if not results[-1] < LEARNED:
                break
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--T", type=int, nargs="+", default=[50, 200, 500], help="lengths; default: 50 200 500")
    parser.add_argument("--steps", type=int, default=1200, help="training steps, at most; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    arguments = parser.parse_args()
    if min(arguments.T) < 2:
        parser.error(f"--T: expected 2 steps or more, got {min(arguments.T)}")

    rest = arguments.T, arguments.steps, arguments.seed
    print(f"{'error in % of a memoryless one':32}" + "".join(f"{f'T = {T}':>9}" for T in arguments.T))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = [(task, name) for task in TASKS for name in NETWORKS]
        rows = pool.map(lambda key: errors(key[1], TASKS[key[0]], *rest), keys)
        results = {}
        for (task, name), row in zip(keys, rows, strict=True):
            results[task, name] = row
            print(f"{task:10}{name:22}" + "".join(f"{100 * error:9.1f}" for error in row), flush=True)

    chrono = [results[task, name] for task in TASKS for name in ("LSTM, chrono", "GRU, chrono")]
    worst, plain = max(row[-1] for row in chrono), results["adding", "RNN"]
    if not worst < LEARNED < plain[-1]:
        sys.exit("This run has not shown that gates remember longer than a plain RNN. Try more --steps.")
    print(
        f"\nOver {arguments.T[-1]} steps chrono gates have at most {worst:.1%} of the error of a memoryless answer, ",
        end="",
    )
    print(f"an RNN {plain[-1]:.0%} over {arguments.T[len(plain) - 1]} steps.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
