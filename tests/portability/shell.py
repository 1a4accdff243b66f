# SPDX-License-Identifier: BSD-3-Clause
"""Running commands, and what `make portability` says about them."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "portability"
TIME_LIMIT = 900  # seconds for one command


class Failed(Exception):
    """A comparison or a command has failed."""


class NotRun(Exception):
    """Something that is needed is not here; `packages` are those of Debian that have it."""

    def __init__(self, message, packages=()):
        super().__init__(message)
        self.packages = tuple(packages)


class Row(NamedTuple):
    """A line of the closing table."""

    part: str
    compared: str
    count: str  # of what was compared
    result: str  # "pass", "FAIL" or "not run"
    seconds: float
    remark: str = ""
    packages: tuple[str, ...] = ()


def attempt(part, compared, action):
    """Do something that returns (count, remark), and say how it went."""
    start, packages = time.perf_counter(), ()
    try:
        count, remark = action()
        result = "pass"
    except Failed as failure:
        count, result, remark = "", "FAIL", str(failure)
    except NotRun as reason:
        count, result, remark, packages = "", "not run", str(reason), reason.packages
    return Row(part, compared, count, result, time.perf_counter() - start, remark, packages)


def last_line(text):
    return (text.strip().splitlines() or ["no output"])[-1].strip()


def reason(text):
    """The line that says why a command has failed: the first error of a compiler, or the last line."""
    return next((line.strip() for line in text.splitlines() if "error: " in line.lower()), last_line(text))


def run(name, *command, cwd=ROOT, stdout=None, **environment):
    """Run a command and return what it prints, which also goes to build/portability/logs; raises Failed."""
    log = BUILD / "logs" / (re.sub(r"[^\w.+-]+", "-", name) + ".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = list(map(str, command))
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "FASTRNN", "OMP_"))}
    env |= {key: str(value) for key, value in environment.items()}
    given = {"cwd": cwd, "env": env, "stdin": subprocess.DEVNULL, "text": True, "encoding": "utf-8"}
    try:
        if stdout is None:
            output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        else:
            output = {"stdout": stdout, "stderr": subprocess.PIPE}
        process = subprocess.run(command, timeout=TIME_LIMIT, **given, **output)
    except (subprocess.TimeoutExpired, OSError) as error:
        raise Failed(f"{name}: {error}") from None
    printed = process.stdout if stdout is None else process.stderr
    log.write_text(f"$ {' '.join(command)}\n{printed}")
    if process.returncode:
        where = log.relative_to(ROOT)
        raise Failed(f"{name} ended with code {process.returncode}: {reason(printed)} (see {where})")
    return printed


def find(program, packages):
    """The path of a program; raises NotRun."""
    path = shutil.which(program)
    if path is None:
        raise NotRun(f"{program} is not installed", packages)
    return path
