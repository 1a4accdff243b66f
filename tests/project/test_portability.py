# SPDX-License-Identifier: BSD-3-Clause
"""`make portability`: what it compares, what it says, and that it holds on this machine."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from portability import __main__ as command
from portability import builds, drivers, pythons, results, shell
from portability.shell import Failed, NotRun, Row

ROOT = Path(__file__).resolve().parents[2]
ARRAYS = {  # (dtype, case, array): values
    ("float32", "lstm", "y"): np.linspace(-1, 1, 7, dtype=np.float32),
    ("float64", "lstm", "y"): np.linspace(-2, 2, 5),
}


@pytest.fixture
def write(tmp_path):
    """Writes arrays as the driver does; returns what `read` makes of it."""

    def write(arrays, engine="baseline", fused=0, endian="little"):
        index, data = [f"{endian} endian"], b""
        for (dtype, case, array), values in arrays.items():
            line = (engine, fused, dtype, case, array, 8, 4, 0, len(values), "0" * 16)
            index.append("\t".join(map(str, line)))
            data += values.astype(values.dtype.newbyteorder("<" if endian == "little" else ">")).tobytes()
        (tmp_path / "index.tsv").write_text("\n".join(index) + "\n")
        (tmp_path / "values.bin").write_bytes(data)
        return results.read(tmp_path / "index.tsv", tmp_path / "values.bin")

    return write


def changed(key, change):
    """The arrays, with a change to a copy of one of them."""
    arrays = {name: values.copy() for name, values in ARRAYS.items()}
    change(arrays[key])
    return arrays


def flip_a_bit(values):
    values.view(np.uint8)[-8] ^= 1  # the lowest bit of the last float64, or of the last float32 but one


def test_equal_bits_pass_in_either_order_of_bytes(write):
    expected = write(ARRAYS)
    for endian in ("little", "big"):
        agreement = results.compare(write(ARRAYS, endian=endian), expected, {"baseline"})
        assert (agreement.equal, agreement.close) == (12, {})


@pytest.mark.parametrize("key", ARRAYS, ids=lambda key: key[0])
def test_a_flipped_bit_fails(write, key):
    with pytest.raises(Failed, match=f"baseline {key[0]} lstm y: 1 of .* values have other bits"):
        results.compare(write(changed(key, flip_a_bit)), write(ARRAYS), {"baseline"})


@pytest.mark.parametrize("key", ARRAYS, ids=lambda key: key[0])
@pytest.mark.parametrize("engine, fused", [("baseline", 1), ("avx2", 1), ("other", 0)])
def test_an_engine_that_rounds_otherwise_is_compared_within_the_tolerance(write, key, engine, fused):
    expected, limit = write(ARRAYS), results.tolerance(key[0], terms=8, steps=4)

    def move(by):
        def change(values):
            values[0] -= by * limit * abs(values[0])  # it has the largest magnitude

        return write(changed(key, change), engine, fused)

    agreement = results.compare(move(0.5), expected, {engine})
    assert agreement.equal == 0 and sum(agreement.close.values()) == 12
    assert 0.4 * limit < agreement.largest[key[0]] < 0.6 * limit
    with pytest.raises(Failed, match=f"{engine} {key[0]} lstm y: error"):
        results.compare(move(1.5), expected, {engine})


def test_engines_of_one_run_are_compared_with_its_baseline(write):
    def double(values):
        values *= 2

    run, other = write(ARRAYS), write(changed(("float64", "lstm", "y"), double), "avx2", 1)
    with pytest.raises(Failed, match="avx2 float64 lstm y: error"):
        results.compare_engines({key: run[key] | other[key] for key in run})


def test_a_value_that_is_not_finite_fails(write):
    arrays = changed(("float32", "lstm", "y"), lambda values: values.fill(np.nan))
    with pytest.raises(Failed, match="not finite"):
        results.compare(write(arrays), write(arrays), {"baseline"})


def test_what_is_in_one_run_only_fails(write):
    with pytest.raises(Failed, match="1 of 2 arrays are in one run only"):
        results.compare(write(dict(list(ARRAYS.items())[:1])), write(ARRAYS), {"baseline"})
    with pytest.raises(Failed, match="engines: expected .*avx2"):
        results.compare(write(ARRAYS), write(ARRAYS), {"avx2", "baseline"})
    short = {key: values[:-1] for key, values in ARRAYS.items()}
    with pytest.raises(Failed, match="6 values, expected 7"):
        results.compare(write(short), write(ARRAYS), {"baseline"})


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"1"])
def test_a_file_of_another_size_is_refused(write, tmp_path, change):
    write(ARRAYS)
    path = tmp_path / "values.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Failed, match="ends within|too many"):
        results.read(tmp_path / "index.tsv", path)


ROWS = [
    Row("compilers", "gcc", "3 M", "pass", 1.2),
    Row("clang", "package", "", "not run", 0.0, "no clang", ("clang",)),
]


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command with parts that stand in for the real ones; returns what it prints and ends with."""

    def run(rows, *arguments):
        monkeypatch.setattr(command, "PARTS", {"some": (lambda: rows, [])})
        with pytest.raises(SystemExit) as end:
            command.main(arguments)
        return capsys.readouterr(), end.value.code

    return run


def test_the_table_and_the_exit_code(run):
    printed, code = run(ROWS)
    assert code is None
    assert "compilers  gcc                3 M    pass     1" in printed.out
    assert "clang      package                   not run  0        no clang" in printed.out
    assert run([*ROWS, Row("s390x", "gcc", "", "FAIL", 0.0)])[1] == "1 of 3 have failed."
    assert run(ROWS[1:])[1] == "Nothing has run."


def test_an_unknown_part_is_refused(run):
    printed, code = run(ROWS, "some", "sparc")
    assert code == 2 and "parts: expected some of some; got sparc" in printed.err


def test_what_is_missing_is_named():
    """A compiler or an emulator that is not here: its packages, and no failure."""
    build = builds.Build("vax", "no-such-gcc", packages=("gcc-vax",), emulators=("no-such-qemu",))
    assert builds.missing_packages([build]) == ["gcc-vax", "qemu-user-static"]
    row = shell.attempt("vax", "gcc", lambda: builds.compare_with_reference(build))
    assert (row.result, row.remark, row.packages) == ("not run", "no-such-gcc is not installed", ("gcc-vax",))
    with pytest.raises(NotRun, match="python9.9 is neither on PATH"):
        pythons.on_interpreter("python9.9")


def test_a_command_that_fails_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(shell, "ROOT", tmp_path)
    monkeypatch.setattr(shell, "BUILD", tmp_path / "build")
    code = "print('x.c:1: error: no'); print('stopped'); raise SystemExit(3)"
    row = shell.attempt("part", "", lambda: shell.run("it", sys.executable, "-c", code, cwd=tmp_path))
    assert row[3:] == ("FAIL", row.seconds, "it ended with code 3: x.c:1: error: no (see build/logs/it.log)", ())
    assert "stopped" in (tmp_path / "build" / "logs" / "it.log").read_text()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_compilers_and_machines_agree():
    """Those that are here; the table names the others."""
    words = [sys.executable, "-m", "portability", "compilers", *drivers.MACHINES]
    process = subprocess.run(words, cwd=ROOT / "tests", capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    assert re.search(r"compilers .* pass ", process.stdout)
