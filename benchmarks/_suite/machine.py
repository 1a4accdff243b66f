# SPDX-License-Identifier: BSD-3-Clause
"""The machine and the software of a run: timings mean nothing without them."""

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from typing import Any

import fastrnn as fr
from fastrnn import _core

from . import cpus
from .roof import cache_sizes


def cpu_name() -> str:
    """The name of the processor, as the system reports it."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str | None:
    """The commit of the working directory if that is the source tree of fastrnn, else None."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        if not os.path.exists("csrc/fastrnn.h"):
            return None
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def describe(threads: Sequence[int], arguments: Sequence[str]) -> dict[str, Any]:
    """Describe the machine, the engine in use, and the command of the run.

    Parameters
    ----------
    threads : sequence of int
        The numbers of threads that are measured.
    arguments : sequence of str
        The command line.
    """
    return {
        "cpu": cpu_name(),
        "kind": cpus.kind(),
        "cores": usable_cores(),
        "threads": list(threads),
        "cache_bytes": cache_sizes(),
        "isa": _core.get_isa(),
        "openmp": _core.openmp(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "fastrnn": fr.__version__,
        "commit": commit(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m fastrnn.benchmarks", *arguments]),
    }
