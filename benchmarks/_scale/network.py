# SPDX-License-Identifier: BSD-3-Clause
"""The latency and the bandwidth of exchanges between two processes: measured here, and published of clusters."""

import time
from typing import Any, NamedTuple

import numpy as np

import fastrnn as fr

from .model import Network

SMALL, LARGE = 64, 1 << 24  # bytes
REPEATS = 200

# Of single messages between two machines, as their sources give them.
PUBLISHED = {
    # Hurwitz and Feng, "Initial end-to-end performance evaluation of 10-Gigabit Ethernet", Hot Interconnects 2003
    "10 GbE, TCP": Network(20e-6, 4e9 / 8),
    # Squyres, "MPI over 40Gb Ethernet", blogs.cisco.com/performance/mpi-over-40gb-ethernet: Open MPI 1.8.1, usNIC
    "40 GbE, kernel bypass": Network(1.93e-6, 37.23e9 / 8),
    # Lenovo Press LP1195, ConnectX-6: "up to 200 Gb/s ... at sub-600 nanosecond latency"
    "InfiniBand HDR": Network(0.6e-6, 200e9 / 8),
}


class Exchange(NamedTuple):
    """Of two processes of one machine.

    Attributes
    ----------
    latency : float
        Seconds of an exchange of a few bytes.
    bandwidth : float
        Bytes per second in each direction, of many.
    processor, per_byte : float
        Processor time of one of them: of each exchange, and for each byte that it sends and receives.
    """

    latency: float
    bandwidth: float
    processor: float
    per_byte: float

    @property
    def copying(self) -> Network:
        """The network of which a process pays the copying, and not the waiting."""
        return Network(0.0, 1 / self.per_byte)

    @property
    def waiting(self) -> Network:
        """The network of which a process waits for both messages of an exchange."""
        return Network(max(self.latency - self.processor, 0.0) / 2, self.bandwidth)


def exchange_times(communicator: fr.distributed.Communicator) -> Exchange:
    """Between ranks 0 and 1: the least of many exchanges."""
    least: list[Any] = []
    for size, repeats in (SMALL, REPEATS), (LARGE, REPEATS // 10):
        data, times = np.ones(size, np.uint8), []
        for _ in range(repeats):
            start = time.perf_counter(), time.thread_time()
            communicator.exchange(data, 1 - communicator.rank)
            times.append((time.perf_counter() - start[0], time.thread_time() - start[1]))
        least.append(np.min(times, axis=0))
    (short, short_used), (long, long_used) = least
    count = LARGE - SMALL
    return Exchange(float(short), count / float(long - short), float(short_used), float(long_used - short_used) / count)
