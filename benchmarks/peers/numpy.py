# SPDX-License-Identifier: BSD-3-Clause
"""NumPy: fastrnn.reference, the time loop as one would write it, on NumPy's own BLAS."""

import numpy as np

from fastrnn import reference

from . import Base


class Peer(Base):
    packages = ("numpy",)

    def versions(self):
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return super().versions() | {"blas": f"{blas['name']} {blas['version']}"}

    def prepare(self, case, data):
        if case.streaming:
            return stream(case, data)

        def call():
            y, tapes = forward(case, data)
            return backward(case, data, y, tapes) if case.training else {"y": y}

        return call, call


def parameters(data, suffix):
    return [data["params"][name + suffix] for name in ("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")]


def suffixes(case, layer):
    return [f"{layer}{direction}" for direction in ("", "_reverse")[: case.D]]


def forward(case, data):
    """y of the stack and the tape of each layer and direction."""
    y, tapes = data["x"], {}
    zero = np.zeros((case.N, case.H), case.dtype)
    for layer in range(case.L):
        outputs = []
        for suffix in suffixes(case, layer):
            out, _, _, tapes[suffix] = reference.forward(
                case.cell, y, zero, zero if case.cell == "lstm" else None, *parameters(data, suffix),
                lengths=data["lengths"], reverse=suffix.endswith("_reverse"),
            )  # fmt: skip
            outputs.append(out)
        y = outputs[0] if case.D == 1 else np.concatenate(outputs, axis=2)
    return y, tapes


def backward(case, data, y, tapes):
    """Every gradient."""
    gradients, dy = {"y": y}, data["dy"]
    for layer in reversed(range(case.L)):
        dx = 0
        for direction, suffix in enumerate(suffixes(case, layer)):
            half = dy[..., direction * case.H : (direction + 1) * case.H]
            back = reference.backward(case.cell, tapes[suffix], half)
            dx = dx + back[0]
            for name, gradient in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), back[3:], strict=True):
                gradients[f"{name}_l{suffix}"] = gradient
        dy = dx
    return gradients | {"dx": dy}


def stream(case, data):
    """One step that carries the state."""
    zero = np.zeros((1, case.H), case.dtype)
    start = [zero, zero if case.cell == "lstm" else None]
    state = list(start)

    def call():
        y, state[0], state[1], _ = reference.forward(case.cell, data["x"], *state, *parameters(data, "0"))
        return y

    def result():
        state[:] = start
        return {"y": [call() for _ in range(3)][-1]}

    return call, result
