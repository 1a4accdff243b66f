# SPDX-License-Identifier: BSD-3-Clause
"""The C text of a model: exact numbers, comments that end where they should."""

import re
import subprocess

import numpy as np
import pytest
from support.c_library import STRICT, compiler, run

import fastrnn as fr
from fastrnn.export._code import code, hexadecimal, numbers, safe
from fastrnn.export._stages import stages

HARD = [0.0, -0.0, 1.0, -1.5, 0.1, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 2.0**-149, 3.4028235e38]


def test_numbers_have_no_zeros_at_their_ends():
    assert [*map(hexadecimal, (0.0, -0.0, 1.0, -1.5))] == ["0x0p+0", "-0x0p+0", "0x1p+0", "-0x1.8p+0"]


@pytest.mark.parametrize("value", HARD)
def test_a_number_is_exact(value):
    assert np.float64(float.fromhex(hexadecimal(value))).tobytes() == np.float64(value).tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_compiler_reads_the_bits(dtype, tmp_path, rng):
    """Also those of the smallest numbers, and of any other."""
    bits = rng.integers(0, 2 ** (8 * dtype().itemsize), 1000, dtype=f"u{dtype().itemsize}")
    values = np.concatenate([np.array([v for v in HARD if v < 1e39 or dtype is np.float64], dtype), bits.view(dtype)])
    values = values[np.isfinite(values)]
    kind, suffix = ("float", "f") if dtype is np.float32 else ("double", "")
    source = tmp_path / "numbers.c"
    source.write_text(
        f"#include <stdio.h>\nstatic const {kind} v[] = {{\n{numbers(values, suffix)}\n}};\n"
        "int main(void) { return fwrite(v, sizeof v, 1, stdout) != 1; }\n"
    )
    run(compiler(), "-std=c11", *STRICT, source, "-o", tmp_path / "numbers")
    assert subprocess.run([tmp_path / "numbers"], capture_output=True, check=True).stdout == values.tobytes()


def test_lines_are_short():
    header, source = code(stages(fr.LSTM(30, 20, dtype=np.float64)), "m", "x " * 500)
    assert max(map(len, (header + source).splitlines())) <= 120


def test_no_text_ends_a_comment():
    assert safe("a */ b /* é") == "a * / b / * \\xe9"
    header, source = code(stages(fr.Sequential(**{"a*/int x;/*": fr.Linear(2, 2)})), "m", "*/ #error")
    for text in (header, source):
        assert not re.search(r"int x;|#error", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))


def test_the_functions_have_the_name():
    header, source = code(stages(fr.Linear(2, 3)), "my_net", "")
    for text in (header, source):
        assert {f"my_net_{end}(" for end in ("bytes", "init", "step", "reset")} <= set(
            re.findall(r"my_net_\w+\(", text)
        )
    assert "$" not in header + source and "MY_NET_H" in header and "my_net_OUTPUTS = 3" in header
