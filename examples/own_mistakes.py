# SPDX-License-Identifier: BSD-3-Clause
"""Learning from one's own mistakes: scheduled sampling, and what teacher forcing does not prepare a network for.

Somebody says vowels in a noisy room, each for ten moments on average, and a network names the vowel of each moment. An
encoder reads the whole recording. A decoder attends to it and reads the last vowel that was named. With teacher forcing
that vowel is always correct during training, so the decoder comes to rely on it: it repeats the vowel unless there is a
strong sign of a change at this moment. On its own the decoder reads its own output. If it misses a change, nothing
corrects it, and it stays with the wrong vowel for long.

With scheduled sampling (Bengio, Vinyals, Jaitly, Shazeer 2015, arXiv 1506.03099, whose section 4.3 labels frames of
speech) the decoder reads the truth at first, then more and more often its own output, and learns to doubt it. A third
network never reads the truth. That costs nothing here, where the recording alone determines the answer: it does at
least as well. The schedule is meant for tasks in which the first outputs of an untrained network are useless.

Since the noise is known here, so is the best possible accuracy (forward-backward smoothing: Rabiner, "A tutorial on
hidden Markov models", 1989, equation 27).

    python examples/own_mistakes.py
    python examples/own_mistakes.py --plot mistakes.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

VOWELS = "aeiouy"
K, T = len(VOWELS), 16
START = K  # what the decoder reads first; it is never spoken
CHANGE = 0.1  # probability that a new vowel is drawn, possibly the same one
NOISE = 1.0  # standard deviation around 1 for the spoken vowel and 0 for the others
EMBEDDING_SIZE, UNITS, LEARNING_RATE, BATCH, MAX_NORM = 8, 24, 1e-2, 64, 1.0
SEEDS = 3
SCHEDULES = {  # share of its own outputs that a network reads, by progress of the training
    "teacher forcing": lambda progress: 0.0,
    "scheduled sampling": lambda progress: min(1.25 * progress, 1.0),
    "always its own": lambda progress: 1.0,
}


def speak(count, rng):
    """What is heard, (T, count, K), and the spoken vowels, (T, count)."""
    spoken, changes = rng.integers(K, size=(T, count)), rng.random((T, count)) < CHANGE
    for t in range(1, T):
        spoken[t] = np.where(changes[t], spoken[t], spoken[t - 1])
    heard = np.eye(K)[spoken] + NOISE * rng.standard_normal((T, count, K))
    return heard.astype(np.float32), spoken


def best(heard):
    """The likeliest vowel of each moment, given everything that was heard and the noise level."""
    likelihood = np.exp((heard - heard.max(axis=-1, keepdims=True)) / NOISE**2)  # up to a factor
    change = (1 - CHANGE) * np.eye(K) + CHANGE / K
    before, after = np.ones_like(likelihood) / K, np.ones_like(likelihood)
    for t in range(1, T):
        before[t] = (before[t - 1] * likelihood[t - 1]) @ change
        before[t] /= before[t].sum(axis=-1, keepdims=True)
    for t in reversed(range(T - 1)):
        after[t] = (after[t + 1] * likelihood[t + 1]) @ change
        after[t] /= after[t].sum(axis=-1, keepdims=True)
    return (before * likelihood * after).argmax(axis=-1)


def make_model(seed):
    """A model with a bridge from the two directions of the encoder to the initial state of the decoder."""
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
    """Adam with a learning rate that decays to 0."""
    optimizer, rng = fr.Adam(model, lr=LEARNING_RATE), np.random.default_rng(seed)
    for k in range(steps):
        optimizer.lr = LEARNING_RATE * (1 - k / steps)
        heard, spoken = speak(BATCH, rng)
        logits, _, tape = model.forward(heard, spoken, sampling=schedule(k / steps))
        _, dlogits = fr.cross_entropy(logits, spoken)
        model.zero_grad()
        model.backward(tape, dlogits)
        fr.clip_grad_norm(model, MAX_NORM)
        optimizer.step()


def guided(model, heard, spoken):
    """The outputs of the model if it always reads the truth."""
    return model(heard, spoken)[0].argmax(axis=-1)


def alone(model, heard):
    """The outputs of the model if it reads its own outputs."""
    return fr.decoding.greedy(model, heard, stop=None, max_length=T).tokens


def mean_duration(wrong):
    """The mean number of moments that a mistake lasts, from the places of the mistakes, (T, N)."""
    begins = wrong & ~np.pad(wrong, [(1, 0), (0, 0)])[:-1]
    return wrong.sum() / max(begins.sum(), 1)


def in_range(shares):
    """The smallest and the largest value."""
    return f"{min(shares):.1%} to {max(shares):.1%}"


def spelled(vowels):
    return "".join(VOWELS[k] if k < K else "?" for k in vowels)


def show(spoken, answers):
    """Print the row, of those with two or more changes, that scheduled sampling helps most."""
    right = {name: (vowels == spoken).sum(axis=0) for name, vowels in answers.items()}
    changes = (spoken[1:] != spoken[:-1]).sum(axis=0)
    n = np.where(changes > 1, right["scheduled sampling"] - right["teacher forcing"], -T).argmax()
    print("\nThe row with two or more changes that scheduled sampling helps most:")
    for name, vowels in {"spoken": spoken, **answers}.items():
        print(f"    {name:24}{spelled(vowels[:, n])}")


def plot(path, curves):
    """Draw the share that is right at each moment, (T,) for each network."""
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
    parser.add_argument("--steps", type=int, default=250, help="training steps for each network; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the share that is right at each moment")
    arguments = parser.parse_args()

    heard, spoken = speak(2000, np.random.default_rng(arguments.seed))
    print(f"{f'{SEEDS} networks of each kind':28}{'guided':>16}{'on its own':>18}{'a mistake lasts':>22}")
    shares, curves, answers = {}, {}, {}
    for name, schedule in SCHEDULES.items():
        rows = []
        for k in range(1, SEEDS + 1):
            model = make_model(arguments.seed + 100 * k)
            train(model, schedule, arguments.steps, arguments.seed + k)
            answers[name] = alone(model, heard)
            right = answers[name] == spoken
            led = np.mean(guided(model, heard, spoken) == spoken)
            rows.append((led, right.mean(), mean_duration(~right), right.mean(axis=1)))
        led, own, lasts, curve = zip(*rows, strict=True)
        shares[name], curves[name] = (np.array(led), np.array(own)), np.mean(curve, axis=0)
        print(f"{name:28}{in_range(led):>16}{in_range(own):>18}{np.mean(lasts):14.1f} moments")
    right = best(heard) == spoken
    curves["best possible"] = right.mean(axis=1)
    print(f"{'best possible':28}{'':16}{f'{right.mean():.1%}':>18}{mean_duration(~right):14.1f} moments")
    print(f"{'loudest at each moment':28}{'':16}{f'{(heard.argmax(axis=-1) == spoken).mean():.1%}':>18}")
    show(spoken, answers)
    if arguments.plot:
        plot(arguments.plot, curves)

    (led, forced), (_, sampled) = shares["teacher forcing"], shares["scheduled sampling"]
    if led.min() < 0.85 or forced.max() > led.min() - 0.1 or sampled.min() < forced.max() + 0.03:
        sys.exit("This run has not shown what reading one's own mistakes is good for. Try more --steps.")
    print(
        f"\nGuided by the truth, teacher forcing gets {led.mean():.0%} right, on its own {forced.mean():.0%}; "
        f"scheduled sampling gets {sampled.mean():.0%} right on its own, of {right.mean():.0%} possible."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
