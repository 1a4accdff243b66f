# SPDX-License-Identifier: BSD-3-Clause
"""Measures one contract in this process and prints the figures as JSON."""

import json
import sys

import fastrnn as fr

from . import NAMES, latency, memory


def main() -> None:
    """Measure the contract that the command line names."""
    name, threads = sys.argv[1], int(sys.argv[2])
    if name not in NAMES:
        sys.exit(f"expected one of {', '.join(NAMES)}, got {name}")
    fr.set_num_threads(threads)
    if name.startswith("memory_"):
        figures = memory.peak_memory(name.removeprefix("memory_"), threads)
    else:
        figures = getattr(memory if name == "recompute" else latency, name)(threads)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
