# SPDX-License-Identifier: BSD-3-Clause
"""The part `pythons`: one wheel on every interpreter, and with the oldest libraries."""

import functools
import glob
import os
import shutil
import subprocess

from portability.environments import build_wheel, oldest, quick_tests, shared_wheel
from portability.shell import NotRun, attempt

# One wheel serves all but those without a GIL, which get one of their own.
INTERPRETERS = ("python3.11", "python3.12", "python3.13", "python3.14", "python3.13t", "python3.14t")


@functools.cache
def interpreters():
    """{name: path} of those on PATH and under ~/.pyenv/versions that run."""
    found = {}
    for name in INTERPRETERS:
        installed = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/*/bin/{name}")))
        for path in filter(None, [shutil.which(name), *installed]):
            command = [path, "-c", "import venv, ensurepip"]
            if name not in found and subprocess.run(command, capture_output=True).returncode == 0:
                found[name] = path
    return found


def on_interpreter(name):
    if name not in interpreters():
        raise NotRun(f"{name} is neither on PATH nor under ~/.pyenv/versions")
    python = interpreters()[name]
    return quick_tests(name, python, build_wheel(name, python) if name.endswith("t") else shared_wheel())


def with_oldest():
    name = next(name for name in INTERPRETERS if name in interpreters())
    return quick_tests("oldest", interpreters()[name], shared_wheel(), *oldest())


def pythons():
    """One wheel on every interpreter, and with the oldest libraries."""
    for name in INTERPRETERS:
        yield attempt("pythons", f"{name}, newest libraries", lambda name=name: on_interpreter(name))
    yield attempt("pythons", f"oldest Python, {', '.join(oldest())}", with_oldest)
