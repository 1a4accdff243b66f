# SPDX-License-Identifier: BSD-3-Clause
"""Online learning: a receiver undoes the distortion of a radio channel, and adapts when the channel changes.

Symbols -3, -1, 1 and 3 are sent. The received signal is a sum of ten of them, because of echoes; it is nonlinear, like
an amplifier; and it is noisy. The channel is that of Jaeger and Haas, "Harnessing nonlinearity", Science 304, 2004 (who
took it from Mathews and Lee, 1994). In the middle of the transmission its echoes change slowly, as when a receiver
moves.

All receivers are trained on the first 2000 symbols, which are known; then they are on their own. One is an echo state
network whose readout is fitted once. The others keep learning by recursive least squares: each takes the symbol nearest
to its output as its target. Old steps are gradually forgotten. To show what a reservoir is worth, one receiver has none
and is linear in the last received values, as common equalizers are. Another has a reservoir of two layers, with as many
units in total.

    python examples/equalize.py
    python examples/equalize.py --plot equalize.png
"""

import argparse
import sys

import numpy as np

import fastrnn as fr

ECHOES = [0.08, -0.12, 1.0, 0.18, -0.1, 0.091, -0.05, 0.04, 0.03, 0.01]  # of symbols t, t-1, ...
CHANGED = [0.08, -0.12, 1.0, -0.15, 0.12, 0.091, -0.05, 0.04, 0.03, 0.01]
KNOWN, STAY, CHANGE = 2000, 5000, 3000  # symbols: for training; before and after the change; during it
PARTS = {
    "before": slice(KNOWN, KNOWN + STAY),
    "during": slice(KNOWN + STAY, KNOWN + STAY + CHANGE),
    "after": slice(KNOWN + STAY + CHANGE, None),
}
LATE = 4  # the target is the fourth symbol before the newest, whose loudest echo came two steps ago
TAPS = 12  # values that the linear receiver reads
UNITS, FORGETTING, DELTA, RIDGE = 60, 0.998, 1e-6, 0.001  # a memory of about 500 symbols
RESERVOIR = dict(output_size=1, spectral_radius=0.5, input_scaling=0.1, bias_scaling=1.0, density=0.3, dtype=np.float64)


def transmit(rng, snr):
    """The sent and the received signal, each (steps,). The noise is `snr` decibels below the signal."""
    sent = rng.choice([-3.0, -1.0, 1.0, 3.0], KNOWN + STAY + CHANGE + STAY)
    share = np.clip((np.arange(len(sent)) - PARTS["during"].start) / CHANGE, 0, 1)[:, None]
    echoes = (1 - share) * ECHOES + share * CHANGED
    mixed = (echoes * last(sent, len(ECHOES))).sum(axis=1)
    distorted = mixed + 0.036 * mixed**2 - 0.011 * mixed**3
    return sent, distorted + distorted.std() * 10 ** (-snr / 20) * rng.standard_normal(len(distorted))


def last(series, count):
    """The last `count` values at each step, newest first, (steps, count); 0 before the first value."""
    padded = np.concatenate([np.zeros(count - 1), series])
    return np.lib.stride_tricks.sliding_window_view(padded, count)[:, ::-1]


def symbol(output):
    """The symbol nearest to an output."""
    return np.clip(2 * np.round((output + 3) / 2) - 3, -3, 3)


def fit_once(network, received, targets):
    """The outputs (steps, 1) of a readout fitted to the known symbols."""
    return network.fit(received[:KNOWN], targets[:KNOWN], RIDGE).predict(received)


def learn_online(network, received, targets):
    """The outputs (steps, 1), each made before learning from its step. Only the first KNOWN targets are read."""
    rls = fr.RLS(network, FORGETTING, DELTA)
    outputs = [rls.update(received[:KNOWN], targets[:KNOWN])]
    for x in received[KNOWN:, None]:
        output, _ = network(x, rls.state)
        rls.update(x, symbol(output))
        outputs.append(output)
    return np.concatenate(outputs)


def reservoir(layers, seed):
    return fr.EchoState(1, UNITS // layers, layers, **RESERVOIR, seed=seed)


def linear(seed):
    """A network whose single unit stays 0, which leaves a readout of the inputs."""
    return fr.EchoState(TAPS, 1, output_size=1, input_scaling=0.0, dtype=np.float64, seed=seed)


def receivers(received, seed):
    """Tuples of the name, the way of learning, the network and its input."""
    yield "reservoir, fitted once", fit_once, reservoir(1, seed), received[:, None]
    yield "reservoir, online", learn_online, reservoir(1, seed), received[:, None]
    yield "online, in two layers", learn_online, reservoir(2, seed), received[:, None]
    yield "linear, online", learn_online, linear(seed), last(received, TAPS)


def mistakes(seed, snr):
    """Whether each receiver outputs a wrong symbol at each step: {name: (steps,)}."""
    sent, received = transmit(np.random.default_rng(seed), snr)
    targets = last(sent, LATE + 1)[:, -1:]
    return {
        name: (symbol(learn(network, x, targets)) != targets)[:, 0]
        for name, learn, network, x in receivers(received, seed)
    }


def plot(path, wrong):
    """Draw the error rate over time, over the last `window` symbols of all transmissions."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    window = 500
    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    for (name, errors), color in zip(wrong.items(), ("0.5", "#d55e00", "#e69f00", "#0072b2"), strict=True):
        share = np.convolve(errors.mean(axis=0), np.full(window, 1 / window), "valid")
        axis.plot(np.arange(window, len(share) + window), np.where(share > 0, share, np.nan), color=color, label=name)
    axis.axvspan(PARTS["during"].start, PARTS["during"].stop, color="0.93", label="the echoes change")
    axis.set(xlim=(KNOWN + window, None), xlabel="symbols", ylabel=f"error rate of {window} symbols", yscale="log")
    axis.yaxis.set_major_formatter("{x:.1%}")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--transmissions", type=int, default=3, help="how many; default: %(default)s")
    parser.add_argument("--snr", type=float, default=20, help="signal-to-noise ratio in dB; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first transmission; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the error rates over time")
    arguments = parser.parse_args()
    if arguments.transmissions < 1:
        parser.error(f"--transmissions: expected 1 or more, got {arguments.transmissions}")

    runs = [mistakes(arguments.seed + k, arguments.snr) for k in range(arguments.transmissions)]
    wrong = {name: np.stack([run[name] for run in runs]) for name in runs[0]}
    print(f"{len(runs)} transmissions at {arguments.snr:g} dB: {KNOWN} known symbols for training, ", end="")
    print(f"{STAY} more, {CHANGE} while the echoes change, and {STAY} after that\n")
    print(f"{'error rate':28}" + "".join(f"{part:>10}" for part in PARTS))
    rates = {name: [errors[:, part].mean() for part in PARTS.values()] for name, errors in wrong.items()}
    for name, shares in rates.items():
        print(f"{name:28}" + "".join(f"{share:10.2%}" for share in shares))
    if arguments.plot:
        plot(arguments.plot, wrong)

    (fixed, _, stale), (_, _, followed), _, (_, _, straight) = rates.values()
    if not (fixed < 0.01 and followed < stale / 10 and followed < straight):
        sys.exit("The network has not followed the channel.")
    print(
        f"\nAfter the echoes have changed, the readout fitted once gets {stale:.1%} of the symbols wrong, "
        f"one that keeps learning {followed:.2%}, and one without a reservoir {straight:.2%}."
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
