# SPDX-License-Identifier: BSD-3-Clause
"""How fast fastrnn aims to be: the smallest acceptable ratio to the best peer, by class of shapes."""

from typing import Any


def speed_aim(row: dict[str, Any]) -> float | None:
    """The ratio (time of the best peer / time of fastrnn) that a case or step aims at; None if there is no aim.

    Examples
    --------
    >>> speed_aim({"group": "tiny", "cell": "gru", "training": True})
    8
    >>> speed_aim({"group": "steps-language"})
    1.3
    """
    group = row["group"]
    if group.startswith("steps-"):
        return 1 if group == "steps-reservoir" else 1.3
    cell, training = row["cell"], row["training"]
    if group == "resident":
        return {"lstm": 1.5 if training else 1.3}.get(cell, 2)
    if group == "ragged":
        return 10 if cell == "gru" and training else None
    return {"tiny": 8 if training else 2, "small": 1.5, "large": 1.2}.get(group)


def best_peer(row: dict[str, Any]) -> tuple[str, float] | None:
    """Name and ratio of the fastest peer in a case of RESULTS.json; None if no peer was measured.

    NumPy is a baseline rather than a competitor: it counts only if no other peer was measured.
    """
    ratios = {name: figures["ratio"] for name, figures in row["peers"].items() if "ratio" in figures}
    if len(ratios) > 1:
        ratios.pop("numpy", None)
    return min(ratios.items(), key=lambda item: item[1]) if ratios else None
