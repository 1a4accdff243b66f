# SPDX-License-Identifier: BSD-3-Clause
"""Did anybody else use the machine meanwhile?

Not by the load average, which looks back over a minute: by the CPU time of the machine less that of our own processes.
"""

import os
import time

NOISE = 0.15  # cores; what an idle system does by itself is less, and so is the clock's grain over a case


def machine_ticks():
    """CPU time that all processes have used, and what a hypervisor has taken; None where that is not known."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return user + nice + system + irq + softirq + steal
    except (OSError, ValueError):
        return None


def process_ticks(pid):
    """CPU time of all threads of a process; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    except OSError:
        return 0


class Watch:
    """Begins when it is made.

    Parameters
    ----------
    pids : callable
        Returns our own processes.
    """

    def __init__(self, pids):
        self.pids = pids
        self.start, self.before = time.monotonic(), self.ticks()

    def ticks(self):
        total = machine_ticks()
        return None if total is None else total - sum(map(process_ticks, self.pids()))

    def cores(self):
        """How many cores others have used since, on average; None where that is not known."""
        now, seconds = self.ticks(), time.monotonic() - self.start
        if now is None or self.before is None:
            return None
        return max(0.0, (now - self.before) / os.sysconf("SC_CLK_TCK") / seconds)
