# SPDX-License-Identifier: BSD-3-Clause
"""Contracts about memory: what a training step needs, and what it costs in time to need less."""

from functools import partial
from typing import Any

import fastrnn as fr

from .. import peers
from ..cases import Array, Case, make_data
from ..peers.fastrnn import make_layer
from .latency import measure_spread, relate

WARM_UP = Case("contracts", "lstm", 2, 1, 16, 16, training=True)  # loads what a first call loads
LONG = Case("contracts", "lstm", 10_000, 1, 64, 128, training=True)
STEP = Case("contracts", "lstm", 100, 32, 128, 128, training=True)


def resident_bytes(key: str) -> int:
    """Bytes of this process in memory, from Linux: now (VmRSS) or at the peak (VmHWM)."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(key))


def peak_memory(name: str, threads: int) -> dict[str, int]:
    """Peak memory of a peer's training step beyond what the process had before, in bytes."""
    peer = peers.load(name, threads)
    peer.prepare(WARM_UP, make_data(WARM_UP))[0]()
    data = make_data(STEP)
    call, _ = peer.prepare(STEP, data)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # reset the peak, which may be that of making the data
        before = resident_bytes("VmRSS")
        call()
        figures = {"step_bytes": resident_bytes("VmHWM") - before}
    except OSError:
        import resource

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        figures = {"step_bytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10}
    if name == "fastrnn":
        _, _, tape = make_layer(STEP, data["params"]).forward(data["x"])
        figures["tape_bytes"] = tape.nbytes
    return figures


def step(layer: fr.LSTM, x: Array, dy: Array) -> int:
    """A training step without the optimizer; returns the bytes of its tape."""
    _, _, tape = layer.forward(x)
    nbytes = tape.nbytes
    layer.backward(tape, dy)
    return nbytes


def recompute(threads: int) -> dict[str, Any]:
    """A training step on a long sequence that keeps every gate, and one that recomputes them."""
    data, figures = make_data(LONG), {}
    for name, again in (("keeping", False), ("recomputing", True)):
        call = partial(step, fr.LSTM(LONG.I, LONG.H, recompute=again, seed=0), data["x"], data["dy"])
        figures[f"{name}, tape_bytes"] = call()
        figures[name] = measure_spread(call)
    figures["recomputing"] = relate(figures["recomputing"], figures["keeping"])
    return figures
