# SPDX-License-Identifier: BSD-3-Clause
"""What is promised beside speed: a call costs little, nothing falls off a cliff, a training step needs little memory.

Each figure comes from a process of its own: ``python -m fastrnn.benchmarks.contracts NAME THREADS`` prints it as JSON.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from functools import partial

import numpy as np

import fastrnn as fr

from . import peers
from .cases import Case, data
from .run import percentile
from .worker import time_block

SECONDS = 0.5  # of calls for one figure
STEPS = 100
STREAM_SIZES = (8, 16, 32, 64, 128, 256, 512)
NEIGHBOUR = Case("contracts", "lstm", 1000, 1, 256, 256)
PAUSED = Case("contracts", "lstm", 100, 32, 128, 128)
WARM_UP = Case("contracts", "lstm", 2, 1, 16, 16, training=True)  # loads what a first call loads
LONG = Case("contracts", "lstm", 10_000, 1, 64, 128, training=True)
MEMORY = Case("contracts", "lstm", 100, 32, 128, 128, training=True)


def median(call, seconds=SECONDS / 5):
    """Median seconds of a call."""
    return statistics.median(time_block(call, seconds, min(time_block(call, 0.002, 1))))


def call_cost(threads):
    """What a call costs above its kernel.

    The kernel of one step is the slope of ``layer(x)`` in T, between T=1 and T=101; I=1, so that the input projection,
    which a longer call does for many steps at once, does not count. What is left of a call with T=1 is the cost.
    """
    found = {"lstm_call": {}, "stream_step": {}}
    for H in STREAM_SIZES:
        layer, x = fr.LSTM(1, H, seed=0), np.ones((1 + STEPS, 1, 1), np.float32)
        first = x[:1].copy()
        short = median(partial(layer, first))
        kernel = (median(partial(layer, x)) - short) / STEPS
        stream, out = layer.stream(), np.empty((1, H), np.float32)
        step = median(partial(stream.step, x[0], out=out))
        found["lstm_call"][str(H)] = {
            "call_seconds": short, "kernel_seconds": kernel, "above_seconds": short - kernel,
        }  # fmt: skip
        found["stream_step"][str(H)] = {
            "call_seconds": step, "kernel_seconds": kernel, "above_seconds": step - kernel,
        }  # fmt: skip
    return found


@contextlib.contextmanager
def neighbour():
    """A process that is busy on one core."""
    core = max(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}])\nwhile True: pass"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def spread(call):
    samples = time_block(call, SECONDS * 2, 1)
    return {"median_seconds": statistics.median(samples), "p95_seconds": percentile(samples, 95)}


def over(found, quiet):
    """Both figures over the quiet ones."""
    return found | {"median_ratio": found["median_seconds"] / quiet["median_seconds"],
                    "p95_ratio": found["p95_seconds"] / quiet["p95_seconds"]}  # fmt: skip


def busy_neighbour(threads):
    """An LSTM of 1000 steps beside a foreign process that is busy on one of the cores, over the same in quiet."""
    case = NEIGHBOUR
    call, _ = peers.load("fastrnn", threads).prepare(case, data(case))
    call()
    quiet = spread(call)
    if not hasattr(os, "sched_setaffinity"):
        return {"quiet": quiet}
    with neighbour():
        time_block(call, SECONDS / 2, 1)  # the neighbour has started
        busy = spread(call)
    return {"quiet": quiet, "busy": over(busy, quiet)}


def after_pause(threads):
    """The first call after a pause in which the threads fell asleep, over one call after the other."""
    case = PAUSED
    call, _ = peers.load("fastrnn", threads).prepare(case, data(case))
    call()
    steady, first = spread(call), []
    for _ in range(30):
        time.sleep(0.1)
        first += time_block(call, 0, 1)
    found = {"median_seconds": statistics.median(first), "p95_seconds": percentile(first, 95)}
    return {"steady": steady, "after 0.1 s": over(found, steady)}


def denormals(threads):
    """Inputs, states and so products of the size 1e-39, over the same of the size 1."""
    layer = fr.RNN(128, 128, nonlinearity="identity", bias=False, seed=0)
    x = np.random.default_rng(0).standard_normal((100, 8, 128)).astype(np.float32)
    tiny = (x * np.float32(1e-39)).astype(np.float32)
    fr.set_num_threads(threads)
    for _ in range(3):
        layer(x), layer(tiny)
    normal = spread(lambda: layer(x))
    return {"normal": normal, "denormal": over(spread(lambda: layer(tiny)), normal)}


def beside_torch(threads):
    """A call between calls of PyTorch in the same process, over the same before PyTorch was imported."""
    case = NEIGHBOUR
    call, _ = peers.load("fastrnn", threads).prepare(case, data(case))
    call()
    alone = spread(call)
    if peers.missing("torch"):
        return {"alone": alone, "skipped": "torch is not installed"}
    other = peers.load("torch", threads)
    torch_call, _ = other.prepare(case, data(case))
    samples = []
    with other.timing(case):
        for _ in range(3):
            torch_call()
        for _ in range(20):
            torch_call()
            samples += time_block(call, 0, 1)
    mixed = {"median_seconds": statistics.median(samples), "p95_seconds": percentile(samples, 95)}
    return {"alone": alone, "beside": over(mixed, alone)}


def resident(key):
    """Bytes of this process in memory: now (VmRSS) or at most (VmHWM), from Linux."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(key))


