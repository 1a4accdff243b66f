# SPDX-License-Identifier: BSD-3-Clause
"""Files, functions and signatures are short: one that grows past the limit holds two ideas."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 250  # of a file
MAX_BODY = 60  # lines of a function, without its docstring
MAX_PARAMETERS = 8

FOLDERS = ("csrc", "src", "tests", "benchmarks", "examples", "docs")
SUFFIXES = {".c", ".h", ".def", ".py", ".pyx", ".pxd", ".pxi", ".pyi", ".js", ".css", ".html"}
FILES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*")
    if path.suffix in SUFFIXES
    and not {"generated", "__pycache__"} & set(path.parts)
    and "src/fastrnn/benchmarks" not in str(path)
)
PYTHON = [path for path in FILES if path.suffix == ".py"]
# Public functions whose options are keywords, one by one documented: they are constructors in all but name.
CONSTRUCTORS = {"__init__", "cross_entropy", "ctc_loss", "evaluate", "fit", "linear_cross_entropy", "truncated_bptt"}


def relative(path):
    return str(path.relative_to(ROOT))


def test_files_are_short():
    lines = {relative(path): path.read_text().count("\n") for path in FILES}
    assert len(lines) > 300
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function):
    """The lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(getattr(first, "value", None), ast.Constant)
    docstring = first.end_lineno - first.lineno + 1 if documented and isinstance(first.value.value, str) else 0
    return function.end_lineno - function.lineno + 1 - docstring


def parameters(function):
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in named if argument.arg not in ("self", "cls")]


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_functions_and_signatures_are_short(path):
    long = {f.name: body_lines(f) for f in functions(path) if body_lines(f) > MAX_BODY}
    wide = {f.name: len(parameters(f)) for f in functions(path) if len(parameters(f)) > MAX_PARAMETERS}
    allowed = CONSTRUCTORS | ({name for name in wide if name.startswith("plot_")} if "inspect" in path.parts else set())
    allowed |= set(wide) if path.parts[-2] in ("golden",) or "tests" in path.parts else set()
    assert (long, {name: count for name, count in wide.items() if name not in allowed}) == ({}, {})


C_FUNCTION = re.compile(
    r"^(?:static |INLINE )*[\w ]+[\s*]+(?:const )?(\w+)\(([^;{}]*)\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix in (".c", ".h")], ids=relative)
def test_c_functions_and_signatures_are_short(path):
    found = C_FUNCTION.findall(path.read_text())
    assert {name: body.count("\n") for name, _, body in found if body.count("\n") > MAX_BODY} == {}
    widths = {name: re.sub(r"\([^()]*\)", "", given).count(",") + 1 for name, given, _ in found}
    assert {name: width for name, width in widths.items() if width > MAX_PARAMETERS} == {}
