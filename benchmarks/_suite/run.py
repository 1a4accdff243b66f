# SPDX-License-Identifier: BSD-3-Clause
"""Measure every case with every peer, in rounds.

Each peer runs in a process of its own (see `worker`) and times one block of calls per round. The order changes from
round to round, so whatever the machine does meanwhile affects all peers alike. If a peer disagrees with fastrnn, dies,
or does not answer, that is reported for the case and the run continues.
"""

import contextlib
import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import quiet, steps
from .blocks import percentile
from .cases import Case
from .processes import WorkerFailed, WorkerProcess
from .steps.cases import Step
from .table import ONLY_PEERS

Measurable = Case | Step
Workers = dict[str, WorkerProcess]
Samples = dict[int, list[float]]  # seconds of the calls in each round
Figures = dict[str, Any]
Measured = tuple[dict[str, Figures], float | None]  # figures by peer; cores that others used meanwhile

SLOW = 20  # times fastrnn; the figure of such a peer need not be precise, and its blocks take most of the time
SLOW_ROUNDS = 2
LONG_CALL, FEW_ROUNDS = 0.5, 3  # seconds
ATTEMPTS = 3  # at a case during which other processes use the machine; the quietest attempt counts


@dataclass(frozen=True)
class Settings:
    """How carefully to measure: rounds, seconds per block, and the time limit for an answer in seconds."""

    rounds: int = 7
    block: float = 0.04
    limit: float = 120.0


QUICK = Settings(rounds=5, block=0.015)


def summarize(rounds: Samples) -> Figures:
    """Median, 95th and 99th percentile and minimum of all samples, and how many there are."""
    samples = [sample for block in rounds.values() for sample in block]
    return {
        "median_seconds": statistics.median(samples),
        "p95_seconds": percentile(samples, 95),
        "p99_seconds": percentile(samples, 99),
        "best_seconds": min(samples),
        "samples": len(samples),
        "rounds": len(rounds),
    }


def time_ratio(theirs: Samples, ours: Samples) -> float:
    """The median ratio of their time to ours, over the rounds that both took part in; above 1 we are faster."""
    shared = theirs.keys() & ours.keys()
    return statistics.median(statistics.median(theirs[k]) / statistics.median(ours[k]) for k in shared)


def ask(worker: WorkerProcess, **request: Any) -> Figures:
    """Ask a worker; if it fails, the answer is its error."""
    try:
        return worker.ask(**request)
    except WorkerFailed as error:
        return {"error": str(error)}


def takes_part(name: str, case: Measurable) -> bool:
    """Whether a peer is to be asked to run a case."""
    if isinstance(case, Step):
        return name in steps.PEERS.get(case.group, steps.MOST)
    return name in ONLY_PEERS.get(case.group, {name}) and name not in steps.ONLY_STEPS


def prepare_all(case: Measurable, workers: Workers) -> dict[str, Figures]:
    """Set up a case in all workers, fastrnn first, and return their answers."""
    answers: dict[str, Figures] = {}
    for name in ("fastrnn", *(name for name in workers if name != "fastrnn")):
        if takes_part(name, case):
            answers[name] = ask(workers[name], do="prepare", kind=case.kind, case=asdict(case))
            if "seconds" not in answers["fastrnn"]:
                break  # there is nothing to compare the others with
    return answers


def time_rounds(answers: dict[str, Figures], workers: Workers, settings: Settings) -> dict[str, Samples]:
    """Let the workers that are ready take turns; an error replaces the worker's entry in `answers`."""
    ready = [name for name, answer in answers.items() if "seconds" in answer]
    slow = {name for name in ready if answers[name]["seconds"] > SLOW * answers["fastrnn"]["seconds"]}
    longest = max(answers[name]["seconds"] for name in ready if name not in slow)
    rounds = settings.rounds if longest <= LONG_CALL else min(settings.rounds, FEW_ROUNDS)
    samples: dict[str, Samples] = {name: {} for name in ready}
    for k in range(rounds):
        turn = ready[k % len(ready) :] + ready[: k % len(ready)]
        for name in turn if k % 2 == 0 else turn[::-1]:
            if "error" in answers[name] or (name in slow and k >= SLOW_ROUNDS):
                continue
            answer = ask(workers[name], do="time", seconds=settings.block)
            if "error" in answer:
                answers[name] = answer
            else:
                samples[name][k] = answer["samples"]
    return samples


