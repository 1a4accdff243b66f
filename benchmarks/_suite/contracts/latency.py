# SPDX-License-Identifier: BSD-3-Clause
"""Contracts about time: what a call costs, and what slows it down."""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import fastrnn as fr

from .. import peers
from ..blocks import percentile, time_block
from ..cases import Case, make_data

Figures = dict[str, float]

SECONDS = 0.5  # of calls for one figure
STEPS = 100
STREAM_SIZES = (8, 16, 32, 64, 128, 256, 512)
LONG_SEQUENCE = Case("contracts", "lstm", 1000, 1, 256, 256)
BATCH = Case("contracts", "lstm", 100, 32, 128, 128)


def median_seconds(call: Callable[[], object], seconds: float = SECONDS / 5) -> float:
    """The median duration of a call."""
    return statistics.median(time_block(call, seconds, min(time_block(call, 0.002, 1))))


def summarize(samples: Sequence[float]) -> Figures:
    """Median and 95th percentile."""
    return {"median_seconds": statistics.median(samples), "p95_seconds": percentile(samples, 95)}


def measure_spread(call: Callable[[], object]) -> Figures:
    """Median and 95th percentile of one call after another."""
    return summarize(time_block(call, SECONDS * 2, 1))


def relate(figures: Figures, usual: Figures) -> Figures:
    """The figures, and their ratios to the usual ones."""
    return figures | {
        "median_ratio": figures["median_seconds"] / usual["median_seconds"],
        "p95_ratio": figures["p95_seconds"] / usual["p95_seconds"],
    }


def prepare_call(case: Case, threads: int) -> Callable[[], object]:
    """A call of fastrnn that has been made once."""
    call, _ = peers.load("fastrnn", threads).prepare(case, make_data(case))
    call()
    return call


def call_cost(threads: int) -> dict[str, dict[str, Figures]]:
    """The time of a call beyond that of its kernel.

    The kernel of one step is the slope of ``layer(x)`` in T, between T=1 and T=101. The input size is 1, so that the
    input projection does not count, which a longer call computes for many steps at once. The cost is the remainder of a
    call with T=1, and of each step of a block of 100.
    """
    costs: dict[str, dict[str, Figures]] = {"lstm_call": {}, "stream_step": {}, "stream_steps": {}}
    for H in STREAM_SIZES:
        layer, x = fr.LSTM(1, H, seed=0), np.ones((1 + STEPS, 1, 1), np.float32)
        single = median_seconds(partial(layer, x[:1].copy()))
        kernel = (median_seconds(partial(layer, x)) - single) / STEPS
        stream, out = layer.stream(), np.empty((1, H), np.float32)
        step = median_seconds(partial(stream.step, x[0], out=out))
        block = median_seconds(partial(stream.steps, x[1:], out=np.empty((STEPS, 1, H), np.float32))) / STEPS
        for name, seconds in (("lstm_call", single), ("stream_step", step), ("stream_steps", block)):
            costs[name][str(H)] = {
                "call_seconds": seconds,
                "kernel_seconds": kernel,
                "above_seconds": seconds - kernel,
            }
    return costs


@contextlib.contextmanager
def busy_process() -> Iterator[None]:
    """A process that keeps one core busy."""
    core = max(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def busy_neighbour(threads: int) -> dict[str, Figures]:
    """An LSTM of 1000 steps while another process keeps one of the cores busy, relative to an idle machine."""
    call = prepare_call(LONG_SEQUENCE, threads)
    quiet = measure_spread(call)
    if not hasattr(os, "sched_setaffinity"):
        return {"quiet": quiet}
    with busy_process():
        time_block(call, SECONDS / 2, 1)  # until the other process has started
        busy = measure_spread(call)
    return {"quiet": quiet, "busy": relate(busy, quiet)}


def after_pause(threads: int) -> dict[str, Figures]:
    """The first call after a pause in which the threads fell asleep, relative to calls without pauses."""
    call = prepare_call(BATCH, threads)
    steady, samples = measure_spread(call), []
    for _ in range(30):
        time.sleep(0.1)
        samples += time_block(call, 0, 1)
    return {"steady": steady, "after 0.1 s": relate(summarize(samples), steady)}


def denormals(threads: int) -> dict[str, Figures]:
    """Inputs, states and thus products around 1e-39, relative to values around 1."""
    layer = fr.RNN(128, 128, nonlinearity="identity", bias=False, seed=0)
    x = np.random.default_rng(0).standard_normal((100, 8, 128)).astype(np.float32)
    tiny = (x * np.float32(1e-39)).astype(np.float32)
    fr.set_num_threads(threads)
    for _ in range(3):
        layer(x)
        layer(tiny)
    normal = measure_spread(lambda: layer(x))
    return {"normal": normal, "denormal": relate(measure_spread(lambda: layer(tiny)), normal)}


def beside_torch(threads: int) -> dict[str, Any]:
    """Calls that alternate with calls of PyTorch in the same process, relative to calls before PyTorch was imported."""
    call = prepare_call(LONG_SEQUENCE, threads)
    alone = measure_spread(call)
    if peers.missing_packages("torch"):
        return {"alone": alone, "skipped": "torch is not installed"}
    torch = peers.load("torch", threads)
    torch_call, _ = torch.prepare(LONG_SEQUENCE, make_data(LONG_SEQUENCE))
    samples = []
    with torch.timing(LONG_SEQUENCE):
        for _ in range(3):
            torch_call()
        for _ in range(20):
            torch_call()
            samples += time_block(call, 0, 1)
    return {"alone": alone, "beside": relate(summarize(samples), alone)}
