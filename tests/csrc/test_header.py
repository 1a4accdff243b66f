# SPDX-License-Identifier: BSD-3-Clause
"""fastrnn.h as C and C++ read it, and what the objects behind it define and need."""

import re

import numpy as np
import pytest
from support.c_library import CSRC, CXX, C, build_program, compiler, declared, rows_of, run, symbols

from fastrnn import _core

PROGRAM = """\
#include "fastrnn.h"
#include <stdio.h>

void (*functions[])(void) = {{{functions}}};

int main(void)
{{
    fr_cell_info info;
    const float x[3] = {{1, 2, 3}};
    double sum = 0;
    int isa = 0;
    fr_init();
    while (!fr_isa_usable(isa))
        isa++;
    if (fr_get_cell_info(FR_LSTM, &info) != FR_OK || fr_sum_of_squares(isa, FR_F32, 3, x, &sum) != FR_OK)
        return 1;
    fprintf(stderr, "%s %s %s", fr_version(), info.name, fr_isa_name(isa));
    printf("%a\\n", sum);
    return 0;
}}
"""
ALLOCATORS = {"malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign", "memalign", "valloc", "strdup"}


@pytest.mark.parametrize(("kind", "suffix"), [("C", "c"), ("CXX", "cpp")])
def test_a_program_compiles_without_a_warning_and_links(kind, suffix, baseline_library, tmp_path):
    """It refers to every function that the header declares: C++ finds them by the names that C gave them."""
    names = sorted(declared())
    assert len(names) > 20
    source = tmp_path / f"program.{suffix}"
    source.write_text(PROGRAM.format(functions=", ".join(f"(void (*)(void)){name}" for name in names)))
    program = build_program(tmp_path, [source], f"-I{CSRC}", baseline_library, "-lm", kind=kind)
    done = run(program)
    assert done.stderr == "unversioned lstm baseline"
    np.testing.assert_array_equal(rows_of(done.stdout), [[14]])


@pytest.mark.parametrize(("kind", "standard", "language"), [("C", C, "c"), ("CXX", CXX, "c++")])
def test_the_header_needs_nothing_before_it_and_can_be_included_twice(kind, standard, language, tmp_path):
    source = tmp_path / "twice"
    source.write_text('#include "fastrnn.h"\n#include "fastrnn.h"\nfr_desc d;\n')
    run(compiler(kind), *standard, f"-I{CSRC}", "-x", language, "-c", source, "-o", tmp_path / "twice.o")


def test_objects_define_only_names_of_the_library(baseline_library):
    """Of those that other objects see, static ones aside; and all that the header declares."""
    defined = {name for kind, name in symbols(baseline_library, "--defined-only", "--extern-only")}
    assert declared() <= defined
    assert {name for name in defined if not re.match(r"_?fr_", name)} == set()  # macOS puts an underscore before each


def test_no_object_refers_to_a_function_that_allocates(baseline_library):
    needed = {name.lstrip("_") for kind, name in symbols(baseline_library, "--undefined-only")}
    assert "memcpy" in needed or "memset" in needed
    assert needed & ALLOCATORS == set()


def test_functions_for_tests_are_marked_as_no_api():
    """They stand in the last section, and the sections before it have none of them."""
    header = (CSRC / "fastrnn.h").read_text()
    api, _, rest = header.partition("/* Not API:")
    tests = {name for name in declared() if re.match("fr_test_|fr_run_probe|fr_act_name|fr_probe_name", name)}
    assert len(tests) >= 6 and tests == set(re.findall(r"\b(fr_\w+)\(", rest)) & declared()
    assert not any(f"{name}(" in api for name in tests)


def test_cells_have_the_numbers_that_the_bindings_use():
    """In the order of the rows of cells.h: a program is compiled with the numbers."""
    rows = re.findall(r'^CELL\(([A-Z_]+), *"(\w+)"', (CSRC / "cells.h").read_text(), re.MULTILINE)
    assert [name for _, name in rows] == list(_core.CELLS)
    assert [code for code, _ in rows] == [name.upper() for name in _core.CELLS]
