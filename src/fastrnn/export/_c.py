# SPDX-License-Identifier: BSD-3-Clause
"""Writes a model as C."""

import os
import re
from typing import Any

from .._engine.arguments import as_path
from ..io._container import PathType
from ..io._files import open_regular, replace
from ..nn._layer import Layer
from ._code import code
from ._stages import check_finite, stages

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
OURS = b"/* Written by fastrnn.export: "  # what a file begins with


def export_c(model: Layer, folder: PathType, name: str = "model") -> list[str]:
    """Write a model as a C source file and a header, for a program that links the fastrnn library.

    The functions are ``name_bytes``, ``name_init``, ``name_step`` and ``name_reset``; the header describes them. A step
    is bit-identical to one of the model's stream in Python with the same engine. The source contains the exact weights.

    Parameters
    ----------
    model : Layer
        Unidirectional RNN, LSTM and GRU, Linear and Dropout, alone or in a Sequential.
    folder : str or os.PathLike
        It is created if it does not exist.
    name : str, default "model"
        The name of the files, and the prefix of the functions. Only files written by an earlier call are replaced.

    Returns
    -------
    list of str
        The paths of the header and of the source.

    Raises
    ------
    TypeError
        `model` is not a layer, or has a layer of another kind; the message names it.
    ValueError
        A layer is bidirectional, or has an option that the C code does not have, or another dtype than the first, or
        parameters that are not finite; or `name` is no identifier of C.
    OSError
        A file cannot be written, or would replace one that this function did not write.

    Examples
    --------
    >>> import os, tempfile, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8), fr.Linear(8, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [os.path.basename(path) for path in fr.export.export_c(model, folder, "voice")]
    ['voice.h', 'voice.c']
    """
    if not isinstance(model, Layer):
        raise TypeError(f"model: expected a layer, got {type(model).__name__}")
    name, folder = as_name("name", name), as_path("folder", folder)
    parts = stages(model)
    for stage in parts:
        check_finite(stage)
    paths = [os.path.join(folder, f"{name}.{suffix}") for suffix in ("h", "c")]
    os.makedirs(folder, exist_ok=True)
    for path in paths:
        check_replaceable(path)
    for path, text in zip(paths, code(parts, name, repr(model)), strict=True):
        replace(path, text.encode())
    return paths


def as_name(argument: str, name: Any) -> str:
    """A name with which functions of C can begin."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.lower() == "fr":
        raise ValueError(f"{argument}: expected letters, digits and _, a letter first, and not fr, got {name!r}")
    return name


def check_replaceable(path: str) -> None:
    """Raise FileExistsError if there is a file that somebody else wrote."""
    try:
        with open_regular(path) as file:
            ours = file.read(len(OURS)) == OURS
    except FileNotFoundError:
        return
    if not ours:
        raise FileExistsError(f"{path}: expected a file that fastrnn.export wrote, or none, got another")
