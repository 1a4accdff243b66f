# SPDX-License-Identifier: BSD-3-Clause
"""The parts that run the driver: compilers, and machines that are emulated."""

import os
import platform

from portability import results
from portability.builds import REFERENCE, Build, compare_with_reference, reference
from portability.shell import NotRun, attempt

GCC, CLANG = REFERENCE.packages, ("clang", "libomp-dev")
CLANG_PROGRAM = os.environ.get("CLANG", "clang")  # CLANG=clang-19: another version

COMPILERS = [
    Build("gcc -O3 -flto", "gcc", ("-O3", "-flto"), GCC),
    Build("gcc -O0", "gcc", ("-O0",), GCC),
    Build("gcc without OpenMP", "gcc", ("-O2",), GCC, openmp=False),
    Build("clang -O2", CLANG_PROGRAM, ("-O2",), CLANG),
    Build("clang -O3", CLANG_PROGRAM, ("-O3",), CLANG),
]
BY_CLANG = COMPILERS[-1]  # builds the package too


def cross(name, *options, triplet=None, libraries, emulators=None, compiler=None):
    """A build for another machine with Debian's cross compiler, linked statically."""
    triplet = triplet or f"{name}-linux-gnu"
    emulators = (f"qemu-{name}-static", f"qemu-{name}") if emulators is None else emulators
    packages = (f"gcc-{triplet}", libraries)
    return Build(name, f"{triplet}-gcc", ("-O2", "-static", *options), packages, name, emulators)


LINUX_HEADERS = tuple(f"-idirafter{path}" for path in (f"/usr/include/{platform.machine()}-linux-gnu", "/usr/include"))
MACHINES = {
    "aarch64": cross("aarch64", libraries="libc6-dev-arm64-cross"),
    "riscv64": cross("riscv64", libraries="libc6-dev-riscv64-cross"),
    "s390x": cross("s390x", libraries="libc6-dev-s390x-cross"),
    "i386": cross("i386", triplet="i686-linux-gnu", libraries="libc6-dev-i386-cross"),
    # the headers of Linux are those of the system
    "musl": Build("musl", "musl-gcc", ("-O2", "-static", *LINUX_HEADERS), ("musl-tools",), openmp=False),
}


def compilers():
    """The same bits by every compiler, on every engine of this machine."""
    yield attempt("compilers", "gcc -O2: engines with the baseline", engines_agree)
    for build in COMPILERS:
        yield attempt("compilers", f"{build.name} with gcc -O2", lambda build=build: compare_with_reference(build))


def engines_agree():
    agreement = results.compare_engines(reference())
    return agreement.count, str(agreement)


def machine(name):
    """The baseline engine of another machine, under emulation."""

    def action():
        if name in (platform.machine(), {"x86_64": "amd64"}.get(platform.machine())):
            raise NotRun("it is this machine")
        return compare_with_reference(MACHINES[name])

    yield attempt(name, f"{MACHINES[name].compiler} with gcc -O2", action)
