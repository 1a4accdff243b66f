# SPDX-License-Identifier: BSD-3-Clause
"""The layers of a model as a table."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._engine.arguments import as_array
from ._tree import aligned, distinct, nodes


class Summary:
    """The layers of a model with their sizes, as returned by `Layer.summary`. Print it to see a table.

    Attributes
    ----------
    rows : tuple of Row
        One for each layer without children, and for each container with parameters of its own.
    parameters : int
        The number of trainable parameters. Shared parameters count once.
    nbytes : int
        Bytes of the parameters, and of weights that are not trained, such as the reservoir of an `EchoState`. The
        gradients of the parameters take as many bytes again.
    """

    def __init__(self, rows: Sequence["Row"]) -> None:
        self.rows: tuple[Row, ...] = tuple(rows)
        self.parameters: int = sum(row.parameters for row in rows)
        self.nbytes: int = sum(row.nbytes for row in rows)

    def __repr__(self) -> str:
        table = [(row.name, row.layer, row.output, f"{row.parameters:,}", f"{row.nbytes:,}") for row in self.rows]
        total = ("total", "", "", f"{self.parameters:,}", f"{self.nbytes:,}")
        return aligned([("name", "layer", "output", "parameters", "bytes"), *table, total], "lllrr")


class Row(NamedTuple):
    """A row of a `Summary`.

    Attributes
    ----------
    name : str
        The prefix of the names of its parameters, without the last dot.
    layer : str
        The class, with the options that are not at their default.
    output : str
        The shape of y, as far as it is known.
    parameters, nbytes : int
        Without what an earlier row has counted.
    """

    name: str
    layer: str
    output: str
    parameters: int
    nbytes: int


def summary_of(layer: Any, x: Any) -> Summary:
    """The table of a layer; its shapes are those of an example x, of which a shape or None may stand in place."""
    shapes = {} if x is None else shapes_of(layer, examples(layer, x))
    counted: set[int] = set()
    rows = []
    for node in nodes(layer):
        children = node.layer.children().values()
        inside = {key for child in children for key in distinct(child.stored)}
        params, stored = distinct(node.layer.params), distinct(node.layer.stored)
        own = (params.keys() | stored.keys()) - inside
        if not own and children:
            continue
        new = own - counted
        counted |= new
        parameters = sum(array.size for key, array in params.items() if key in new)
        nbytes = sum(array.nbytes for key, array in (stored | params).items() if key in new)
        rows.append(Row(node.path, node.text, str(shapes.get(node.path, node.y)), parameters, nbytes))
    return Summary(rows)


def examples(layer: Any, x: Any) -> tuple[Any, ...]:
    """The inputs that `summary` was given: zeros for a shape."""
    if isinstance(x, tuple | list) and x and all(isinstance(size, int | np.integer) for size in x):
        return (np.zeros(tuple(x), np.intp if layer.reads_tokens else layer.dtype),)
    return x if isinstance(x, tuple) else (as_array("x", x),)


def shapes_of(layer: Any, inputs: tuple[Any, ...]) -> dict[str, tuple[int, ...]]:
    """The shape of the output of each layer, by its full name, for these inputs."""
    layers = [node.layer for node in nodes(layer)]
    random = [each.random_state for each in layers]
    try:
        shapes: dict[str, tuple[int, ...]] = {}
        _collect(layer, layer.forward(*inputs)[-1], "", shapes)
    finally:
        for each, state in zip(layers, random, strict=True):
            each.random_state = state
    return shapes


def _collect(layer: Any, tape: Any, path: str, shapes: dict[str, tuple[int, ...]]) -> None:
    shapes.setdefault(path, tape.shape)
    for name, child, inner in layer.child_tapes(tape):
        _collect(child, inner, ".".join(filter(None, (path, name))), shapes)
