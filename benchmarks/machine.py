# SPDX-License-Identifier: BSD-3-Clause
"""Where a run took place: numbers without that are not numbers."""

import datetime
import os
import platform
import subprocess

import fastrnn as fr
from fastrnn import _core

from .roof import cache_sizes


def cpu_name():
    """As the system calls it."""
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def usable_cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit():
    """The commit of the working directory if it is fastrnn's tree, else None."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        if not os.path.exists("csrc/fastrnn.h"):
            return None
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def describe(threads, versions, arguments):
    """The machine, the engine in use, versions, and how the run was asked for.

    Parameters
    ----------
    threads : list of int
    versions : dict of str to dict
        Of each peer.
    arguments : list of str
    """
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "threads": list(threads),
        "cache_bytes": cache_sizes(),
        "isa": _core.get_isa(),
        "openmp": _core.openmp(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "fastrnn": fr.__version__,
        "commit": commit(),
        "versions": versions,
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m fastrnn.benchmarks", *arguments]),
    }
