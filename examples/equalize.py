# SPDX-License-Identifier: BSD-3-Clause
"""Learning that never ends: a receiver undoes the distortion of a radio channel, and follows it when it changes.

Symbols -3, -1, 1 and 3 are sent. What arrives is the sum of ten of them, for there are echoes; bent, for amplifiers are
not linear; and noisy. The channel is that of Jaeger and Haas, "Harnessing nonlinearity", Science 304, 2004 (who have it
from Mathews and Lee, 1994). In the middle of the transmission its echoes change, slowly, as when a receiver is moved.

All receivers learn from the first 2000 symbols, which they are told; then they are on their own. One is an echo state
network whose readout is fitted once. The others go on learning, by recursive least squares: each takes the symbol next
to its output for the one that was sent, and that is its target. Steps long ago are forgotten. To see what a reservoir
is worth, one receiver has none: it is linear in the last values that it heard, as common equalisers are. And one has a
reservoir of two layers, with as many units in all.

    python examples/equalize.py
    python examples/equalize.py --plot equalize.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

ECHOES = [0.08, -0.12, 1.0, 0.18, -0.1, 0.091, -0.05, 0.04, 0.03, 0.01]  # of symbol t, t-1, ...: the third is loudest
CHANGED = [0.08, -0.12, 1.0, -0.15, 0.12, 0.091, -0.05, 0.04, 0.03, 0.01]
TOLD, STAY, CHANGE = 2000, 5000, 3000  # symbols: to learn from; before and after the change; during it
PARTS = {
    "before": slice(TOLD, TOLD + STAY),
    "during": slice(TOLD + STAY, TOLD + STAY + CHANGE),
    "after": slice(TOLD + STAY + CHANGE, None),
}
LATE = 4  # the symbol to say is the fourth before the newest: its loudest echo came two steps ago
TAPS = 12  # values that the linear receiver looks at
UNITS, FORGETTING, DELTA, RIDGE = 60, 0.998, 0.01, 0.001  # about the last 500 symbols count
RESERVOIR = dict(output_size=1, spectral_radius=0.5, input_scaling=0.1, bias_scaling=1.0, density=0.3, dtype=np.float64)


def transmit(rng, snr):
    """What was sent, and what was heard, each (steps,). The noise is `snr` decibels below the signal."""
    sent = rng.choice([-3.0, -1.0, 1.0, 3.0], TOLD + STAY + CHANGE + STAY)
    share = np.clip((np.arange(len(sent)) - PARTS["during"].start) / CHANGE, 0, 1)[:, None]
    echoes = (1 - share) * ECHOES + share * CHANGED
    mixed = (echoes * last(sent, len(ECHOES))).sum(axis=1)
    bent = mixed + 0.036 * mixed**2 - 0.011 * mixed**3
    return sent, bent + bent.std() * 10 ** (-snr / 20) * rng.standard_normal(len(bent))


def last(series, count):
    """At each step the last `count` values, the newest first, (steps, count); 0 before the first."""
    padded = np.concatenate([np.zeros(count - 1), series])
    return np.lib.stride_tricks.sliding_window_view(padded, count)[:, ::-1]


def symbol(output):
    """The one that is next."""
    return np.clip(2 * np.round((output + 3) / 2) - 3, -3, 3)


def fitted_once(network, heard, targets):
    """Outputs (steps, 1)."""
    return network.fit(heard[:TOLD], targets[:TOLD], RIDGE).predict(heard)


def always_learning(network, heard, targets):
    """Outputs (steps, 1), each from before the network learns from its step. Only the first TOLD targets are read."""
    rls = fr.RLS(network, FORGETTING, DELTA)
    outputs = [rls.update(heard[:TOLD], targets[:TOLD])]
    for x in heard[TOLD:, None]:
        output, _ = network(x, rls.state)
        rls.update(x, symbol(output))
        outputs.append(output)
    return np.concatenate(outputs)


def reservoir(layers, seed):
    return fr.EchoState(1, UNITS // layers, layers, **RESERVOIR, seed=seed)


def linear(seed):
    """Its single unit hears nothing and stays 0: what is left is a readout of the inputs."""
    return fr.EchoState(TAPS, 1, output_size=1, input_scaling=0.0, dtype=np.float64, seed=seed)


def receivers(heard, seed):
    """(name, how it learns, its network, what it reads)."""
    yield "reservoir, fitted once", fitted_once, reservoir(1, seed), heard[:, None]
    yield "reservoir, always learning", always_learning, reservoir(1, seed), heard[:, None]
    yield "the same, in two layers", always_learning, reservoir(2, seed), heard[:, None]
    yield "linear, always learning", always_learning, linear(seed), last(heard, TAPS)


def mistakes(seed, snr):
    """At which steps each receiver says a wrong symbol: {name: (steps,)}."""
    sent, heard = transmit(np.random.default_rng(seed), snr)
    targets = last(sent, LATE + 1)[:, -1:]
    return {
        name: (symbol(learn(network, x, targets)) != targets)[:, 0]
        for name, learn, network, x in receivers(heard, seed)
    }


def plot(path, wrong):
    """Mistakes as time goes on, of the last `window` symbols of all transmissions."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    window = 500
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    for (name, found), color in zip(wrong.items(), ("0.5", "#d55e00", "#e69f00", "#0072b2"), strict=True):
        share = np.convolve(found.mean(axis=0), np.full(window, 1 / window), "valid")
        axis.plot(np.arange(window, len(share) + window), np.where(share > 0, share, np.nan), color=color, label=name)
    axis.axvspan(PARTS["during"].start, PARTS["during"].stop, color="0.93", label="the echoes change")
    axis.set(xlim=(TOLD + window, None), xlabel="symbols sent", ylabel=f"wrong, of the last {window}", yscale="log")
    axis.yaxis.set_major_formatter("{x:.1%}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--transmissions", type=int, default=3, help="each heard by new networks; default: %(default)s")
    parser.add_argument("--snr", type=float, default=20, help="of the signal to the noise, in dB; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the first transmission; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the mistakes as time goes on")
    arguments = parser.parse_args()
    if arguments.transmissions < 1:
        parser.error(f"--transmissions: expected 1 or more, got {arguments.transmissions}")

    runs = [mistakes(arguments.seed + k, arguments.snr) for k in range(arguments.transmissions)]
    wrong = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    print(f"Transmissions: {len(runs)}, at {arguments.snr:g} dB. {TOLD} symbols that the receivers are told, ", end="")
    print(f"{STAY} more, {CHANGE} while the echoes change, {STAY} after that\n")
    print(f"{'wrong symbols':28}" + "".join(f"{part:>10}" for part in PARTS))
    rates = {name: [found[:, part].mean() for part in PARTS.values()] for name, found in wrong.items()}
    for name, shares in rates.items():
        print(f"{name:28}" + "".join(f"{share:10.2%}" for share in shares))
    if arguments.plot:
        plot(arguments.plot, wrong)

    (known, _, stale), (_, _, followed), _, (_, _, straight) = rates.values()
    if not (known < 0.01 and followed < stale / 10 and followed < straight):
        sys.exit("The network has not followed the channel.")
    print(
        f"\nWhen the echoes have changed, the readout fitted once gets {stale:.1%} of the symbols wrong, "
        f"one that goes on learning {followed:.2%}, and without a reservoir {straight:.2%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
