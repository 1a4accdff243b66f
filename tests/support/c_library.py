# SPDX-License-Identifier: BSD-3-Clause
"""The C library, built for tests, and programs that use it."""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fastrnn import _core

ROOT = Path(__file__).resolve().parents[2]
CSRC, EXAMPLE = ROOT / "csrc", ROOT / "examples" / "c"
STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")
C, CXX = ("-std=c11", *STRICT), ("-std=c++17", *STRICT)
# Those of CMakeLists.txt on which numbers depend.
NUMBERS = ("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off")


def tool(*names):
    """The path of the first of these programs that is beside this Python or on the PATH; else the test is skipped."""
    beside = Path(sys.executable).parent
    for name in names:
        for path in (shutil.which(name, path=str(beside)), shutil.which(name)):
            if path:
                return path
    pytest.skip(f"no {' or '.join(names)} here")


@functools.cache
def compiler(kind="C"):
    """The command that compiles "C" or "CXX": that of this Python if it is here."""
    own = shlex.split(sysconfig.get_config_var({"C": "CC", "CXX": "CXX"}[kind]) or "")[:1]
    return tool(*own, *{"C": ("cc", "gcc", "clang"), "CXX": ("c++", "g++", "clang++")}[kind])


def run(*command, check=True, **options):
    """A command in a process of its own, which succeeds unless told; by default in `environment()`."""
    options = {"env": environment(), "text": True} | options
    done = subprocess.run([*map(str, command)], capture_output=True, **options)
    assert not check or done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done


def build_baseline(folder):
    """The library with its baseline engine alone, serial and hardly optimized: seconds, not a minute. Its archive.

    Its numbers have the bits of the optimized library.
    """
    objects = []
    for source in sorted(CSRC.glob("*.c")):
        objects.append((source, ()))
    objects += [
        (CSRC / "engine" / "engine.c", (f"-DFR_BITS={b}", f"-DFR_ENGINE=fr_engine_baseline_f{b}")) for b in (32, 64)
    ]
    archive, paths = folder / "libfastrnn.a", []
    for k, (source, defines) in enumerate(objects):
        paths.append(folder / f"{k}-{source.stem}.o")
        run(compiler(), "-std=c11", "-O1", *NUMBERS, "-Wno-unknown-pragmas", *defines, "-c", source, "-o", paths[-1])
    run(tool("ar"), "rcs", archive, *paths)
    return archive


def build_program(folder, sources, *flags, kind="C"):
    """A program of sources, with flags of the linker after them."""
    program = folder / "program"
    standard = C if kind == "C" else CXX
    run(compiler(kind), *standard, "-O1", *sources, *flags, "-o", program)
    return program


def build_stream(folder, *flags):
    """examples/c, with flags that find the header and the library."""
    return build_program(folder, sorted(EXAMPLE.glob("*.c")), *flags)


def text_of(rows):
    """Rows of numbers as a program reads them, exactly."""
    return "\n".join(" ".join(float(value).hex() for value in row) for row in rows)


def rows_of(text):
    """What a program printed, as float64."""
    return np.array([[float.fromhex(word) for word in line.split()] for line in text.splitlines()])


def declared():
    """The functions that fastrnn.h declares, and the header that it includes."""
    text = "".join((CSRC / name).read_text() for name in ("fastrnn.h", "losses.h", "attention.h", "pooling.h"))
    code = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    return set(re.findall(r"^(?!typedef)[a-z]\w*(?: \w+)*[ *]+(fr_\w+)\(", code, re.MULTILINE))


def symbols(path, *options):
    """(kind, name) of the symbols that nm lists."""
    lines = run(tool("nm"), *options, path).stdout.splitlines()
    return {tuple(line.split()[-2:]) for line in lines if len(line.split()) > 1 and not line.endswith(":")}


def environment(isa=None):
    """That of this process, but with an engine of choice or the best, and without the libraries of a sanitizer."""
    env = {name: value for name, value in os.environ.items() if name not in ("FASTRNN_ISA", "LD_PRELOAD")}
    return env | ({} if isa is None else {"FASTRNN_ISA": isa})


class Prefix(NamedTuple):
    """An installed library."""

    path: Path

    @property
    def lib(self):
        return next(path for path in (self.path / "lib", self.path / "lib64") if (path / "cmake").is_dir())

    @property
    def env(self):
        """The environment in which pkg-config finds it."""
        return environment() | {"PKG_CONFIG_PATH": str(self.lib / "pkgconfig")}

    def pkg_config(self, *arguments):
        return run(tool("pkg-config"), *arguments, "fastrnn", env=self.env).stdout.split()


def install(folder):
    """Build the library as `make lib` builds it, with threads if Python has them, install it, and move it."""
    cmake, installed = tool("cmake"), folder / "installed"
    options = ["-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_INSTALL_PREFIX={installed}", "-DFASTRNN_MODULE=OFF"]
    options.append(f"-DFASTRNN_OPENMP={'ON' if _core.openmp() else 'OFF'}")
    run(cmake, "-S", ROOT, "-B", folder / "build", *options)
    run(cmake, "--build", folder / "build", "--parallel", "2")
    run(cmake, "--install", folder / "build")
    shutil.rmtree(folder / "build")
    return Prefix(installed.rename(folder / "moved"))
