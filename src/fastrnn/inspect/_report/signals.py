# SPDX-License-Identifier: BSD-3-Clause
"""The curves of a page on signals: the features that a model reads, and its outputs."""

from typing import Any

import numpy as np

from ..._engine.arguments import Array
from .._trace.tokenization import Reading

CURVES = 10  # features, and outputs, that are drawn

Blocks = dict[str, Array]  # the arrays of a page by the id of their element


def signals(reading: Reading, y: Array | None, blocks: Blocks, notes: list[str]) -> dict[str, Any]:
    """The names and units of the curves of a sequence (T, I) and outputs (T, F); their values go to `blocks`.

    Outputs of any other shape, or None, have no curve.
    """
    T, I = reading.x.shape
    names = reading.features or [f"x{k}" for k in range(I)]
    units = reading.units or [""] * I
    F = y.shape[1] if y is not None and y.ndim == 2 and len(y) == T else 0
    blocks["x"] = as_curves(reading.x)
    if y is not None and F:
        blocks["y"] = as_curves(y)
    for what, count in ("features", I), ("outputs", F):
        if count > CURVES:
            notes.append(f"The first {CURVES} of {count} {what} are drawn.")
    shown = min(F, CURVES)
    return {"features": names[:CURVES], "units": units[:CURVES], "outputs": [f"output {k}" for k in range(shown)]}


def as_curves(values: Array) -> Array:
    """The first columns of values (T, n) as float32; what is too large for it becomes infinite, which has no point."""
    with np.errstate(over="ignore"):
        return values[:, :CURVES].astype(np.float32)
