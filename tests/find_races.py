# SPDX-License-Identifier: BSD-3-Clause
"""The command behind `make tsan`: look for data races in csrc/, with ThreadSanitizer.

It compiles tests/csrc/races.c with the sources of the library, for the baseline (ThreadSanitizer does not see the
accesses of wider vectors) and with small limits, and runs it. ThreadSanitizer does not know the barriers of an OpenMP
runtime; Archer, a tool of LLVM's, tells it. So this needs Clang and libarcher: on Debian, `apt-get install clang
libomp-dev`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = "-std=c11 -O1 -g -fopenmp -fsanitize=thread -ffp-contract=off -DFR_SMALL_LIMITS".split()


class Missing(Exception):
    """What this machine does not have."""


def tools():
    """The compiler and Archer's library."""
    clang = shutil.which(os.environ.get("CLANG", "clang"))
    if clang is None:
        raise Missing("no clang (CLANG=... names another): apt-get install clang libomp-dev, or as your system has it")
    resources = subprocess.run([clang, "-print-resource-dir"], check=True, capture_output=True, text=True).stdout
    archer = Path(resources.strip()).parents[1] / "libarcher.so"  # lib/clang/14.0.6, lib/libarcher.so
    if not archer.exists():
        raise Missing(
            f"no {archer}, which comes with LLVM's OpenMP runtime: apt-get install libomp-dev of this version"
        )
    return clang, archer


def build(clang, folder):
    """The program, in `folder`."""
    sources = [*(ROOT / "csrc").glob("*.c"), ROOT / "tests" / "csrc" / "races.c"]
    program = Path(folder, "races")
    for bits in "32", "64":
        engine = f"-DFR_BITS={bits}", f"-DFR_ENGINE=fr_engine_baseline_f{bits}"
        target = Path(folder, f"engine_f{bits}.o")
        command = [clang, *FLAGS, *engine, "-c", ROOT / "csrc" / "engine" / "engine.c", "-o", target]
        subprocess.run(command, check=True)
        sources.append(target)
    subprocess.run([clang, *FLAGS, *sources, "-lm", "-o", program], check=True)
    return program


def run(program, archer, *arguments):
    """The finished process, with what it printed; its code is not 0 if there was a race."""
    options = {"TSAN_OPTIONS": "ignore_noninstrumented_modules=1", "OMP_TOOL_LIBRARIES": str(archer)}
    return subprocess.run([program, *arguments], env=os.environ | options, capture_output=True, text=True)


def main():
    try:
        clang, archer = tools()
    except Missing as missing:
        sys.exit(f"make tsan: {missing}")
    with tempfile.TemporaryDirectory() as folder:
        done = run(build(clang, folder), archer)
    print(done.stderr, done.stdout, sep="", end="")
    sys.exit("make tsan: data races, above" if done.returncode else 0)


if __name__ == "__main__":
    main()
