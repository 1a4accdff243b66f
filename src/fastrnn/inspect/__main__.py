# SPDX-License-Identifier: BSD-3-Clause
"""Writes a page that shows a model at work, from the command line.

python -m fastrnn.inspect novel.safetensors --text novel.txt
python -m fastrnn.inspect signal.safetensors --array signal.npy --features voltage,load --units V,A
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from .. import io
from .._engine.arguments import as_size
from ..io._command import run
from ..io._files import replace
from ._report.files import check_output, read_json, read_signal, read_utf8
from ._report.report import report
from ._trace.tokenization import Reading, as_vocabulary, read_array, read_text


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with its arguments, by default those of the process."""
    parser = argparse.ArgumentParser(
        prog="python -m fastrnn.inspect",
        description="Write an HTML page that shows the units, gates and outputs of a model at each step of a sequence.",
    )
    parser.add_argument("model", help="a file written by fastrnn.save")
    sequence = parser.add_mutually_exclusive_group(required=True)
    sequence.add_argument("--text", metavar="FILE", help="a UTF-8 text, read as tokens of the vocabulary")
    sequence.add_argument("--array", metavar="FILE", help="a .npy file with tokens (T,) or features (T, I), or a .csv")
    parser.add_argument("--vocab", metavar="FILE", help="a JSON list of strings; default: the notes of the model")
    parser.add_argument(
        "--features",
        metavar="NAMES",
        type=names,
        help="of the array, a,b,...; default: the first row of a .csv, or x0,x1,...",
    )
    parser.add_argument("--units", metavar="UNITS", type=names, help="of the features, V,A,...; default: none")
    parser.add_argument("--out", metavar="FILE", help="the page to write; default: the name of the model with .html")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file at --out even if it is no page of this command"
    )
    parser.add_argument("--steps", type=int, default=5000, help="the largest number of steps; default: %(default)s")
    parser.add_argument("--window", type=int, default=40, help="steps of influence to show; default: %(default)s")
    options = parser.parse_args(arguments)
    out = options.out or os.path.splitext(options.model)[0] + ".html"
    try:
        inputs = [path for path in (options.model, options.text, options.array, options.vocab) if path]
        check_output(out, inputs, options.overwrite)
        content = make_page(options)
        replace(out, content.encode())
    except BrokenPipeError:  # of stdout: see `run`
        raise
    except (OSError, TypeError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")
    except MemoryError:
        sys.exit(f"{parser.prog}: not enough memory for {options.steps} steps; try fewer with --steps")
    print(f"{out}: {len(content) / 1e6:.1f} MB")


def names(given: str) -> list[str]:
    """The names in "a, b, c"."""
    return [name.strip() for name in given.split(",")]


def make_page(options: argparse.Namespace) -> str:
    """The report on the model and the sequence that the options name, as HTML."""
    steps = as_size("--steps", options.steps)
    model = io.load(options.model)
    vocabulary = read_vocabulary(options)
    reading = read_sequence(model, vocabulary, steps, options)
    model_name, read_name = map(name_of, (options.model, options.text or options.array))
    return report(model, reading, title=f"{model_name} reads {read_name}", window=options.window)


def name_of(path: str) -> str:
    """The name of a file as text, which on Linux it need not be."""
    return os.fsencode(os.path.basename(path)).decode(errors="replace")


def read_sequence(model: Any, vocabulary: Any, steps: int, options: argparse.Namespace) -> Reading:
    """The text or the array that the options name, its first steps."""
    if options.array:
        array, columns = read_signal(options.array)
        if len(array) > steps:
            print(f"{options.array}: the first {steps:,} of {len(array):,} steps; --steps sets how many")
        features = options.features or (None if model.reads_tokens else columns)
        return read_array(model, array[:steps], vocabulary, features=features, units=options.units)
    for option in "features", "units":
        if getattr(options, option) is not None:
            raise ValueError(f"--{option}: expected only with --array")
    if vocabulary is None:
        raise ValueError(
            f"{options.model}: expected a vocabulary in its notes, fastrnn.save(..., notes={{'vocabulary': ...}}), "
            "or --vocab; got neither"
        )
    text = read_utf8(options.text)
    if "\r" not in as_vocabulary(vocabulary):  # the model was trained on lines that end in \n
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return read_text(model, text, vocabulary, steps)


def read_vocabulary(options: argparse.Namespace) -> Any:
    """The vocabulary in --vocab, or in the notes of the model, or None."""
    if options.vocab is None:
        return io.load_notes(options.model).get("vocabulary")
    return read_json(options.vocab)


if __name__ == "__main__":
    run(main)
