# SPDX-License-Identifier: BSD-3-Clause
"""The process that measures one peer: ``python -m fastrnn.benchmarks.worker PEER THREADS FOLDER``.

It reads requests and writes answers, one JSON object per line:

    {"do": "prepare", "case": {...}}      -> {"seconds": of one call} or {"skipped": reason}
    {"do": "time", "seconds": s}          -> {"samples": [seconds of a call, ...]}
    {"do": "versions"}, {"do": "drop"}    -> {...}, {}

and {"error": message} for what went wrong. The fastrnn worker leaves what it computed in FOLDER; every other peer is
checked against that before it is timed.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from . import peers
from .cases import Case, data

SHORT = 100e-6  # seconds; calls that take less are timed several at once, so that reading the clock costs nothing
# Largest error relative to the largest magnitude. A worker that computes something else is what is to be found, not
# a rounding error: float32 gradients are sums over all rows and steps, in another order.
TOLERANCES = {("float32", False): 1e-4, ("float32", True): 1e-3, ("float64", False): 1e-9, ("float64", True): 1e-8}
LONGEST_REST = 0.3  # seconds
LONGEST_WARM_UP, WARM = 0.04, 1.5  # seconds; times the usual call


def disagreement(case, found, expected):
    """What differs from fastrnn's result, in words; None if nothing does."""
    if found.keys() != expected.keys():
        return f"expected the arrays {', '.join(sorted(expected))}, got {', '.join(sorted(found))}"
    for name, right in expected.items():
        array = np.asarray(found[name])
        if array.shape != right.shape:
            return f"{name}: expected shape {right.shape}, got {array.shape}"
        error = float(np.abs(array.astype(np.float64) - right).max(initial=0)) / float(np.abs(right).max(initial=1e-30))
        allowed = TOLERANCES[case.dtype, name != "y"]
        if not error <= allowed:
            return f"{name}: differs from fastrnn's by {error:.1e} of the largest magnitude, allowed {allowed:.0e}"
    return None


def time_block(call, seconds, once):
    """Time calls for at least `seconds`, at least one.

    Parameters
    ----------
    once : float
        About what one call takes, in seconds.

    Returns
    -------
    list of float
        Seconds of each call; where `once` is below 100 us, the mean of each 100 us.
    """
    inner = 1 if once >= SHORT else max(1, round(SHORT / max(once, 1e-8)))
    samples, clock, repeat = [], time.perf_counter, range(inner)
    collecting = gc.isenabled()
    gc.disable()
    try:
        end = clock() + seconds
        while not samples or clock() < end:
            start = clock()
            for _ in repeat:
                call()
            samples.append((clock() - start) / inner)
    finally:
        if collecting:
            gc.enable()
    return samples


def warm_up(call, usual):
    """Call until a call takes what it usually does: the first ones after a pause are not what a block is about.

    They may be several times slower, where threads that slept wake up on one core; see `contracts.after_pause`.
    """
    clock = time.perf_counter
    end = clock() + LONGEST_WARM_UP
    while True:
        start = clock()
        call()
        if clock() - start <= WARM * usual or clock() > end:
            return


def running_threads():
    """How many threads of this process but the one that asks are running or want to; None where that is not known.

    Not from the process's CPU time: the kernel adds that of the other threads at its ticks, milliseconds apart.
    """
    try:
        states = []
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/stat") as file:
                states.append(file.read().rpartition(")")[2].split()[0])
        return states.count("R") - 1
    except OSError:
        return None


def rest():
    """Wait until the threads of this process have stopped spinning: they would be in the way of the next peer.

    NumPy's OpenBLAS and ONNX Runtime spin for tens of milliseconds after a call, and another library's barriers are
    several times slower meanwhile.
    """
    end, quiet = time.monotonic() + LONGEST_REST, 0
    while quiet < 3 and time.monotonic() < end:
        time.sleep(0.001)
        quiet = quiet + 1 if running_threads() == 0 else 0


class Worker:
    """What the requests do."""

    def __init__(self, name, threads, folder):
        self.name, self.folder = name, Path(folder)
        self.peer = peers.load(name, threads)
        self.drop()

    def versions(self):
        return self.peer.versions()

    def drop(self):
        self.case = self.call = self.result = None
        gc.collect()
        return {}

    def prepare(self, case):
        case = Case(**case)
        reason = self.peer.supports(case)
        if reason is not None:
            return {"skipped": reason}
        with self.peer.timing(case):
            call, result = self.peer.prepare(case, data(case))
            found = result()
            saved = self.folder / "expected.npz"
            if self.name == "fastrnn":
                np.savez(saved, **found)
            else:
                with np.load(saved) as expected:
                    wrong = disagreement(case, found, dict(expected))
                if wrong is not None:
                    return {"error": wrong}
            del found
            call()
            start = time.perf_counter()
            call()
            once = time.perf_counter() - start
            once = min(time_block(call, LONGEST_WARM_UP / 2, once))
        rest()
        self.case, self.call, self.result, self.once = case, call, result, once  # result: it may own what call uses
        return {"seconds": once}

    def time(self, seconds):
        if self.call is None:
            return {"error": "asked to time before a case was prepared"}
        with self.peer.timing(self.case):
            warm_up(self.call, self.once)
            samples = time_block(self.call, seconds, self.once)
        rest()
        return {"samples": samples}


def main():
    # What a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, threads, folder = sys.argv[1:]
    try:
        worker = Worker(name, int(threads), folder)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers, flush=True)
        sys.exit(1)
    print(json.dumps({}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            worker.drop()
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
