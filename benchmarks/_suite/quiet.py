# SPDX-License-Identifier: BSD-3-Clause
"""Whether other processes were using the machine during a measurement.

The load average looks back over a minute, so this takes the CPU time of the machine minus that of our own processes.
"""

import os
import time
from collections.abc import Callable, Iterable

NOISE = 0.15  # cores; an idle system uses less by itself, and so does the granularity of the clock


def machine_ticks() -> int | None:
    """CPU time of all processes and of the hypervisor, in clock ticks; None if the system does not report it."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return user + nice + system + irq + softirq + steal
    except (OSError, ValueError):
        return None


def process_ticks(pid: int) -> int:
    """CPU time of all threads of a process, in clock ticks; 0 if it no longer exists."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return 0


class CpuWatch:
    """Measures the CPU time of other processes from its creation on.

    Parameters
    ----------
    own_pids : callable
        Returns the ids of our own processes.
    """

    def __init__(self, own_pids: Callable[[], Iterable[int]]) -> None:
        self.own_pids = own_pids
        self.start, self.start_ticks = time.monotonic(), self.other_ticks()

    def other_ticks(self) -> int | None:
        """CPU time of all other processes since the machine started, in clock ticks."""
        total = machine_ticks()
        return None if total is None else total - sum(map(process_ticks, self.own_pids()))

    def cores(self) -> float | None:
        """How many cores the others have used since the start, on average; None if the system does not report it."""
        ticks, seconds = self.other_ticks(), time.monotonic() - self.start
        if ticks is None or self.start_ticks is None:
            return None
        return max(0.0, (ticks - self.start_ticks) / os.sysconf("SC_CLK_TCK") / seconds)
