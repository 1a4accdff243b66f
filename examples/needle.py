# SPDX-License-Identifier: BSD-3-Clause
"""Many to one, and then live: a short motif somewhere in a long noisy series, and three ways to sum the series up.

A blow on a machine rings and fades: a jump, and 12 steps of decay. Half of the series, 400 noisy readings each, hold a
blow somewhere. A quarter hold one backwards, a swelling that breaks off: the same values in another order. The others
are noise. An LSTM reads a series, and has to say whether there is a blow. Which of its outputs are looked at?

    LastStep    its last output: whatever came must have been kept until the end
    MeanPool    the mean of all outputs: a blow counts by the mark that it leaves on those after it
    MaxPool     the largest value of each output: a unit that answers to a blow need do it only once

All three train alike; three times as many epochs do not change their order. The largest value so far can be kept while
readings come: so the network with MaxPool then listens live, by `stream`, one reading at a time, and gives alarm while
the blow still rings. In the end it says, bit for bit, what it says of the series as a whole.

    python examples/needle.py
    python examples/needle.py --plot needle.png
"""

import argparse
import math
import sys

import numpy as np

import fastrnn as fr

T, LENGTH, HEIGHT, DECAY = 400, 12, 4.5, 4.0  # steps; of a blow: steps, first value, steps to a third; noise has std 1
KNOWN, NEW, LIVE = 1000, 1000, 200  # series to learn from, to be judged, and of these to be heard live
LEARNING_RATE, BATCH, MAX_NORM = 1e-2, 50, 1.0
POOLS = {"LastStep": fr.LastStep, "MeanPool": fr.MeanPool, "MaxPool": fr.MaxPool}
ENOUGH = 0.9


def measure(count, rng):
    """Readings (T, count, 1), whether there is a blow (count, 1), and where it begins, or would, (count,)."""
    readings = rng.standard_normal((T, count))
    kind, begin = rng.choice(4, count), rng.integers(T - LENGTH + 1, size=count)
    blow = HEIGHT * np.exp(-np.arange(LENGTH) / DECAY)
    hidden = [blow, blow, blow[::-1], 0]
    for n in range(count):
        readings[begin[n] : begin[n] + LENGTH, n] += hidden[kind[n]]
    return readings[..., None].astype(np.float32), kind[:, None] < 2, begin


def make_model(pool, units, seed):
    return fr.Sequential(fr.LSTM(1, units, seed=seed), pool(), fr.Linear(units, 1, seed=seed + 1))


def train(model, readings, is_blow, epochs, seed):
    adam = fr.Adam(model, lr=LEARNING_RATE)
    schedule = fr.CosineAnnealingLR(adam, epochs * math.ceil(len(is_blow) / BATCH))
    return fr.fit(
        model, fr.binary_cross_entropy_with_logits, readings, is_blow, optimizer=adam, schedule=schedule,
        epochs=epochs, batch_size=BATCH, clip=MAX_NORM, seed=seed, progress=False,
    )  # fmt: skip


def listen(model, readings):
    """One reading (1,) at a time: what the model with MaxPool says after each, above 0 for a blow, (1,)."""
    lstm, _, linear = model.layers
    stream, highest = lstm.stream(), np.full(lstm.hidden_size, -np.inf, lstm.dtype)
    for reading in readings:
        np.maximum(highest, stream.step(reading), out=highest)
        yield linear(highest)


def plot(path, readings, scores, begin):
    """One series with a blow, and what is said of it while it comes."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(8, 4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(readings, color="0.3", linewidth=0.8)
    above.set(ylabel="reading")
    below.plot(1 / (1 + np.exp(-scores)), color="#d55e00")
    below.set(xlabel="step", ylabel="probability\nof a blow so far", ylim=(-0.03, 1.03), xlim=(0, T))
    for axis in (above, below):
        axis.axvspan(begin, begin + LENGTH, color="#0072b2", alpha=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20, help="of training; default: %(default)s")
    parser.add_argument("--units", type=int, default=16, help="of the LSTM; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw a series, and what is said of it live")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    known, known_blow, _ = measure(KNOWN, rng)
    readings, is_blow, begin = measure(NEW, rng)
    print(f"{KNOWN} series of {T} steps to learn from, {NEW} new ones. Of the new, this share is judged right:\n")
    parts = ("first quarter", "second", "third", "last quarter")
    print(f"{'its place:':10}{'anywhere':>10}" + "".join(f"{part:>15}" for part in parts))
    right, part = {}, begin * len(parts) // T
    for name, pool in POOLS.items():
        model = make_model(pool, arguments.units, arguments.seed)
        train(model, known, known_blow, arguments.epochs, arguments.seed)
        found, _ = model(readings)
        hits = ((found > 0) == is_blow)[:, 0]
        right[name] = hits.mean()
        shares = "".join(f"{hits[part == k].mean():15.1%}" for k in range(len(parts)))
        print(f"{name:10}{right[name]:10.1%}{shares}")

    scores = np.concatenate([np.stack(list(listen(model, readings[:, n]))) for n in range(LIVE)], axis=1)  # (T, LIVE)
    if (scores[-1] != found[:LIVE, 0]).any():
        sys.exit("What it says live is not what it says of the whole.")
    alarm, blow = (scores > 0).any(axis=0), is_blow[:LIVE, 0]
    steps = (scores > 0).argmax(axis=0) - begin[:LIVE] + 1  # of the blow that were read when the alarm came
    heard = alarm & blow & (steps > 0)
    print(
        f"\nLive, the network with MaxPool hears {heard.sum()} of {blow.sum()} blows, and gives false alarm in ", end=""
    )
    print(f"{(alarm & ~heard).sum()} of {LIVE} series.")
    print("At the end of each it says, bit for bit, what it says of the whole.")
    if arguments.plot:
        n = np.flatnonzero(blow)[0]
        plot(arguments.plot, readings[:, n, 0], scores[:, n], begin[n])

    best, mean, last = (right[name] for name in ("MaxPool", "MeanPool", "LastStep"))
    if best < max(ENOUGH, mean, last) or heard.sum() < ENOUGH * blow.sum():
        sys.exit("It has not learned to tell a blow: more --epochs?")
    print(
        f"\nMaxPool is right in {best:.1%} of the series, MeanPool in {mean:.1%}, LastStep in {last:.1%}; "
        f"live it has heard a blow after {np.median(steps[heard]):.0f} of its {LENGTH} steps, in the median."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
