# SPDX-License-Identifier: BSD-3-Clause
"""The process that measures one peer: ``python -m fastrnn.benchmarks._suite.worker PEER THREADS FOLDER``.

It reads requests from standard input and writes answers to standard output, one JSON object per line:

    {"do": "prepare", "kind": "layer" or "step", "case": {...}} -> {"seconds": of one call} or {"skipped": reason}
    {"do": "time", "seconds": s}          -> {"samples": [seconds of a call, ...]}
    {"do": "parts"}                       -> {"parts": {part of a step: seconds}}
    {"do": "versions"}, {"do": "drop"}    -> {...}, {}

If a request fails the answer is {"error": message}. The fastrnn worker writes its outputs into FOLDER; every other peer
is checked against them before it is timed.
"""

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from . import peers, steps
from .blocks import LONGEST_WARM_UP, SHORT, time_block, wait_until_idle, warm_up
from .cases import Case, make_data
from .steps.cases import Step

# The largest allowed error, relative to the largest magnitude, by dtype and for outputs (False) or gradients (True).
# The aim is to catch a peer that computes something else, not rounding errors: float32 gradients are sums over all rows
# and steps, in another order.
TOLERANCES = {("float32", False): 1e-4, ("float32", True): 1e-3, ("float64", False): 1e-9, ("float64", True): 1e-8}


def find_difference(case: Case | Step, outputs: peers.Outputs, expected: peers.Outputs) -> str | None:
    """Describe how the outputs of a peer differ from those of fastrnn; None if they agree."""
    if outputs.keys() != expected.keys():
        return f"expected the arrays {', '.join(sorted(expected))}, got {', '.join(sorted(outputs))}"
    for name, reference in expected.items():
        array = np.asarray(outputs[name])
        if array.shape != reference.shape:
            return f"{name}: expected shape {reference.shape}, got {array.shape}"
        largest = float(np.abs(reference).max(initial=1e-30))
        error = float(np.abs(array.astype(np.float64) - reference).max(initial=0)) / largest
        allowed = TOLERANCES[case.dtype, name != "y"]
        if not error <= allowed:
            return f"{name}: differs from fastrnn's by {error:.1e} of the largest magnitude, allowed {allowed:.0e}"
    return None


class Worker:
    """Carries out the requests, one method each.

    Parameters
    ----------
    name : str
        The peer.
    threads : int
    folder : str or Path
        Where the outputs of fastrnn are stored.
    """

    def __init__(self, name: str, threads: int, folder: str | Path) -> None:
        self.name, self.folder = name, Path(folder)
        self.peer = peers.load(name, threads)
        self.drop()

    def versions(self) -> dict[str, str]:
        """The versions of the peer's packages."""
        return self.peer.versions()

    def drop(self) -> dict[str, Any]:
        """Forget the current case and free its memory."""
        self.case: Case | Step | None = None
        self.call: Callable[[], object] | None = None
        self.outputs: Callable[[], peers.Outputs] | None = None
        self.of_parts: steps.Parts | None = None
        self.seconds = 0.0
        gc.collect()
        return {}

    def prepare(self, case: dict[str, Any], kind: str = "layer") -> dict[str, Any]:
        """Set up a case and check what it computes."""
        new = Step(**case) if kind == Step.kind else Case(**case)
        reason = self.peer.supports(new) if isinstance(new, Case) else None
        if reason is not None:
            return {"skipped": reason}
        with self.timing(new):
            if isinstance(new, Step):
                call, outputs, of_parts = steps.prepare(self.name, new)
            else:
                call, outputs = self.peer.prepare(new, make_data(new))
                of_parts = None
            difference = self.check(new, outputs())
            if difference is not None:
                return {"error": difference}
            call()
            start = time.perf_counter()
            call()
            once = time.perf_counter() - start
            once = min(time_block(call, LONGEST_WARM_UP / 2, once))
        wait_until_idle()
        self.case, self.call, self.seconds = new, call, once
        self.outputs = outputs  # it may own memory that `call` uses
        self.of_parts = of_parts
        return {"seconds": once}

    def timing(self, case: Case | Step) -> contextlib.AbstractContextManager[Any]:
        """The context in which calls are made."""
        return self.peer.timing(case) if isinstance(case, Case) else contextlib.nullcontext()

    def check(self, case: Case | Step, outputs: peers.Outputs) -> str | None:
        """Compare outputs with those of fastrnn, which stores its own; returns what differs, if anything."""
        path = self.folder / "expected.npz"
        if self.name == "fastrnn":
            np.savez(path, **cast(dict[str, Any], outputs))
            return None
        with np.load(path) as expected:
            return find_difference(case, outputs, dict(expected))

    def time(self, seconds: float) -> dict[str, Any]:
        """Time a block of calls."""
        if self.case is None or self.call is None:
            return {"error": "asked to time before a case was prepared"}
        with self.timing(self.case):
            warm_up(self.call, self.seconds)
            # The slowest of a hundred steps is to be found: each is timed by itself
            samples = time_block(self.call, seconds, SHORT if self.case.concurrent else self.seconds)
        wait_until_idle()
        return {"samples": samples}

    def parts(self) -> dict[str, Any]:
        """Time the parts of a step. This changes it: it cannot be timed as a whole afterwards."""
        if self.of_parts is None:
            return {"error": "asked for the parts before a step was prepared"}
        of_parts, self.of_parts, self.case, self.call = self.of_parts, None, None, None
        parts = of_parts()
        wait_until_idle()
        return {"parts": parts}


def main() -> None:
    """Answer requests until standard input ends."""
    # What a library prints must not be mistaken for an answer, so standard output becomes standard error.
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
