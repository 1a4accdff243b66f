# SPDX-License-Identifier: BSD-3-Clause
"""Reading untrusted files for the command: texts, vocabularies, arrays."""

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib import format as npy

from ..._engine.arguments import Array
from ...io._container import LARGEST_HEADER
from ...io._files import open_regular

LARGEST = 1 << 28  # bytes of a text or an array
PAGE = b'<meta name="generator" content="fastrnn.inspect">'  # what a page begins with, as page.html has it


def read_file(path: str, largest: int = LARGEST) -> bytes:
    """All bytes of a regular file."""
    with open_regular(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"{path}: expected at most {largest:,} bytes, got more")
    return content


def read_utf8(path: str, largest: int = LARGEST) -> str:
    """A text with its line ends unchanged."""
    try:
        return read_file(path, largest).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 ({error})") from None


def read_json(path: str) -> Any:
    """Any JSON; parsed, it may take 25 times the memory of its text."""
    text = read_utf8(path, LARGEST_HEADER)
    try:
        return json.loads(text)
    except ValueError as error:  # of numbers of thousands of digits, too
        raise ValueError(f"{path}: not JSON ({error})") from None
    except RecursionError:
        raise ValueError(f"{path}: nested too deeply") from None


def read_signal(path: str) -> tuple[Array, list[str] | None]:
    """An array with at least one axis, and the names of its columns, which only CSV can have."""
    return read_csv(path) if path.lower().endswith(".csv") else (read_npy(path), None)


def read_npy(path: str) -> Array:
    """The array of a .npy file, for which no more memory is allocated than the file has bytes."""
    content = read_file(path)
    several = f"{path}: expected one array of several steps, as numpy.save writes it, got"
    other = f"{path}: truncated or not an array of numbers, as numpy.save writes it"
    if content[:4] == b"PK\3\4":
        raise ValueError(f"{several} an archive")
    file = io.BytesIO(content)
    try:
        read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    except Exception as error:  # of many kinds, tokenize.TokenError among them; some messages recommend to load pickles
        raise ValueError(other) from error
    claimed, got = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if dtype.hasobject:
        raise ValueError(f"{path}: expected numbers, got Python objects, which are not read because they can run code")
    if claimed > got or min(shape, default=0) < 0:
        raise ValueError(f"{other} (its header describes an array of shape {shape}, {claimed:,} bytes, got {got:,})")
    if not shape:
        raise ValueError(f"{several} a single number")
    file.seek(0)
    return np.load(file, allow_pickle=False)


def read_csv(path: str) -> tuple[Array, list[str] | None]:
    """Numbers (T, columns) that commas separate, and the names in the first row if it has no number."""
    reader = csv.reader(io.StringIO(read_utf8(path).removeprefix("\ufeff"), newline=""))
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{path}: not CSV, at line {reader.line_num} ({error})") from None
    names = None
    if rows and not any(map(is_number, rows[0][1])):
        names = [name.strip() for name in rows.pop(0)[1]]
    if not rows:
        raise ValueError(f"{path}: expected at least one row of numbers, got none")
    columns = len(names or rows[0][1])
    for k, row in rows:
        wrong = [cell for cell in row if not is_number(cell)]
        if wrong or len(row) != columns:
            got = repr(wrong[0])[:40] if wrong else f"{len(row)} numbers"
            raise ValueError(f"{path}: expected {columns} numbers that commas separate, got {got} at line {k}")
    return np.array([[float(cell) for cell in row] for _, row in rows]), names


def is_number(cell: str) -> bool:
    """Whether a cell is a number, as Python reads it."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def check_output(out: str, inputs: Sequence[str], overwrite: bool = False) -> None:
    """Raise unless `out` can be written without replacing one of the inputs, or with `overwrite` no page."""
    folder = os.path.dirname(os.path.realpath(out))
    if not os.path.isdir(folder):
        raise ValueError(f"--out: expected a file in a folder that exists, got {out}")
    if os.path.isdir(out):
        raise ValueError(f"--out: expected a file, got the folder {out}")
    for path in inputs:
        if os.path.exists(out) and os.path.exists(path) and os.path.samefile(out, path):
            which = "" if out == path else f", which is {path}"
            raise ValueError(f"--out: expected a file other than those that are read, got {out}{which}")
    if not overwrite and os.path.exists(out) and os.path.getsize(out):
        with open_regular(out) as file:
            if PAGE not in file.read(1000):
                raise ValueError(f"--out: {out} is no page of this command; --overwrite replaces it")
