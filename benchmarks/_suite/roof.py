# SPDX-License-Identifier: BSD-3-Clause
"""The roof of the machine, as in the roofline model, and the bound that it sets for a case.

It is measured anew in every run, with the engine in use.
"""

import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import _core

from .cases import Case

Roof = dict[str, Any]

REPEATS = 5  # measurements of a rate, of which the median is taken
SECONDS = 0.02  # approximate duration of one measurement
DEFAULT_CACHES = {"L1": 32 << 10, "L2": 1 << 20, "L3": 16 << 20}  # bytes, used if the system does not report them
DTYPES = ("float32", "float64")
STEADY = 0.1  # a rate that differs by more between the start and the end of a run has moved
NAMES = {"fma_gflops": "multiply-adds,", "read_gbs": "reading"}


def cache_sizes(folder: str | Path = "/sys/devices/system/cpu/cpu0/cache") -> dict[str, int]:
    """Bytes of the data caches of the first core, by level."""
    sizes = dict(DEFAULT_CACHES)
    for index in Path(folder).glob("index*"):
        try:
            level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
            if kind != "Instruction" and f"L{level}" in sizes:
                sizes[f"L{level}"] = int(size[:-1]) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[size[-1]]
        except (OSError, ValueError, KeyError):
            continue
    return sizes


def memory_bytes() -> int:
    """Bytes of main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def working_sets(threads: int) -> dict[str, int]:
    """Bytes that each thread reads to measure a level: well within that level, and too many for the one below it."""
    caches = cache_sizes()
    dram = min(4 * caches["L3"], memory_bytes() // 8) // threads
    return {"L1": caches["L1"] // 2, "L2": caches["L2"] // 2, "L3": caches["L3"] // (4 * threads), "DRAM": dram}


def rate(probe: str, dtype: int, nbytes: int, threads: int) -> float:
    """Work per second of one of the engine's probes: the median of several runs, each long enough for the clock."""
    repeats, seconds = 1, 0.0
    while seconds < SECONDS / 4:
        repeats *= 4
        seconds, _ = _core.probe(probe, dtype, nbytes, repeats, threads)
    repeats = max(1, round(repeats * SECONDS / seconds))
    results = [_core.probe(probe, dtype, nbytes, repeats, threads) for _ in range(REPEATS)]
    return statistics.median(work / seconds for seconds, work in results)


def measure(threads: Sequence[int]) -> Roof:
    """Measure the roof for each number of threads.

    Returns
    -------
    dict
        ``fma_gflops[dtype][threads]``, ``read_gbs[level][threads]`` (GB/s of all threads together) and
        ``barrier_seconds[threads]``, where the number of threads is a string, as in JSON; ``cache_bytes[level]``.
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


def moved(before: Roof, after: Roof) -> dict[str, float]:
    """The rates that are not what they were at the start of a run, by name; and how many times that they are now."""
    pairs = {}
    for what in "fma_gflops", "read_gbs":
        for level, rates in before[what].items():
            for n, rate in rates.items():
                pairs[f"{NAMES[what]} {level}, {n} thread{'s' if n != '1' else ''}"] = after[what][level][n] / rate
    return {name: ratio for name, ratio in pairs.items() if abs(ratio - 1) > STEADY}


def bandwidth(roof: Roof, nbytes: float, threads: int) -> float:
    """Bytes per second of each thread when it streams `nbytes` of its own, from the level that holds them."""
    sharing = {"L1": 1, "L2": 1, "L3": threads}
    for level, users in sharing.items():
        if nbytes <= roof["cache_bytes"][level] / users:
            return roof["read_gbs"][level][str(threads)] * 1e9 / threads
    return roof["read_gbs"]["DRAM"][str(threads)] * 1e9 / threads


def step_seconds(roof: Roof, case: Case, rows: NDArray[Any], threads: int, split: str) -> NDArray[Any]:
    """Seconds of the recurrent product of each step, for one layer and direction.

    Parameters
    ----------
    rows : array (T,)
        The number of rows that run at each step.
    split : {"units", "rows"}
        What the threads divide. With ``"units"`` each reads its part of the weights, and they wait for each other
        after the step. With ``"rows"`` each reads all weights, and they do not wait.
    """
    weights = case.gates * case.H * case.H
    fma = roof["fma_gflops"][case.dtype][str(threads)] * 1e9
    nbytes = weights * np.dtype(case.dtype).itemsize / (threads if split == "units" else 1)
    barrier = roof["barrier_seconds"][str(threads)] if split == "units" and threads > 1 else 0
    return np.maximum(2 * rows * weights / fma, nbytes / bandwidth(roof, nbytes, threads)) + barrier


def bound(case: Case, roof: Roof) -> float:
    """The fewest seconds that the roof allows for a case.

    Only two things count: the products, and reading the recurrent weights once per step. The input projection of all
    steps is one product at the multiply-add rate. A step takes as long as its product, or as long as reading the
    weights from the level that holds a thread's part, whichever is longer. The threads are assumed to work in the best
    way: one thread alone; all threads, each with its part of the units and a barrier per step; or all threads, each
    with its part of the rows (or one of the directions). Training takes three times the projection, the gradient of the
    recurrent weights as one product, and every step twice.

    Not counted are activations, memory traffic for x, y, gates and weight gradients, and the call itself. So no kernel
    reaches 100 %.
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
    gate_units = case.gates * case.H * case.D
    projection = sum(2 * rows * gate_units * I for I in case.input_sizes) / fma
    recurrent = 2 * rows * gate_units * case.H * case.L / fma
    return 3 * projection + recurrent + 2 * steps if case.training else projection + steps
