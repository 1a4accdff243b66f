# SPDX-License-Identifier: BSD-3-Clause
"""The C text of a model: its weights as hexadecimal numbers, which are exact, in the code of `_template`."""

import textwrap
from collections.abc import Sequence
from string import Template

import numpy as np

from .._engine.arguments import Array
from ._stages import Stage, place
from ._template import HEADER, SOURCE

WIDTH, INDENT = 120, " *     "  # of a line, and of one in a comment
ARRAYS = Stage._fields[4:]
TYPES = {np.dtype(np.float32): ("float", "f"), np.dtype(np.float64): ("double", "")}


def code(stages: Sequence[Stage], name: str, description: str) -> tuple[str, str]:
    """The header and the source of a model, whose functions begin with `name`."""
    kind, suffix = TYPES[stages[0].w_ih.dtype]
    arrays, rows = [], []
    for k, stage in enumerate(stages):
        names = []
        for field in ARRAYS:
            array = getattr(stage, field)
            names.append("NULL" if array is None else f"{field}_{k}")
            if array is not None:
                arrays.append(f"/* {safe(place(stage.name))}: {array.shape} */")
                arrays.append(f"static const number {field}_{k}[] = {{\n{numbers(array, suffix)}\n}};\n")
        rows.append(f"    {{FR_{stage.cell.upper()}, {stage.I}, {stage.H}, {', '.join(names)}}},")
    values = {
        "name": name,
        "guard": f"{name.upper()}_H",
        "type": kind,
        "model": textwrap.fill(safe(description), WIDTH, initial_indent=INDENT, subsequent_indent=INDENT),
        "inputs": stages[0].I,
        "outputs": stages[-1].H,
        "count": len(stages),
        "arrays": "\n".join(arrays),
        "stages": "\n".join(rows),
    }
    return Template(HEADER).substitute(values), Template(SOURCE).substitute(values)


def numbers(array: Array, suffix: str) -> str:
    """The elements in C, row after row."""
    words, many = [hexadecimal(value) + suffix for value in array.ravel().tolist()], 6 if suffix else 4
    return ",\n".join("    " + ", ".join(words[k : k + many]) for k in range(0, len(words), many))


def hexadecimal(value: float) -> str:
    """A finite number, exactly, without the zeros at its end: 0x1.8p+0."""
    mantissa, _, exponent = value.hex().partition("p")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}p{exponent}"


def safe(text: str) -> str:
    """Any text, as a comment of C can hold it."""
    return text.replace("*/", "* /").replace("/*", "/ *").encode("ascii", "backslashreplace").decode()
