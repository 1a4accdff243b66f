# SPDX-License-Identifier: BSD-3-Clause
"""Writes a page that shows a model at work, from the command line.

python -m fastrnn.inspect novel.safetensors --text novel.txt
python -m fastrnn.inspect signal.safetensors --array signal.npy --out signal.html
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any
from zipfile import BadZipFile

import numpy as np

from .. import io
from .._engine.arguments import Array, as_size
from ..io._container import replace
from ._report.report import report
from ._trace.tokenization import as_vocabulary, read_array, read_text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with its arguments, by default those of the process."""
    parser = argparse.ArgumentParser(
        prog="python -m fastrnn.inspect",
        description="Write an HTML page that shows the units, gates and outputs of a model at each step of a sequence.",
    )
    parser.add_argument("model", help="a file written by fastrnn.save")
    sequence = parser.add_mutually_exclusive_group(required=True)
    sequence.add_argument("--text", metavar="FILE", help="a UTF-8 text, read as tokens of the vocabulary")
    sequence.add_argument("--array", metavar="FILE", help="a .npy file with tokens (T,) or features (T, I)")
    parser.add_argument("--vocab", metavar="FILE", help="a JSON list of strings; default: the notes of the model")
    parser.add_argument("--out", metavar="FILE", help="the page to write; default: the name of the model with .html")
    parser.add_argument("--steps", type=int, default=5000, help="the largest number of steps; default: %(default)s")
    parser.add_argument("--window", type=int, default=40, help="steps of influence to show; default: %(default)s")
    options = parser.parse_args(arguments)
    out = options.out or os.path.splitext(options.model)[0] + ".html"
    try:
        content = make_page(options)
        replace(out, content.encode())
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")
    print(f"{out}: {len(content) / 1e6:.1f} MB")


def make_page(options: argparse.Namespace) -> str:
    """The report on the model and the sequence that the options name, as HTML."""
    steps = as_size("--steps", options.steps)
    model = io.load(options.model)
    vocabulary = read_vocabulary(options)
    if options.array:
        reading = read_array(model, read_npy(options.array)[:steps], vocabulary)
    else:
        if vocabulary is None:
            raise ValueError(
                f"{options.model}: expected a vocabulary in its notes, fastrnn.save(..., notes={{'vocabulary': ...}}), "
                "or --vocab; got neither"
            )
        text = read_file(options.text)
        if "\r" not in as_vocabulary(vocabulary):  # the model was trained on lines that end in \n
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        reading = read_text(model, text, vocabulary, steps)
    title = f"{os.path.basename(options.model)} reads {os.path.basename(options.text or options.array)}"
    return report(model, reading, title=title, window=options.window)


def read_vocabulary(options: argparse.Namespace) -> Any:
    """The vocabulary in --vocab, or in the notes of the model, or None."""
    if options.vocab is None:
        return io.load_notes(options.model).get("vocabulary")
    try:
        return json.loads(read_file(options.vocab))
    except json.JSONDecodeError as error:
        raise ValueError(f"{options.vocab}: not JSON ({error})") from None


def read_npy(path: str) -> Array:
    """An array with at least one axis."""
    try:
        with open(path, "rb") as file:
            array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile) as error:  # NumPy's own messages recommend to load pickles
        raise ValueError(f"{path}: truncated or not an array of numbers, as numpy.save writes it") from error
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise ValueError(f"{path}: expected one array of several steps, as numpy.save writes it")
    return array


def read_file(path: str) -> str:
    """A text file with its line ends unchanged."""
    with open(path, encoding="utf-8", newline="") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8 ({error})") from None


if __name__ == "__main__":
    main()
