# SPDX-License-Identifier: BSD-3-Clause
"""How fast fastrnn wants to be: the least ratio to the best peer, by class of shapes."""


def speed_aim(row):
    """The least ratio (best peer / fastrnn) that a case of RESULTS.json aims at, or None.

    Examples
    --------
    >>> speed_aim({"group": "tiny", "cell": "gru", "training": True})
    8
    """
    group, cell, training = row["group"], row["cell"], row["training"]
    if group == "resident":
        return {"lstm": 1.5 if training else 1.3}.get(cell, 2)
    if group == "ragged":
        return 10 if cell == "gru" and training else None
    return {"tiny": 8 if training else 2, "small": 1.5, "large": 1.2}.get(group)


def best_peer(row):
    """Name and ratio of the fastest peer of a case of RESULTS.json, or None where there is none.

    NumPy is a yardstick rather than a peer: it counts only where nobody else was measured.
    """
    ratios = {name: of["ratio"] for name, of in row["peers"].items() if "ratio" in of}
    if len(ratios) > 1:
        ratios.pop("numpy", None)
    return min(ratios.items(), key=lambda item: item[1]) if ratios else None
