# SPDX-License-Identifier: BSD-3-Clause
"""Runs the cases of an attack in a process of its own, so that a crash or a hang, too, is a fault with a case to it.

Case k of seed s is drawn from ``np.random.default_rng([s, k])`` and nothing else.
"""

import faulthandler
import json
import os
import select
import shlex
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ("LD_PRELOAD", "PYTHONMALLOC", "ASAN_OPTIONS", "UBSAN_OPTIONS", "FASTRNN_ISA", "OMP_NUM_THREADS")


class Attack:
    """One kind of attack. An instance lives in the process that runs its cases.

    `case` draws from its generator what it does, and raises if what it finds is wrong. Where a case needs those before
    it, `independent` is False: it is then reproduced from the first.
    """

    limit = 60.0  # seconds that a case may take
    independent = True

    def __init__(self, folder):
        self.folder = Path(folder)

    def case(self, rng):
        raise NotImplementedError

    def note(self, text):
        """Say what the case is: part of the report if it fails, also if it ends the process."""


class Fault(NamedTuple):
    case: int
    what: str


class Report(NamedTuple):
    cases: int
    seconds: float
    faults: list


def reproduction(name, seed, fault, independent=True):
    """The command line that runs the case alone, or all cases up to it."""
    variables = [f"{key}={shlex.quote(os.environ[key])}" for key in ENVIRONMENT if key in os.environ]
    python = os.path.abspath(sys.executable)  # not what a link points to: that is another environment
    if Path(python).is_relative_to(ROOT):
        python = str(Path(python).relative_to(ROOT))
    which = f"--case {fault.case}" if independent else f"--cases {fault.case + 1}"
    return " ".join([*variables, python, "tests/fuzz", name, f"--seed {seed}", which])


def run(make, folder, seed, *, seconds=None, first=0, cases=None, most_faults=5, limit=None):
    """Run cases `first`, `first` + 1, ... for so many seconds or cases, whichever ends first.

    Parameters
    ----------
    make : subclass of Attack
    folder : path
        For the files of the attack; an empty one.
    seed : int
    seconds : float, optional
    first : int, default 0
    cases : int, optional
    most_faults : int, default 5
        Stop after so many.
    limit : float, optional
        Seconds that a case may take, in place of those of the attack.

    Returns
    -------
    Report
    """
    began, done, faults = time.monotonic(), 0, []
    end = began + (seconds if seconds is not None else float("inf"))
    stop = first + cases if cases is not None else None
    while time.monotonic() < end and (stop is None or first < stop) and len(faults) < most_faults:
        count, found, at = _worker(make, folder, seed, range(first, stop or sys.maxsize), end, limit or make.limit)
        if at < first and found is not None:
            raise RuntimeError(f"{make.__name__} cannot begin: {found.what}")
        done, first = done + count, at + 1
        if found is not None:
            faults.append(found)
            if not make.independent:
                break
    return Report(done, time.monotonic() - began, faults)


def _worker(make, folder, seed, cases, end, limit):
    """Cases in one process, up to the first fault: how many ran, the fault or None, and the last case."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, such as pytest-timeout's
        pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(make, folder, seed, cases, end, writer)
    os.close(writer)
    count, at, note, fault = 0, cases.start - 1, "", None
    try:
        for message in _messages(reader, pid, limit):
            if message is None:
                os.kill(pid, signal.SIGABRT)  # faulthandler prints where it hangs
                fault = Fault(at, f"not finished after {limit:g} s\n{note}")
                break
            if "case" in message:
                count, at, note = count + 1, message["case"], ""
            elif "note" in message:
                note = message["note"]
            else:
                fault = Fault(at, f"{message['fault']}\n{note}")
    finally:
        os.close(reader)
        _kill_group(pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if fault is None and status not in (0, -signal.SIGKILL):
        how = f"died of {signal.Signals(-status).name}" if status < 0 else f"ended with code {status}"
        fault = Fault(at, f"{how}\n{note}")
    return count, fault, at


def _messages(reader, pid, limit):
    """What the worker says, up to its end; None where it says nothing for `limit` seconds."""
    text, heard = b"", time.monotonic()
    while True:
        if select.select([reader], [], [], 0.1)[0]:
            part, heard = os.read(reader, 1 << 16), time.monotonic()
            if not part:
                return
            *lines, text = (text + part).split(b"\n")
            yield from map(json.loads, lines)
        elif _ended(pid):  # and what it started holds the pipe open
            return
        elif time.monotonic() - heard > limit:
            yield None


def _ended(pid):
    """Whether a child has ended; it can still be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(pid):
    """End the worker and what it has started, once it has nothing more to say."""
    for _ in range(100):  # it may be on its way out: its exit code is worth waiting for
        if _ended(pid):
            break
        time.sleep(0.01)
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # not yet a group of its own
        os.kill(pid, signal.SIGKILL)


def _child(make, folder, seed, cases, end, pipe):
    """The worker; it never returns."""
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        faulthandler.enable(2)

        def send(**message):
            text = json.dumps(message).encode() + b"\n"
            while text:
                text = text[os.write(pipe, text) :]

        attack = make(folder)
        attack.note = lambda text: send(note=str(text))
        for k in cases:
            if time.monotonic() >= end:
                break
            send(case=k)
            try:
                attack.case(np.random.default_rng([seed, k]))
            except BaseException as error:
                text = "".join(traceback.format_exception(error))
                send(fault=text if len(text) < 6000 else f"{text[:2000]}\n...\n{text[-4000:]}")
                break
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
