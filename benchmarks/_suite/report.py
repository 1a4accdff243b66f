# SPDX-License-Identifier: BSD-3-Clause
"""The results of a run: RESULTS.json, which is complete, and RESULTS.md, which is meant to be read."""

import errno
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastrnn.inspect._report.files import read_json
from fastrnn.io._files import replace

from .cases import Case
from .markdown import markdown
from .roof import Roof, bound
from .steps.cases import Step

FORMAT = 1  # of RESULTS.json


def make_document(
    results: Iterable[tuple[Case | Step, dict[str, Any], float | None]],
    roof: Roof,
    machine: dict[str, Any],
    contracts: dict[str, Any],
    **others: Any,
) -> dict[str, Any]:
    """Collect everything that was measured, as plain values.

    Parameters
    ----------
    results : iterable of (Case or Step, dict, float or None)
        As returned by `run.measure_all`.
    roof, machine, contracts : dict
        As returned by `roof.measure`, `machine.describe` and `contracts.measure`.
    **others
        ``roof_after``: the roof at the end of the run. ``accelerated``: as returned by `accelerated.measure_apart`.
    """
    rows, whole = [], []
    for case, figures, cores in results:
        if isinstance(case, Step):
            row = asdict(case) | {"name": case.name, "group": case.group, "shape": case.shape}
            whole.append(row | {"elsewhere_cores": cores, "peers": figures})
            continue
        least = bound(case, roof)
        ours = figures.get("fastrnn", {})
        if "median_seconds" in ours:
            ours["roof_fraction"] = least / ours["median_seconds"]
        row = asdict(case) | {"name": case.name, "shape": case.shape, "flop": case.flop}
        row |= {"rows": int(case.running.sum()), "bound_seconds": least, "elsewhere_cores": cores}
        rows.append(row | {"peers": figures})
    document = {"format": FORMAT, "machine": machine, "roof": roof, "results": rows, "contracts": contracts}
    return document | {"steps": whole} | others


def check_folder(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    """Make a folder for results, or raise OSError or ValueError if there is something else in it under their names.

    Results of an earlier run are replaced: RESULTS.json tells them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    if overwrite:
        return
    try:
        ours = is_document(read_json(str(folder / "RESULTS.json")))
    except (OSError, ValueError):
        ours = False
    for path in (folder / name for name in names):
        if os.path.lexists(path) and not (ours and path.is_file() and not path.is_symlink()):
            raise ValueError(f"--out: {path} is no result of an earlier run; --overwrite replaces it")


def is_document(value: Any) -> bool:
    """Whether something is a document of this format."""
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        return False
    machine, rows = value.get("machine"), value.get("results")
    return (
        isinstance(machine, dict)
        and isinstance(machine.get("isa"), str)
        and isinstance(machine.get("threads"), list)
        and isinstance(rows, list)
        and all(isinstance(row, dict) and "name" in row and isinstance(row.get("peers"), dict) for row in rows)
    )


def write(document: dict[str, Any], folder: Path) -> None:
    """Write RESULTS.json and RESULTS.md into a folder."""
    for name, text in ("RESULTS.json", json.dumps(document, indent=1) + "\n"), ("RESULTS.md", markdown(document)):
        replace(str(folder / name), text.encode())
