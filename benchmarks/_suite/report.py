# SPDX-License-Identifier: BSD-3-Clause
"""The results of a run: RESULTS.json, which is complete, and RESULTS.md, which is meant to be read."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .cases import Case
from .markdown import markdown
from .roof import Roof, bound

FORMAT = 1  # of RESULTS.json


def make_document(
    results: Iterable[tuple[Case, dict[str, Any], float | None]],
    roof: Roof,
    machine: dict[str, Any],
    contracts: dict[str, Any],
) -> dict[str, Any]:
    """Collect everything that was measured, as plain values.

    Parameters
    ----------
    results : iterable of (Case, dict, float or None)
        As returned by `run.measure_all`.
    roof, machine, contracts : dict
        As returned by `roof.measure`, `machine.describe` and `contracts.measure`.
    """
    rows = []
    for case, figures, cores in results:
        least = bound(case, roof)
        ours = figures.get("fastrnn", {})
        if "median_seconds" in ours:
            ours["roof_fraction"] = least / ours["median_seconds"]
        row = asdict(case) | {"name": case.name, "shape": case.shape, "flop": case.flop}
        row |= {"rows": int(case.running.sum()), "bound_seconds": least, "elsewhere_cores": cores}
        rows.append(row | {"peers": figures})
    return {"format": FORMAT, "machine": machine, "roof": roof, "results": rows, "contracts": contracts}


def write(document: dict[str, Any], folder: Path) -> None:
    """Write RESULTS.json and RESULTS.md into a folder."""
    (folder / "RESULTS.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(markdown(document), encoding="utf-8")
