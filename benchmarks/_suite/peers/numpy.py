# SPDX-License-Identifier: BSD-3-Clause
"""NumPy: fastrnn.reference, a plain loop over the time steps on NumPy's own BLAS."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fastrnn import reference

from ..cases import Case, CaseData
from . import Calls, Outputs, Peer

Array = NDArray[Any]

PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class NumpyPeer(Peer):
    packages = ("numpy",)

    def versions(self) -> dict[str, str]:
        blas = cast(Any, np.show_config(mode="dicts"))["Build Dependencies"]["blas"]
        return super().versions() | {"blas": f"{blas['name']} {blas['version']}"}

    def prepare(self, case: Case, data: CaseData) -> Calls:
        if case.streaming:
            return prepare_stream(case, data)

        def call() -> Outputs:
            y, tapes = forward(case, data)
            return backward(case, data, y, tapes) if case.training else {"y": y}

        return call, call


def parameters(data: CaseData, suffix: str) -> list[Array]:
    """The four parameters of one layer and direction, such as ``"0_reverse"``."""
    return [data["params"][f"{name}_l{suffix}"] for name in PARAMETERS]


def forward(case: Case, data: CaseData) -> tuple[Array, dict[str, Any]]:
    """The output of the stack, and the tape of each layer and direction."""
    y, tapes = data["x"], {}
    zero = np.zeros((case.N, case.H), case.dtype)
    for layer in range(case.L):
        outputs = []
        for direction in case.suffixes:
            suffix = f"{layer}{direction}"
            output, _, _, tapes[suffix] = reference.forward(
                case.cell, y, zero, zero if case.cell == "lstm" else None, *parameters(data, suffix),
                lengths=data["lengths"], reverse=direction == "_reverse",
            )  # fmt: skip
            outputs.append(output)
        y = outputs[0] if case.D == 1 else np.concatenate(outputs, axis=2)
    return y, tapes


def backward(case: Case, data: CaseData, y: Array, tapes: dict[str, Any]) -> Outputs:
    """The output and all gradients."""
    gradients: Outputs = {"y": y}
    dy = data["dy"]
    for layer in reversed(range(case.L)):
        parts = []
        for k, direction in enumerate(case.suffixes):
            suffix = f"{layer}{direction}"
            half = dy[..., k * case.H : (k + 1) * case.H]
            dx, _, _, *dparams = cast(Any, reference.backward(case.cell, tapes[suffix], half))
            parts.append(dx)
            for name, gradient in zip(PARAMETERS, dparams, strict=True):
                gradients[f"{name}_l{suffix}"] = gradient
        dy = parts[0] if case.D == 1 else parts[0] + parts[1]
    return gradients | {"dx": dy}


def prepare_stream(case: Case, data: CaseData) -> Calls:
    """Single steps that carry the state."""
    zero = np.zeros((case.N, case.H), case.dtype)
    initial = [zero, zero if case.cell == "lstm" else None]
    state = list(initial)

    def call() -> Array:
        y, state[0], state[1], _ = reference.forward(case.cell, data["x"], *state, *parameters(data, "0"))
        return y

    def outputs() -> Outputs:
        state[:] = initial
        return {"y": [call() for _ in range(3)][-1]}

    return call, outputs
