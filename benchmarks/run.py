# SPDX-License-Identifier: BSD-3-Clause
"""Peer beside peer: rounds in which each has its turn, so that what the machine does meanwhile happens to all of them.

Each peer runs in a process of its own (see `worker`) and times one block of calls per round; the order changes from
round to round. A peer that disagrees with fastrnn, dies, or does not answer is reported for that case, and the run goes
on.
"""

import contextlib
import json
import os
import select
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

from . import peers, quiet
from .cases import ONLY_PEERS

SLOW = 20  # times fastrnn; such a peer's figure need not be that exact, and its blocks take most of the time
SLOW_ROUNDS = 2
LONG_CALL, FEW_ROUNDS = 0.5, 3
ATTEMPTS = 3  # at a case beside which others use the machine; the quietest is kept


@dataclass(frozen=True)
class Settings:
    """How carefully to measure: rounds, seconds of a block, and seconds after which a worker is given up."""

    rounds: int = 7
    block: float = 0.04
    limit: float = 120.0


QUICK = Settings(rounds=5, block=0.015)


class WorkerFailed(Exception):
    """The worker's own words, or how it ended."""


class Worker:
    """A worker process, started when it is first asked something, and again after it has failed."""

    def __init__(self, name, threads, folder, limit):
        self.name, self.threads, self.folder, self.limit = name, threads, folder, limit
        self.log = folder / f"{name.partition(':')[0]}-{threads}.log"
        self.process = None

    def start(self):
        command = [sys.executable, "-m", f"{__package__}.worker", self.name, str(self.threads), str(self.folder)]
        env = os.environ | peers.environment(self.name, self.threads)
        pipe = subprocess.PIPE
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=env, bufsize=0)
        self.rest = b""
        try:
            self.answer()
        except WorkerFailed:
            self.close()
            raise

    def ask(self, **request):
        """Send a request, return the answer.

        Raises
        ------
        WorkerFailed
            It answered with an error, died, or did not answer in time.
        """
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            self.died()
        return self.answer()

    def answer(self):
        end = time.monotonic() + self.limit
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                self.fail(f"no answer within {self.limit:g} s")
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                self.died()
            self.rest += piece
        line, _, self.rest = self.rest.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer

    def died(self):
        """Say how, with the last line that it printed."""
        code, words = self.process.wait(), self.log.read_text(errors="replace").strip().splitlines()
        self.fail(f"the process ended with code {code}{': ' + words[-1] if words else ''}")

    def fail(self, reason):
        self.close()
        raise WorkerFailed(reason)

    def close(self):
        """End the process, if there is one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None


# -- figures ---------------------------------------------------------------------------------------------------------


def percentile(samples, percent):
    """The smallest sample that at least `percent` % of them do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def summary(rounds):
    """Of the samples of each round, {round: [seconds, ...]}."""
    samples = [sample for block in rounds.values() for sample in block]
    return {
        "median_seconds": statistics.median(samples),
        "p95_seconds": percentile(samples, 95),
        "best_seconds": min(samples),
        "samples": len(samples),
        "rounds": len(rounds),
    }


def ratio(theirs, ours):
    """Median over the rounds that both took part in of their median over ours; above 1, we are ahead."""
    shared = theirs.keys() & ours.keys()
    return statistics.median(statistics.median(theirs[k]) / statistics.median(ours[k]) for k in shared)


# -- the run ---------------------------------------------------------------------------------------------------------


def measure(case, workers, settings):
    """One case.

    Parameters
    ----------
    workers : dict of str to Worker
        By name of the peer; "fastrnn" is among them.

    Returns
    -------
    dict
        By name of the peer: a `summary` with ``gflops`` and, but for fastrnn, ``ratio``; or ``skipped`` or ``error``
        with the reason.
    """
    allowed = ONLY_PEERS.get(case.group, set(workers))
    found = {}
    for name in sorted(allowed & workers.keys(), key=lambda name: (name != "fastrnn", list(workers).index(name))):
        if found and "seconds" not in found["fastrnn"]:
            break  # nothing to compare with
        found[name] = attempt(workers[name].ask, do="prepare", case=asdict(case))
    ready = [name for name, answer in found.items() if "seconds" in answer]
    if not ready:
        return found
    unit = found["fastrnn"]["seconds"]
    slow = {name for name in ready if found[name]["seconds"] > SLOW * unit}
    longest = max(found[name]["seconds"] for name in ready if name not in slow)
    rounds = settings.rounds if longest <= LONG_CALL else min(settings.rounds, FEW_ROUNDS)
    samples = {name: {} for name in ready}
    for k in range(rounds):
        turn = ready[k % len(ready) :] + ready[: k % len(ready)]
        for name in turn if k % 2 == 0 else turn[::-1]:
            if "error" in found[name] or (name in slow and k >= SLOW_ROUNDS):
                continue
            answer = attempt(workers[name].ask, do="time", seconds=settings.block)
            if "error" in answer:
                found[name] = answer
            else:
                samples[name][k] = answer["samples"]
    for name in ready:
        if "error" not in found[name]:
            found[name] = summary(samples[name])
            found[name]["gflops"] = case.flop / found[name]["median_seconds"] * 1e-9
            if name != "fastrnn" and "error" not in found["fastrnn"]:
                found[name]["ratio"] = ratio(samples[name], samples["fastrnn"])
            attempt(workers[name].ask, do="drop")
    return found


def attempt(function, **request):
    """The answer, or the error as one."""
    try:
        return function(**request)
    except WorkerFailed as error:
        return {"error": str(error)}


def measure_quietly(case, workers, settings):
    """`measure`, again if others used the machine meanwhile; and how many cores they used."""
    best = None
    for _ in range(ATTEMPTS):
        watch = quiet.Watch(lambda: [os.getpid(), *(w.process.pid for w in workers.values() if w.process)])
        found = measure(case, workers, settings)
        cores = watch.cores()
        if best is None or cores < best[1]:
            best = found, cores
        if cores is None or cores <= quiet.NOISE or any("error" in answer for answer in found.values()):
            break
    return best


def measure_all(cases, names, settings, folder, progress=iter):
    """Every case with every peer.

    Parameters
    ----------
    cases : list of Case
    names : sequence of str
        Peers beside fastrnn.
    folder : Path
        For the arrays that the peers are checked against.
    progress : callable
        Wraps the cases while they are gone through.

    Returns
    -------
    results : list of (Case, dict, float or None)
        In the order of `cases`; see `measure_quietly`.
    versions : dict of str to dict
    """
    by_threads = sorted(cases, key=lambda case: case.threads)  # stable: each worker is started once
    results, versions, workers, threads = {}, {}, {}, None
    with contextlib.ExitStack() as stack:
        for case in progress(by_threads):
            if case.threads != threads:
                stack.close()
                threads = case.threads
                workers = {name: Worker(name, threads, folder, settings.limit) for name in ("fastrnn", *names)}
                for name, worker in workers.items():
                    stack.callback(worker.close)
                    versions.setdefault(name, attempt(worker.ask, do="versions"))
            results[case.name] = measure_quietly(case, workers, settings)
    return [(case, *results[case.name]) for case in cases], versions