def measure(case: Measurable, workers: Workers, settings: Settings) -> dict[str, Figures]:
    """Measure one case.

    Parameters
    ----------
    case : Case or Step
    workers : dict of str to WorkerProcess
        By the name of the peer; "fastrnn" must be among them.
    settings : Settings

    Returns
    -------
    dict
        By the name of the peer: the figures of `summarize` with ``gflops``, or with the seconds of the ``parts`` of a
        step, and, except for fastrnn, ``ratio``; or ``skipped`` or ``error`` with the reason.
    """
    figures = prepare_all(case, workers)
    if "seconds" not in figures["fastrnn"]:
        return figures
    samples = time_rounds(figures, workers, settings)
    for name, rounds in samples.items():
        if "error" not in figures[name]:
            figures[name] = summarize(rounds)
            if isinstance(case, Case):
                figures[name]["gflops"] = case.flop / figures[name]["median_seconds"] * 1e-9
            else:
                figures[name] |= ask(workers[name], do="parts")
            if name != "fastrnn" and "error" not in figures["fastrnn"]:
                figures[name]["ratio"] = time_ratio(rounds, samples["fastrnn"])
            ask(workers[name], do="drop")
    return figures


def measure_quietly(case: Measurable, workers: Workers, settings: Settings) -> Measured:
    """`measure`, repeated if other processes used the machine meanwhile; and how many cores they used."""
    attempts: list[Measured] = []
    for _ in range(ATTEMPTS):
        watch = quiet.CpuWatch(lambda: [os.getpid(), *(w.pid for w in workers.values() if w.pid is not None)])
        figures = measure(case, workers, settings)
        cores = watch.cores()
        attempts.append((figures, cores))
        if cores is None or cores <= quiet.NOISE or any("error" in answer for answer in figures.values()):
            break
    return min(attempts, key=lambda attempt: attempt[1] or 0)


def measure_all(
    cases: Sequence[Measurable],
    names: Sequence[str],
    settings: Settings,
    folder: Path,
    progress: Callable[[Iterable[Measurable]], Iterable[Measurable]] = iter,
) -> tuple[list[tuple[Measurable, dict[str, Figures], float | None]], dict[str, dict[str, str]]]:
    """Measure every case with every peer.

    Parameters
    ----------
    cases : sequence of Case or Step
    names : sequence of str
        Peers other than fastrnn.
    settings : Settings
    folder : Path
        Where the arrays are stored that the peers are checked against.
    progress : callable, optional
        Wraps the iteration over the cases, like `tqdm`.

    Returns
    -------
    results : list of (Case or Step, dict, float or None)
        In the order of `cases`; see `measure_quietly`.
    versions : dict of str to dict
        The versions of each peer's packages.
    """
    by_threads = sorted(cases, key=lambda case: case.threads)  # so that each worker is started only once
    results: dict[str, Measured] = {}
    versions: dict[str, dict[str, str]] = {}
    workers: Workers = {}
    threads = None
    with contextlib.ExitStack() as stack:
        for case in progress(by_threads):
            if case.threads != threads:
                stack.close()
                threads = case.threads
                workers = {name: WorkerProcess(name, threads, folder, settings.limit) for name in ("fastrnn", *names)}
                for name, worker in workers.items():
                    stack.callback(worker.close)
                    versions.setdefault(name, ask(worker, do="versions"))
            results[case.name] = measure_quietly(case, workers, settings)
    return [(case, *results[case.name]) for case in cases], versions
