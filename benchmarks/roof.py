# SPDX-License-Identifier: BSD-3-Clause
"""What the machine allows, measured in the same run by the engine in use, and what that means for a case."""

import os
import statistics
from pathlib import Path

import numpy as np

from fastrnn import _core

from .cases import GATES

TIMES = 5  # the median of these
SECONDS = 0.02  # each, about
DEFAULT_CACHES = {"L1": 32 << 10, "L2": 1 << 20, "L3": 16 << 20}  # bytes, where the system does not say
DTYPES = ("float32", "float64")


def cache_sizes(folder="/sys/devices/system/cpu/cpu0/cache"):
    """Bytes of the data caches that the first core sees, by level."""
    sizes = dict(DEFAULT_CACHES)
    for index in Path(folder).glob("index*"):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction" and f"L{level}" in sizes:
                sizes[f"L{level}"] = int(size[:-1]) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[size[-1]]
        except (OSError, ValueError, KeyError):
            continue
    return sizes


def memory_bytes():
    """Of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def working_sets(threads):
    """Bytes that each thread reads, by level: well inside the level, and too many for the one before."""
    caches = cache_sizes()
    dram = min(4 * caches["L3"], memory_bytes() // 8) // threads
    return {"L1": caches["L1"] // 2, "L2": caches["L2"] // 2, "L3": caches["L3"] // (4 * threads), "DRAM": dram}


def rate(what, dtype, nbytes, threads):
    """Work per second: the median of several, each long enough for the clock."""
    repeats, seconds, work = 1, 0.0, 0.0
    while seconds < SECONDS / 4:
        repeats *= 4
        seconds, work = _core.probe(what, dtype, nbytes, repeats, threads)
    repeats = max(1, round(repeats * SECONDS / seconds))
    results = [_core.probe(what, dtype, nbytes, repeats, threads) for _ in range(TIMES)]
    return statistics.median(work / seconds for seconds, work in results)


def measure(threads):
    """The roof for each of the thread counts.

    Returns
    -------
    dict
        ``fma_gflops[dtype][threads]``, ``read_gbs[level][threads]`` (GB/s of all threads together) and
        ``barrier_seconds[threads]``; thread counts are strings, as JSON has them. ``cache_bytes`` by level.
    """
    counts = sorted({1, *threads})
    return {
        "fma_gflops": {
            dtype: {str(n): rate("fma", k, 4096, n) * 1e-9 for n in counts} for k, dtype in enumerate(DTYPES)
        },
        "read_gbs": {
            level: {str(n): rate("read", 0, working_sets(n)[level], n) * 1e-9 for n in counts}
            for level in ("L1", "L2", "L3", "DRAM")
        },
        "barrier_seconds": {str(n): 1 / rate("barrier", 0, 4096, n) for n in counts if n > 1},
        "cache_bytes": cache_sizes(),
    }


def bandwidth(roof, nbytes, threads):
    """Bytes per second of each thread when it streams `nbytes` of its own, from the level that holds them."""
    share = {"L1": 1, "L2": 1, "L3": threads}
    for level, users in share.items():
        if nbytes <= roof["cache_bytes"][level] / users:
            return roof["read_gbs"][level][str(threads)] * 1e9 / threads
    return roof["read_gbs"]["DRAM"][str(threads)] * 1e9 / threads


def step_seconds(roof, case, rows, threads, split):
    """One step of one layer and direction, its recurrent product alone.

    `split` says what the threads divide: "units", each with its part of the weights, and they meet after the step; or
    "rows", each with all weights, and they need not meet.
    """
    weights = GATES[case.cell] * case.H * case.H
    fma = roof["fma_gflops"][case.dtype][str(threads)] * 1e9
    nbytes = weights * np.dtype(case.dtype).itemsize / (threads if split == "units" else 1)
    meeting = roof["barrier_seconds"][str(threads)] if split == "units" and threads > 1 else 0
    return np.maximum(2 * rows * weights / fma, nbytes / bandwidth(roof, nbytes, threads)) + meeting


def bound(case, roof):
    """The seconds that the roof allows, at least, for a case.

    Counted are the products alone, and reading the recurrent weights once per step: the input projection of all steps
    is one product at the rate of multiply-adds, and a step takes the time of its product or that of reading the weights
    from the level that holds a thread's part, whichever is longer. The best way to use the threads is assumed: one of
    them; all, each with its part of the units, and a barrier per step; or all, each with its part of the rows (or with
    one of the directions). Training
    is three times the projection, the gradient of the recurrent weights as one product, and every step twice. Nothing
    is counted for activations, for reading x or writing y, gates and gradients of the weights to memory, nor for the
    call: so no kernel reaches 100 %.
    """
    threads = case.threads
    running = case.running[case.running > 0]
    fma = roof["fma_gflops"][case.dtype][str(threads)] * 1e9
    rows = int(running.sum())
    plans = [step_seconds(roof, case, running, 1, "rows")]
    if threads > 1:
        plans.append(step_seconds(roof, case, running, threads, "units"))
        if case.N * case.D >= threads:
            plans.append(step_seconds(roof, case, running, threads, "rows"))
    steps = min(float(plan.sum()) for plan in plans) * case.D * case.L
    gates = GATES[case.cell] * case.H * case.D
    projection = sum(2 * rows * gates * I for I in case.input_sizes) / fma
    recurrent = 2 * rows * gates * case.H * case.L / fma
    return 3 * projection + recurrent + 2 * steps if case.training else projection + steps
