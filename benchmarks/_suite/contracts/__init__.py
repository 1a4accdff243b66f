# SPDX-License-Identifier: BSD-3-Clause
"""What fastrnn promises apart from throughput: cheap calls, no performance cliffs, and training in little memory.

Each figure comes from a process of its own: ``python -m fastrnn.benchmarks._suite.contracts NAME THREADS`` prints it as
JSON.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

from .. import peers

NAMES = (
    "call_cost", "busy_neighbour", "after_pause", "denormals", "beside_torch", "recompute", "memory_fastrnn",
    "memory_torch",
)  # fmt: skip


def measure_one(name: str, threads: int, limit: float) -> dict[str, Any]:
    """Measure one contract in a process of its own; an ``error`` with its reason if that fails."""
    if name == "memory_torch" and peers.missing_packages("torch"):
        return {"skipped": "torch is not installed"}
    command = [sys.executable, "-m", __package__ or __name__, name, str(threads)]
    env = peers.environment("torch" if name == "memory_torch" else "fastrnn", threads)
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=env)
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {limit:g} s"}
    if process.returncode == 0:
        return json.loads(process.stdout)
    lines = process.stderr.strip().splitlines()
    return {"error": lines[-1] if lines else f"the process ended with code {process.returncode}"}


def measure(
    threads: int, limit: float = 120, progress: Callable[[Iterable[str]], Iterable[str]] = iter
) -> dict[str, dict[str, Any]]:
    """Measure all contracts.

    Parameters
    ----------
    threads : int
    limit : float
        Seconds that each may take, default 120.
    progress : callable, optional
        Wraps the iteration over the names, like `tqdm`.
    """
    return {name: measure_one(name, threads, limit) for name in progress(NAMES)}
