# SPDX-License-Identifier: BSD-3-Clause
"""The driver and the library, built by a compiler for a machine, and run."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from portability import results
from portability.shell import BUILD, Failed, NotRun, find, run

HERE = Path(__file__).parent
PROGRAM = """#include <linux/futex.h>
#include <math.h>
#ifdef _OPENMP
#include <omp.h>
#endif
int main(void) { return 0; }
"""


class Build(NamedTuple):
    """How the driver is built and run."""

    name: str
    compiler: str = "gcc"
    options: tuple[str, ...] = ()  # behind those of the library
    packages: tuple[str, ...] = ()  # of Debian, for compiler and libraries
    processor: str = ""  # another than this machine's, as CMake calls it
    emulators: tuple[str, ...] = ()  # programs that run it, any of them; none: this machine does
    openmp: bool = True

    @property
    def folder(self):
        return BUILD / "driver" / self.name.replace(" ", "")


REFERENCE = Build("gcc -O2", options=("-O2",), packages=("gcc", "libc6-dev"))


def check_compiler(build):
    """Whether the compiler and its libraries are here; raises NotRun."""
    find(build.compiler, build.packages)
    flags = ["-fopenmp"] if build.openmp else []
    command = [build.compiler, *flags, *build.options, "-x", "c", "-", "-o", os.devnull]
    process = subprocess.run(command, input=PROGRAM, text=True, capture_output=True)
    if process.returncode:
        raise NotRun(f"{build.compiler} cannot build a program: its libraries are missing", build.packages)


def find_emulator(build):
    """The command that runs what is built, [] for this machine; raises NotRun."""
    if not build.emulators:
        return []
    found = next(filter(None, map(shutil.which, build.emulators)), None)
    return [found or find(build.emulators[0], ("qemu-user-static",))]


def missing_packages(builds):
    """The packages of Debian without which some of the builds cannot be made or run, in alphabetical order."""
    missing = set()
    for build in builds:
        for check in (check_compiler, find_emulator):
            try:
                check(build)
            except NotRun as reason:
                missing |= set(reason.packages)
    return sorted(missing)


def tool(name):
    """cmake and ninja of the environment that runs this."""
    return Path(sys.executable).parent / name


def compile_driver(build):
    """Build the driver; returns its path."""
    defines = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_MAKE_PROGRAM": tool("ninja"),
        "CMAKE_C_COMPILER": build.compiler,
        "FASTRNN_WERROR": "ON",
        "FASTRNN_OPENMP": "ON" if build.openmp else "OFF",
        "FASTRNN_OPTIONS": ";".join(build.options),
    }
    if build.processor:
        defines |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": build.processor}
    if "-static" in build.options:  # else CMake names the shared ones by their paths
        defines |= {f"OpenMP_{name}_LIBRARY": name for name in ("gomp", "pthread", "atomic")}
    flags = [f"-D{name}={value}" for name, value in defines.items()]
    run(f"{build.name} configure", tool("cmake"), "-S", HERE, "-B", build.folder, "-G", "Ninja", *flags)
    run(f"{build.name} build", tool("cmake"), "--build", build.folder)
    return build.folder / "driver"


def results_of(build):
    """What the driver computes, built in this way; raises Failed or NotRun."""
    check_compiler(build)
    emulator = find_emulator(build)
    driver = compile_driver(build)
    index, values = build.folder / "index.tsv", build.folder / "values.bin"
    try:
        with open(index, "w") as file:
            # passive: threads that wait for the next of many small calls would take the cores from those that work
            run(f"{build.name} driver", *emulator, driver, values, stdout=file, OMP_WAIT_POLICY="passive")
        return results.read(index, values)
    finally:
        values.unlink(missing_ok=True)


@functools.cache
def reference():
    """What others are compared with: the library as most build it, on this machine."""
    return results_of(REFERENCE)


def compare_with_reference(build):
    """Run a build and compare what it computes: (count, remark) of the table.

    A build for this machine has its engines, one for another machine the baseline.
    """
    ours = results_of(build)
    try:
        expected = reference()
    except (Failed, NotRun) as error:
        raise Failed(f"nothing to compare with: {error}") from None
    engines = {results.BASELINE} if build.processor else set(next(iter(expected.values())))
    agreement = results.compare(ours, expected, engines)
    return agreement.count, str(agreement)
