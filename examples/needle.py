# SPDX-License-Identifier: BSD-3-Clause
"""Many to one, and then live: a short motif somewhere in a long noisy series, and three ways to summarize the series.

A blow to a machine rings and fades: a jump, followed by 12 steps of decay. Half of the series, of 400 noisy readings
each, contain a blow somewhere. A quarter contain a reversed one, a swelling that breaks off: the same values in another
order. The others are noise. An LSTM reads a series and has to say whether there is a blow. Which of its outputs should
the decision depend on?

    LastStep    the last output: whatever came before must have been kept until the end
    MeanPool    the mean of all outputs: a blow counts by its effect on the outputs after it
    MaxPool     the largest value of each output: a unit has to respond to a blow only once

All three are trained in the same way; three times as many epochs do not change their order. The maximum can be updated
while readings arrive. So the network with MaxPool then listens live, through `stream`, one reading at a time, and
raises an alarm while the blow is still ringing. In the end its output is, bit for bit, that for the whole series.

    python examples/needle.py
    python examples/needle.py --plot needle.png
"""

import argparse
import math
import sys

import numpy as np

import fastrnn as fr

T, LENGTH, HEIGHT, DECAY = 400, 12, 4.5, 4.0  # steps; of a blow: steps, first value, time constant; the noise has std 1
KNOWN, NEW, LIVE = 1000, 1000, 200  # series for training, for testing, and of these for listening live
LEARNING_RATE, BATCH, MAX_NORM = 1e-2, 50, 1.0
POOLS = {"LastStep": fr.LastStep, "MeanPool": fr.MeanPool, "MaxPool": fr.MaxPool}
ENOUGH = 0.9


def measure(count, rng):
    """Readings (T, count, 1), whether there is a blow (count, 1), and where it begins, if there is one, (count,)."""
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
    """Yield the logit (1,) of a model with MaxPool after each reading (1,); above 0 means a blow."""
    lstm, _, linear = model.layers
    stream, highest = lstm.stream(), np.full(lstm.hidden_size, -np.inf, lstm.dtype)
    for reading in readings:
        np.maximum(highest, stream.step(reading), out=highest)
        yield linear(highest)


def plot(path, readings, scores, begin):
    """Draw a series with a blow, and the prediction while it arrives."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(8, 4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(readings, color="0.3", linewidth=0.8)
    above.set(ylabel="reading")
    below.plot(fr.sigmoid(scores), color="#d55e00")
    below.set(xlabel="step", ylabel="probability\nof a blow so far", ylim=(-0.03, 1.03), xlim=(0, T))
    for axis in (above, below):
        axis.axvspan(begin, begin + LENGTH, color="#0072b2", alpha=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--epochs", type=int, default=20, help="training epochs; default: %(default)s")
    parser.add_argument("--units", type=int, default=16, help="units of the LSTM; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw a series and the live prediction")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    known, known_blow, _ = measure(KNOWN, rng)
    readings, is_blow, begin = measure(NEW, rng)
    print(f"{KNOWN} series of {T} steps for training, {NEW} new ones. Accuracy on those, by place of the blow:\n")
    parts = ("first quarter", "second", "third", "last quarter")
    print(f"{'':10}{'anywhere':>10}" + "".join(f"{part:>15}" for part in parts))
    right, part = {}, begin * len(parts) // T
    for name, pool in POOLS.items():
        model = make_model(pool, arguments.units, arguments.seed)
        train(model, known, known_blow, arguments.epochs, arguments.seed)
        logits, _ = model(readings)
        hits = ((logits > 0) == is_blow)[:, 0]
        right[name] = hits.mean()
        shares = "".join(f"{hits[part == k].mean():15.1%}" for k in range(len(parts)))
        print(f"{name:10}{right[name]:10.1%}{shares}")

    scores = np.concatenate([np.stack(list(listen(model, readings[:, n]))) for n in range(LIVE)], axis=1)  # (T, LIVE)
    if (scores[-1] != logits[:LIVE, 0]).any():
        sys.exit("The live outputs differ from those for the whole series.")
    alarm, blow = (scores > 0).any(axis=0), is_blow[:LIVE, 0]
    steps = (scores > 0).argmax(axis=0) - begin[:LIVE] + 1  # of the blow that had been read at the alarm
    detected = alarm & blow & (steps > 0)
    false = (alarm & ~detected).sum()
    print(f"\nLive, the network with MaxPool detects {detected.sum()} of {blow.sum()} blows, and raises", end=" ")
    print(f"a false alarm in {false} of {LIVE} series.")
    print("At the end of each its output is, bit for bit, that for the whole series.")
    if arguments.plot:
        n = np.flatnonzero(blow)[0]
        plot(arguments.plot, readings[:, n, 0], scores[:, n], begin[n])

    best, mean, last = (right[name] for name in ("MaxPool", "MeanPool", "LastStep"))
    if best < max(ENOUGH, mean, last) or detected.sum() < ENOUGH * blow.sum():
        sys.exit("The network has not learned to recognize a blow. Try more --epochs.")
    print(
        f"\nMaxPool is right in {best:.1%} of the series, MeanPool in {mean:.1%}, LastStep in {last:.1%}; "
        f"live it detects a blow after {np.median(steps[detected]):.0f} of its {LENGTH} steps, in the median."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
