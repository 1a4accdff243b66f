# SPDX-License-Identifier: BSD-3-Clause
"""Learning from one's own mistakes: scheduled sampling, and what teacher forcing does not prepare for.

Somebody says vowels in a noisy room, each for ten moments on average, and a network names the vowel of each moment. An
encoder hears it all; a decoder looks back at that with attention, and reads what was named last. In training, with
teacher forcing, what it reads is always right, and it comes to rely on that: it says the same again, unless there is a
strong sign of a change just now. On its own it reads what it said itself. If it misses a change nobody tells it, and it
holds on to the wrong vowel for long.

With scheduled sampling (Bengio, Vinyals, Jaitly, Shazeer 2015, arXiv 1506.03099, whose section 4.3 names the frames of
speech) it reads the truth at first, then more and more often what it said itself, and so learns to doubt it. A third
network never reads the truth. Where nothing but what was heard tells what was said, as here, that is no loss: it does
at least as well. The schedule is for tasks in which the words of a beginner are of no use to begin with.

As the noise is known here, so is the best that can be made of what was heard (forward-backward smoothing: Rabiner, "A
tutorial on hidden Markov models", 1989, equation 27).

    python examples/own_mistakes.py
    python examples/own_mistakes.py --plot mistakes.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

VOWELS = "aeiouy"
K, T = len(VOWELS), 16
START = K  # what the decoder reads first; it is never said
ANEW = 0.1  # probability that a vowel is drawn anew, which may be the same again
NOISE = 1.0  # standard deviation of what is heard of each vowel, which is 1 for the one that is said and 0 for others
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, MAX_NORM = 8, 24, 1e-2, 64, 1.0
SEEDS = 3
SCHEDULES = {  # the share of its own words that a network reads, given the part of the training that is over
    "teacher forcing": lambda over: 0.0,
    "scheduled sampling": lambda over: min(1.25 * over, 1.0),
    "always its own": lambda over: 1.0,
}


def speak(count, rng):
    """What is heard, (T, count, K), and which vowel was said, (T, count)."""
    said, anew = rng.integers(K, size=(T, count)), rng.random((T, count)) < ANEW
    for t in range(1, T):
        said[t] = np.where(anew[t], said[t], said[t - 1])
    heard = np.eye(K)[said] + NOISE * rng.standard_normal((T, count, K))
    return heard.astype(np.float32), said


def best(heard):
    """The likeliest vowel of each moment, given all that was heard, by who knows the noise."""
    likelihood = np.exp((heard - heard.max(axis=-1, keepdims=True)) / NOISE**2)  # but for a factor
    change = (1 - ANEW) * np.eye(K) + ANEW / K
    before, after = np.ones_like(likelihood) / K, np.ones_like(likelihood)
    for t in range(1, T):
        before[t] = (before[t - 1] * likelihood[t - 1]) @ change
        before[t] /= before[t].sum(axis=-1, keepdims=True)
    for t in reversed(range(T - 1)):
        after[t] = (after[t + 1] * likelihood[t + 1]) @ change
        after[t] /= after[t].sum(axis=-1, keepdims=True)
    return (before * likelihood * after).argmax(axis=-1)


def make_model(seed):
    """The encoder has two directions, the decoder one: a bridge makes the first state of the last."""
    return fr.Seq2Seq(
        encoder=fr.GRU(K, UNITS, bidirectional=True, seed=seed),
        embedding=fr.Embedding(K + 1, EMBEDDING_SIZE, seed=seed + 1),
        decoder=fr.AttentionDecoder(
            fr.GRU(EMBEDDING_SIZE, UNITS, seed=seed + 2),
            fr.Attention(UNITS, 2 * UNITS, score="general", seed=seed + 3),
            fr.Linear(3 * UNITS, UNITS, bias=False, seed=seed + 4),
        ),
        output=fr.Linear(UNITS, K + 1, seed=seed + 5),
        bridge=fr.Linear(2 * UNITS, UNITS, seed=seed + 6),
        start=START,
        seed=seed,
    )


def train(model, schedule, steps, seed):
    """Adam with a learning rate that falls to 0."""
    optimizer, rng = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        heard, said = speak(BATCH, rng)
        logits, _, tape = model.forward(heard, said, sampling=schedule(k / steps))
        _, dlogits = fr.cross_entropy(logits, said)
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()


def guided(model, heard, said):
    """What the model says if it always reads the truth."""
    return model(heard, said)[0].argmax(axis=-1)


def alone(model, heard):
    """What it says if it reads what it said."""
    return fr.decoding.greedy(model, heard, stop=None, max_length=T).tokens


def lasting(wrong):
    """How many moments a mistake lasts, on average, given where the mistakes are, (T, N)."""
    begins = wrong & ~np.pad(wrong, [(1, 0), (0, 0)])[:-1]
    return wrong.sum() / max(begins.sum(), 1)


def in_range(shares):
    """The smallest and the largest."""
    return f"{min(shares):.1%} to {max(shares):.1%}"


def spelled(vowels):
    return "".join(VOWELS[k] if k < K else "?" for k in vowels)


def show(said, answers):
    """Of the rows with two changes or more the one that scheduled sampling helps most, as letters."""
    right = {name: (vowels == said).sum(axis=0) for name, vowels in answers.items()}
    changes = (said[1:] != said[:-1]).sum(axis=0)
    n = np.where(changes > 1, right["scheduled sampling"] - right["teacher forcing"], -T).argmax()
    print("\nwhere scheduled sampling helps most, of the rows with two changes or more:")
    for name, vowels in {"said": said, **answers}.items():
        print(f"    {name:24}{spelled(vowels[:, n])}")


def plot(path, curves):
    """The share that is right at each moment, given (T,) for each network."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    colors = "#d55e00", "#0072b2", "#009e73", "black"
    for (name, right), color in zip(curves.items(), colors, strict=True):
        axis.plot(np.arange(1, T + 1), 100 * right, color=color, label=name)
    axis.set(xlabel="moment", ylabel="% right, on its own", ylim=(40, 100))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, ncols=2)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=250, help="of training, for each network; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw how the share that is right changes from moment to moment")
    arguments = parser.parse_args()

    heard, said = speak(2000, np.random.default_rng(arguments.seed))
    print(f"{f'{SEEDS} networks of each kind':28}{'guided':>16}{'on its own':>18}{'a mistake lasts':>22}")
    shares, curves, answers = {}, {}, {}
    for name, schedule in SCHEDULES.items():
        rows = []
        for k in range(1, SEEDS + 1):
            model = make_model(arguments.seed + 100 * k)
            train(model, schedule, arguments.steps, arguments.seed + k)
            answers[name] = alone(model, heard)
            right = answers[name] == said
            rows.append(
                (np.mean(guided(model, heard, said) == said), right.mean(), lasting(~right), right.mean(axis=1))
            )
        led, own, lasts, curve = zip(*rows, strict=True)
        shares[name], curves[name] = (np.array(led), np.array(own)), np.mean(curve, axis=0)
        print(f"{name:28}{in_range(led):>16}{in_range(own):>18}{np.mean(lasts):14.1f} moments")
    right = best(heard) == said
    curves["the best there is"] = right.mean(axis=1)
    print(f"{'the best there is':28}{'':16}{f'{right.mean():.1%}':>18}{lasting(~right):14.1f} moments")
    print(f"{'the loudest at each moment':28}{'':16}{f'{(heard.argmax(axis=-1) == said).mean():.1%}':>18}")
    show(said, answers)
    if arguments.plot:
        plot(arguments.plot, curves)

    (led, forced), (_, sampled) = shares["teacher forcing"], shares["scheduled sampling"]
    if led.min() < 0.85 or forced.max() > led.min() - 0.1 or sampled.min() < forced.max() + 0.03:
        sys.exit("It has not shown what reading one's own mistakes is good for: more --steps?")
    print(
        f"\nGuided by the truth teacher forcing gets {led.mean():.0%} right, on its own {forced.mean():.0%};", end=" "
    )
    print(f"who has met his own mistakes gets {sampled.mean():.0%}, of {right.mean():.0%} that can be got.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
