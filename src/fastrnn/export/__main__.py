# SPDX-License-Identifier: BSD-3-Clause
"""Writes a model file as C, from the command line.

python -m fastrnn.export model.safetensors -o src
"""

import argparse
import os
import sys
from collections.abc import Sequence

from .. import io
from ..io._command import run
from ._c import export_c


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with its arguments, by default those of the process."""
    parser = argparse.ArgumentParser(
        prog="python -m fastrnn.export",
        description="Write a model as a C source and its header, for a program that links the fastrnn library.",
    )
    parser.add_argument("model", help="a file written by fastrnn.save")
    parser.add_argument("-o", "--out", metavar="DIR", default=".", help="the folder to write to; default: this one")
    parser.add_argument(
        "--name", help="of the files, and what the functions begin with; default: the name of the model file"
    )
    options = parser.parse_args(arguments)
    try:
        paths = export_c(io.load(options.model), options.out, name_of(options.model, options.name))
    except BrokenPipeError:  # of stdout: see `run`
        raise
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")
    for path in paths:
        print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB")


def name_of(path: str, name: str | None) -> str:
    """The name that was given, or that of the file, with _ for a hyphen."""
    return os.path.splitext(os.path.basename(path))[0].replace("-", "_") if name is None else name


if __name__ == "__main__":
    run(main)
