# SPDX-License-Identifier: BSD-3-Clause
"""Timing blocks of calls within one process."""

import gc
import os
import time
from collections.abc import Callable, Sequence

SHORT = 100e-6  # seconds; faster calls are timed in groups that take this long, so that reading the clock costs nothing
LONGEST_REST = 0.3  # seconds
LONGEST_WARM_UP = 0.04  # seconds
WARM = 1.5  # a call that takes at most this many times the usual duration is warm


def percentile(samples: Sequence[float], percent: int) -> float:
    """The smallest sample that is at least as large as `percent` % of the samples."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def time_block(call: Callable[[], object], seconds: float, once: float) -> list[float]:
    """Time calls for at least `seconds`, and at least one call.

    Parameters
    ----------
    call : callable
    seconds : float
    once : float
        The approximate duration of a call, in seconds.

    Returns
    -------
    list of float
        Seconds of each call; if `once` is below 100 us, the mean of each group of calls that takes about 100 us.
    """
    inner = 1 if once >= SHORT else max(1, round(SHORT / max(once, 1e-8)))
    samples, clock, repeat = [], time.perf_counter, range(inner)
    gc_was_enabled = gc.isenabled()
    gc.disable()
    try:
        end = clock() + seconds
        while not samples or clock() < end:
            start = clock()
            for _ in repeat:
                call()
            samples.append((clock() - start) / inner)
    finally:
        if gc_was_enabled:
            gc.enable()
    return samples


def warm_up(call: Callable[[], object], usual: float) -> None:
    """Make calls until one takes about the usual time, in seconds.

    The first calls after a pause may be several times slower, while sleeping threads wake up on one core; see
    `after_pause` in the contracts.
    """
    clock = time.perf_counter
    end = clock() + LONGEST_WARM_UP
    while True:
        start = clock()
        call()
        if clock() - start <= WARM * usual or clock() > end:
            return


def running_threads() -> int | None:
    """How many other threads of this process are running or ready to run; None if the system does not report it.

    The CPU time of the process would not do: the kernel updates that of other threads only at its ticks, which are
    milliseconds apart.
    """
    try:
        states = []
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/stat") as file:
                states.append(file.read().rpartition(")")[2].split()[0])
        return states.count("R") - 1
    except OSError:
        return None


def wait_until_idle() -> None:
    """Wait until the threads of this process have stopped spinning and cannot disturb the next peer.

    NumPy's OpenBLAS and ONNX Runtime spin for tens of milliseconds after a call, during which the barriers of another
    library are several times slower.
    """
    end, idle = time.monotonic() + LONGEST_REST, 0
    while idle < 3 and time.monotonic() < end:
        time.sleep(0.001)
        idle = idle + 1 if running_threads() == 0 else 0
