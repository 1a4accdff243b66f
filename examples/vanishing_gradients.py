# SPDX-License-Identifier: BSD-3-Clause
"""Vanishing and exploding gradients: how much of the gradient of the last output arrives how many steps before.

Nothing is learned here. Each network reads one batch of noise, and one call of `backward`, with a gradient of the last
step only, gives the gradient of every input. Its norm at a distance of k steps, relative to that at distance 0, decays
or grows roughly as |a|^k (Hochreiter 1991; Bengio, Simard and Frasconi, "Learning long-term dependencies with gradient
descent is difficult", 1994). Below 1 the distant past is not learned; above 1 it drowns everything else. The table
shows powers of ten.

What helps: weights that preserve lengths (orthogonal; the identity, for rectified linear units); gates that start open
(a forget bias, chrono); the regularizer Omega, which asks the weights to preserve the length of the gradient (Pascanu,
Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013). What limits the damage: clipping,
of the whole gradient by its norm, of each of its elements, or at every step of the backward pass (`delta_clip`), and
going back only some steps (as truncation.py does).

    python examples/vanishing_gradients.py
    python examples/vanishing_gradients.py --plot gradients.png
"""

import argparse
import math
import sys

import numpy as np

import fastrnn as fr

T, N, I, H = 501, 8, 8, 64
DISTANCES = (0, 10, 50, 100, 200, 500)
LARGE = 4  # factor of the recurrent weights that makes gradients explode
DELTA_CLIP, MAX_NORM, LIMIT, TRUNCATED = 1e-2, 1.0, 1e-2, 50
OMEGA_STEPS, OMEGA_RATE = 200, 3e-3
LARGER, ORTHOGONAL = f"RNN, weights times {LARGE}", "RNN, orthogonal"
COLORS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7")  # Okabe and Ito's, for the colour-blind too
DASHES = ("-", "--")
CLIPS = {  # clip the gradient of all parameters in place
    "unclipped": lambda layer: None,
    f"clip_grad_norm, {MAX_NORM:g}": lambda layer: fr.clip_grad_norm(layer, MAX_NORM),
    f"clip_grad_value, {LIMIT:g}": lambda layer: fr.clip_grad_value(layer, LIMIT),
}
FORMAT = {"dtype": np.float64}  # float32 has no numbers below 1e-45


def networks(seed):
    """{name: layer}, plain ones first."""
    return {
        "RNN": fr.RNN(I, H, seed=seed, **FORMAT),
        LARGER: enlarged(fr.RNN(I, H, seed=seed, **FORMAT)),
        "    the same, delta_clip": enlarged(fr.RNN(I, H, seed=seed, delta_clip=DELTA_CLIP, **FORMAT)),
        ORTHOGONAL: fr.init.orthogonal(fr.RNN(I, H, **FORMAT), seed=seed),
        "RNN, after Omega": regularized(fr.RNN(I, H, seed=seed, omega=1.0, **FORMAT), seed),
        "IRNN": fr.init.identity(fr.RNN(I, H, nonlinearity="relu", **FORMAT), seed=seed),
        "LSTM": fr.LSTM(I, H, seed=seed, **FORMAT),
        "LSTM, forget bias 1": fr.init.forget_bias(fr.LSTM(I, H, seed=seed, **FORMAT), 1.0),
        "LSTM, chrono": fr.init.chrono(fr.LSTM(I, H, seed=seed, **FORMAT), T, seed=seed),
        "GRU": fr.GRU(I, H, seed=seed, **FORMAT),
        "GRU, chrono": fr.init.chrono(fr.GRU(I, H, seed=seed, **FORMAT), T, seed=seed),
    }


def noise(seed):
    """Inputs x (T, N, I) with standard deviation 0.1, and unit gradients of the last outputs, (N, H)."""
    rng = np.random.default_rng(seed)
    x, last = 0.1 * rng.standard_normal((T, N, I)), rng.standard_normal((N, H))
    return x, last / np.linalg.norm(last, axis=1, keepdims=True)


def enlarged(rnn):
    rnn.params["weight_hh_l0"] *= LARGE
    return rnn


