# SPDX-License-Identifier: BSD-3-Clause
"""`make lib`: what is installed, what it exports, and that programs find it by pkg-config and by CMake."""

import re
import shutil
import tomllib

import pytest
from support.c_library import ROOT, C, compiler, declared, run, symbols, tool

from fastrnn import _core

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NUMBERS = re.match(r"(\d+)\.(\d+)\.(\d+)", VERSION).groups()
COMPATIBLE = NUMBERS[0] if NUMBERS[0] != "0" else ".".join(NUMBERS[:2])  # of the soname
ALLOCATORS = re.compile(r"_*(?:malloc|calloc|realloc|free|aligned_alloc|posix_memalign|memalign|valloc|strdup)(?:@.*)?")
PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(user LANGUAGES {kind})
find_package(fastrnn {version} REQUIRED)
foreach(library IN ITEMS fastrnn fastrnn_static)
  add_executable(with_${{library}} main.{suffix})
  target_link_libraries(with_${{library}} PRIVATE fastrnn::${{library}})
endforeach()
"""
MAIN = """\
#include <fastrnn.h>
#include <stdio.h>

int main(void)
{
    fr_init();
    printf("%s %d.%d.%d %d", fr_version(), FR_VERSION_MAJOR, FR_VERSION_MINOR, FR_VERSION_PATCH, fr_openmp());
    return 0;
}
"""
PRINTED = f"{VERSION} {'.'.join(NUMBERS)} {int(_core.openmp())}"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first of them compiles the library


def test_the_installed_header_has_the_version_and_the_cells(prefix, tmp_path):
    """Otherwise it is that of the sources, in one file."""
    source, installed = (ROOT / "csrc" / "fastrnn.h").read_text(), (prefix.path / "include" / "fastrnn.h").read_text()
    assert [path.name for path in (prefix.path / "include").iterdir()] == ["fastrnn.h"]
    replaced = re.compile(
        r"VERSION: |(losses|attention)\.h\"|\bCELL\b|cells\.h|^ +FR_N_CELLS|typedef enum { /\* FR_RNN"
    )
    missing = set(source.splitlines()) - set(installed.splitlines())
    assert missing == {line for line in source.splitlines() if replaced.search(line)}
    rows = re.findall(r"^CELL\((\w+),", (ROOT / "csrc" / "cells.h").read_text(), re.MULTILINE)
    asserts = "".join(f'_Static_assert(FR_{code} == {k}, "");\n' for k, code in enumerate([*rows, "N_CELLS"]))
    (tmp_path / "cells.c").write_text(f"#include <fastrnn.h>\n{asserts}")
    run(compiler(), *C, f"-I{prefix.path / 'include'}", "-c", tmp_path / "cells.c", "-o", tmp_path / "cells.o")


def test_the_shared_library_exports_the_functions_of_the_header_and_nothing_else(prefix):
    """And needs nothing that allocates, the OpenMP runtime aside."""
    library = prefix.lib / "libfastrnn.so"
    if not library.exists():
        pytest.skip("needs an ELF library")
    assert {name for _, name in symbols(library, "-D", "--defined-only")} == declared()
    needed = {name for _, name in symbols(library, "-D", "--undefined-only")}
    assert needed and not {name for name in needed if ALLOCATORS.fullmatch(name)}
    readelf = run(tool("readelf"), "-d", library).stdout
    assert re.search(r"\(SONAME\).*\[(.*)\]", readelf)[1] == f"libfastrnn.so.{COMPATIBLE}"
    assert (prefix.lib / f"libfastrnn.so.{VERSION}").is_file() and (prefix.lib / "libfastrnn.a").is_file()


def test_pkg_config_finds_it(prefix, tmp_path):
    """From where it was moved to; the static library with what it needs."""
    (tmp_path / "main.c").write_text(MAIN)
    assert prefix.pkg_config("--modversion") == [VERSION]
    flags, private = prefix.pkg_config("--cflags", "--libs"), prefix.pkg_config("--static", "--libs")
    static = [prefix.lib / "libfastrnn.a" if flag == "-lfastrnn" else flag for flag in private]
    run(compiler(), *C, tmp_path / "main.c", *flags, f"-Wl,-rpath,{prefix.lib}", "-o", tmp_path / "shared")
    run(compiler(), *C, tmp_path / "main.c", prefix.pkg_config("--cflags")[0], *static, "-o", tmp_path / "static")
    assert {run(tmp_path / kind).stdout for kind in ("shared", "static")} == {PRINTED}
    if shutil.which("ldd"):
        assert "libfastrnn" in run("ldd", tmp_path / "shared").stdout
        assert "libfastrnn" not in run("ldd", tmp_path / "static").stdout


@pytest.mark.parametrize(("kind", "suffix"), [("C", "c"), ("CXX", "cpp")])
def test_cmake_finds_it(kind, suffix, prefix, tmp_path):
    """Both libraries, in a project of C or of C++ alone."""
    (tmp_path / f"main.{suffix}").write_text(MAIN)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.format(kind=kind, suffix=suffix, version=".".join(NUMBERS[:2])))
    compilers = f"-DCMAKE_{kind}_COMPILER={compiler(kind)}"
    run(tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix.path}", compilers)
    run(tool("cmake"), "--build", tmp_path / "build")
    programs = [tmp_path / "build" / f"with_{library}" for library in ("fastrnn", "fastrnn_static")]
    assert [run(program).stdout for program in programs] == [PRINTED] * 2


@pytest.mark.parametrize("version", [f"{int(NUMBERS[0]) + 1}.0", "0.1"])
def test_cmake_refuses_it_for_another_version(version, prefix, tmp_path):
    (tmp_path / "main.c").write_text(MAIN)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.format(kind="C", suffix="c", version=version))
    command = [tool("cmake"), "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix.path}"]
    done = run(*command, check=False)
    assert done.returncode and "compatible" in re.sub(r"\s+", " ", done.stderr)
