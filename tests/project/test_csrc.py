# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the C sources that can be read off them."""

import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "csrc" / "engine"
C_FILES = sorted((ROOT / "csrc").rglob("*.[ch]"))


def code_of(path):
    """C without its comments."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(), flags=re.DOTALL)


FORBIDDEN_IN_C = {  # what: (pattern, the files that may)
    "Python": (r"Python\.h|\bPy[A-Z_]\w+", ()),
    "allocation": (r"\b(?:malloc|calloc|realloc|\w*alloca?|posix_memalign|strdup|free)\s*\(", ()),
    "ending or printing": (r"\b(?:_?exit|abort|\w*printf|f?puts|perror)\s*\(", ()),
    "OpenMP tasks": (r"\bomp\s+task", ()),
    "another OpenMP construct": (r"#\s*pragma\s+omp\b", ("team.h",)),
    "intrinsics": (r"\b_mm|\bvfmaq|\bv(?:ld|st)1q", ("simd.h", "act.h", "barrier.h")),
    "instruction sets": (r"__(?:AVX|FMA|SSE|ARM_NEON)", ("simd.h", "act.h", "dispatch.c")),
    "a branch on the cell": (r"cell\s*==|case\s+FR_(?:RNN|LSTM|GRU|LINEAR)", ()),
}


@pytest.mark.parametrize("what", FORBIDDEN_IN_C)
def test_c_keeps_away_from(what):
    """The C code of every file but those that exist for it, comments aside."""
    pattern, may = FORBIDDEN_IN_C[what]
    found = [(path.name, re.findall(pattern, code_of(path))) for path in C_FILES]
    assert C_FILES and [(name, hits) for name, hits in found if hits and name not in may] == []


def test_there_is_one_parallel_region():
    """It is in team.h and says how many threads it wants."""
    pattern = r"#\s*pragma\s+omp\s+parallel\b.*"
    regions = [(p.name, line) for p in C_FILES for line in re.findall(pattern, code_of(p))]
    assert [name for name, _ in regions] == ["team.h"]
    assert "num_threads(" in regions[0][1]


def test_an_engine_header_uses_only_what_stands_before_it():
    """C wants a declaration before its use, so it is enough that the includes keep their order."""
    parts = "simd square limits act gemm barrier team arena cell sparse pack rows cost plan forward_call".split()
    parts += "products forward backward_call transposed across grads backward move_rows update wide norm pool".split()
    parts += "softmax cross_entropy scaled lattice ctc dots attend attend_back probe".split()
    cells = {path.name for path in ENGINE.glob("cell_*.h")}
    wanted = {f"{part}.h": set() for part in parts} | dict.fromkeys(cells, set())
    wanted |= {"simd.h": {"../fastrnn.h"}, "cell.h": cells | {"../cells.h"}}
    includes = {p.name: re.findall(r'#\s*include\s+"(.*)"', code_of(p)) for p in ENGINE.iterdir()}
    assert includes.pop("engine.c") == ["../engine.h", *(f"{part}.h" for part in parts)]
    assert {name: set(found) for name, found in includes.items()} == wanted


def test_the_build_asks_for_no_flag_that_changes_numbers_or_machines():
    """No -march=native, no -ffast-math, and contraction is off."""
    flags = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text())
    assert not re.search(r"-march|-mtune|fast-math|-Ofast|-funsafe|-ffinite", flags)
    assert "-ffp-contract=off" in flags


def compiled(compiler, *flags):
    """What the compiler has to say about engine.c; its code is not 0 if that is a warning."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    command = [
        compiler,
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Werror",
        *flags,
        "-c",
        ENGINE / "engine.c",
        "-o",
        "/dev/null",
    ]
    return subprocess.run(command, capture_output=True, text=True)


by_compiler = pytest.mark.parametrize("compiler", ["gcc", "clang"])


@by_compiler
@pytest.mark.parametrize("bits", [32, 64])
def test_an_engine_compiles_without_a_warning(compiler, bits):
    """Unoptimized and serial too, where nothing is inlined and pragmas are not known."""
    done = compiled(compiler, "-O0", f"-DFR_BITS={bits}", "-Wno-unknown-pragmas")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the x87 is the one unit here that rounds otherwise")
def test_an_engine_does_not_compile_for_excess_precision():
    done = compiled("gcc", "-mfpmath=387")
    assert done.returncode and "every operation must round to its own type" in done.stderr