def memory(name, threads):
    """Peak memory of a training step above what the process had before, in bytes."""
    case, found = MEMORY, {}
    peer = peers.load(name, threads)
    peer.prepare(WARM_UP, data(WARM_UP))[0]()
    arrays = data(case)
    call, _ = peer.prepare(case, arrays)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak begins anew here; making the data may have been higher
        before = resident("VmRSS")
        call()
        found["step_bytes"] = resident("VmHWM") - before
    except OSError:
        import resource

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        call()
        found["step_bytes"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    if name == "fastrnn":
        from .peers.fastrnn import make

        found["tape_bytes"] = make(case, arrays["params"]).forward(arrays["x"])[2].nbytes
    return found


def recompute(threads):
    """A training step on a long sequence that keeps every gate, and one that computes them again."""
    arrays, found = data(LONG), {}
    x, dy = arrays["x"], arrays["dy"]
    for name, again in (("keeping", False), ("recomputing", True)):
        layer = fr.LSTM(LONG.I, LONG.H, recompute=again, seed=0)

        def step(layer=layer):
            _, _, tape = layer.forward(x)
            nbytes = tape.nbytes
            layer.backward(tape, dy)
            return nbytes

        found[f"{name}, tape_bytes"] = step()
        found[name] = spread(step)
    found["recomputing"] = over(found["recomputing"], found["keeping"])
    return found


CONTRACTS = {
    "call_cost": call_cost,
    "busy_neighbour": busy_neighbour,
    "after_pause": after_pause,
    "denormals": denormals,
    "beside_torch": beside_torch,
    "recompute": recompute,
    "memory_fastrnn": lambda threads: memory("fastrnn", threads),
    "memory_torch": lambda threads: memory("torch", threads),
}


def measure(threads, limit=120, progress=iter):
    """All of them, each in its process; an ``error`` with its reason where one fails."""
    found = {}
    for name in progress(CONTRACTS):
        if name == "memory_torch" and peers.missing("torch"):
            found[name] = {"skipped": "torch is not installed"}
            continue
        command = [sys.executable, "-m", f"{__package__}.contracts", name, str(threads)]
        env = os.environ | peers.environment("torch" if name == "memory_torch" else "fastrnn", threads)
        try:
            process = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=env)
            words = process.stderr.strip().splitlines()
            found[name] = (
                json.loads(process.stdout)
                if process.returncode == 0
                else {"error": words[-1] if words else f"the process ended with code {process.returncode}"}
            )
        except subprocess.TimeoutExpired:
            found[name] = {"error": f"no answer within {limit} s"}
    return found


if __name__ == "__main__":
    threads = int(sys.argv[2])
    fr.set_num_threads(threads)
    print(json.dumps(CONTRACTS[sys.argv[1]](threads)))
