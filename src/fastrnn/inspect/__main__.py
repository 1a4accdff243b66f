# SPDX-License-Identifier: BSD-3-Clause
"""A page that shows a model at work, from the command line.

python -m fastrnn.inspect novel.safetensors --text novel.txt
python -m fastrnn.inspect signal.safetensors --array signal.npy --out signal.html
"""

import argparse
import json
import os
import sys
from zipfile import BadZipFile

import numpy as np

from ..io import _models as files
from ..io._container import replace
from ._report.report import report
from ._trace.tokenization import as_vocabulary, read_array, read_text


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m fastrnn.inspect",
        description="Write a page of HTML that shows units, gates and outputs of a model at each step of a sequence.",
    )
    parser.add_argument("model", help="a file that fastrnn.save wrote")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--text", metavar="FILE", help="UTF-8; read as tokens of the vocabulary")
    given.add_argument("--array", metavar="FILE", help=".npy: tokens (T,) or features (T, I)")
    parser.add_argument("--vocab", metavar="FILE", help="JSON, a list of strings; default: the model's notes")
    parser.add_argument("--out", metavar="FILE", help="default: the model's name with .html")
    parser.add_argument("--steps", type=int, default=5000, help="read no more than these; default: %(default)s")
    parser.add_argument("--window", type=int, default=40, help="of influence, in steps; default: %(default)s")
    options = parser.parse_args(arguments)
    out = options.out or os.path.splitext(options.model)[0] + ".html"
    try:
        content = make(options)
        replace(out, content.encode())
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")
    print(f"{out}: {len(content) / 1e6:.1f} MB")


def make(options):
    """The page."""
    if options.steps < 1:
        raise ValueError(f"--steps: expected at least 1, got {options.steps}")
    model = files.load(options.model)
    vocabulary = read_vocabulary(options)
    if options.array:
        reading = read_array(model, read_npy(options.array)[: options.steps], vocabulary)
    else:
        if vocabulary is None:
            raise ValueError(
                f"{options.model}: expected a vocabulary in its notes, fastrnn.save(..., notes={{'vocabulary': ...}}), "
                "or --vocab; got neither"
            )
        text = read_file(options.text)
        if "\r" not in as_vocabulary(vocabulary):  # it was trained on lines as Python ends them
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        reading = read_text(model, text, vocabulary, options.steps)
    title = f"{os.path.basename(options.model)} reads {os.path.basename(options.text or options.array)}"
    return report(model, reading, title=title, window=options.window)


def read_vocabulary(options):
    """That of --vocab, or of the model's notes, or None."""
    if options.vocab is None:
        return files.load_notes(options.model).get("vocabulary")
    try:
        return json.loads(read_file(options.vocab))
    except json.JSONDecodeError as error:
        raise ValueError(f"{options.vocab}: not JSON ({error})") from None


def read_npy(path):
    """An array with at least one axis."""
    try:
        with open(path, "rb") as file:
            array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile) as error:  # its own messages tell how to load pickles
        raise ValueError(f"{path}: truncated or not an array of numbers, as numpy.save writes it") from error
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise ValueError(f"{path}: expected one array of several steps, as numpy.save writes it")
    return array


def read_file(path):
    """A text file, as it is: also the ends of its lines."""
    with open(path, encoding="utf-8", newline="") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8 ({error})") from None


if __name__ == "__main__":
    main()