def regularized(rnn, seed):
    """The layer after some steps of Adam that reduce Omega, on other noise.

    Omega depends on ratios of lengths only, so it dominates a loss gradient as small as the one here.
    """
    optimizer = fr.Adam(rnn, lr=OMEGA_RATE)
    for k in range(OMEGA_STEPS):
        x, last = noise(seed + 1 + k)
        back(rnn, x[-50:], 1e-3 * last)
        optimizer.step()
    return rnn


def back(layer, x, last, state=None):
    """The gradient norm of the input at every distance from the last step, (T,), averaged over the rows."""
    y, _, tape = layer.forward(x, state)
    dy = np.zeros_like(y)
    dy[-1] = last
    layer.zero_grad()
    dx, _ = layer.backward(tape, dy)
    return np.linalg.norm(dx[::-1], axis=-1).mean(axis=-1)


def back_truncated(layer, x, last):
    """The same with truncation: the state before the last TRUNCATED steps is a constant."""
    _, state = layer(x[:-TRUNCATED])
    return np.concatenate([back(layer, x[-TRUNCATED:], last, state), np.zeros(len(x) - TRUNCATED)])


def clipped(layer, x, last, clip):
    """The norm of the clipped gradient of all parameters, and its angle to the unclipped one in degrees."""
    back(layer, x, last)
    whole = flat(layer.grads)
    clip(layer)
    left = flat(layer.grads)
    norm = np.linalg.norm(left)
    return norm, math.degrees(math.acos(min(left @ whole / (norm * np.linalg.norm(whole)), 1.0)))


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays.values()])


def powers(norms):
    """Powers of ten, relative to the norm at distance 0; -inf where nothing arrives."""
    with np.errstate(divide="ignore"):
        return np.log10(norms / norms[0])


def plot(path, arriving):
    """Draw the powers of ten against the distance."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        sys.exit('--plot needs matplotlib: pip install "fastrnn[examples]"')

    figure = Figure(figsize=(9, 5), layout="constrained")
    axis = figure.subplots()
    for k, (name, values) in enumerate(arriving.items()):
        axis.plot(values, color=COLORS[k % len(COLORS)], linestyle=DASHES[k // len(COLORS)], label=name.strip())
    axis.set(xlim=(0, 500), ylim=(-60, 20), xlabel="steps before the last one", ylabel="gradient, power of ten")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers; default: 0")
    parser.add_argument("--plot", metavar="PNG", help="draw the gradient at every distance")
    arguments = parser.parse_args()

    x, last = noise(arguments.seed)
    layers, arriving = networks(arguments.seed), {}
    for name, layer in layers.items():
        arriving[name] = powers(back(layer, x, last))
        if name == ORTHOGONAL:
            arriving["    the same, truncated"] = powers(back_truncated(layer, x, last))
    print(f"{'power of ten, steps before':30}" + "".join(f"{k:9}" for k in DISTANCES))
    for name, values in arriving.items():
        print(f"{name:30}" + "".join(f"{values[k]:9.1f}" for k in DISTANCES))

    print(f"\n{f'{LARGER}: parameters':30}{'norm':>9}{'turned by':>13}")
    turned = {}
    for name, clip in CLIPS.items():
        norm, turned[name] = clipped(layers[LARGER], x, last, clip)
        print(f"{name:30}{norm:9.2g}{turned[name]:9.0f} deg")
    print("\nClipping by norm keeps the direction, which the most distant steps dominate; by value it keeps little but")
    print("the signs. delta_clip limits the gradient at every step of the backward pass.")
    if arguments.plot:
        plot(arguments.plot, arriving)

    plain, larger, omega, chrono = (arriving[name][200] for name in ("RNN", LARGER, "RNN, after Omega", "GRU, chrono"))
    _, by_norm, by_value = turned.values()
    if not (plain < -10 and larger > 10 and -3 < omega < 3 and -3 < chrono < 3 and by_norm < 1 < 10 < by_value):
        sys.exit("This run has not shown vanishing, exploding and lasting gradients.")
    print(
        f"\n200 steps back the gradient is scaled by 10^{plain:.0f} in an RNN, 10^{larger:+.0f} with large weights, ",
        end="",
    )
    print(f"10^{chrono:.1f} in a chrono GRU.")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted.")
