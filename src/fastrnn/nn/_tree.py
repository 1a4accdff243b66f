# SPDX-License-Identifier: BSD-3-Clause
"""The layers inside a layer, with what each reads and gives, in words."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from reprlib import repr as short  # an option of a layer of your own may be long
from typing import Any, NamedTuple

from .._engine.arguments import Array
from ._signal import Signal

ANY = -(10**9)  # features of any number; a layer that computes with it gives another negative number
START = Signal(ANY)  # nothing is known of x


class Node(NamedTuple):
    """A layer in a tree.

    Attributes
    ----------
    name, path : str
        In its container, and in the whole tree.
    depth : int
    layer : Layer
    text : str
        The call that makes it, and where it has occurred before.
    x, y : str
        The shapes of what it reads and gives; y is "" if nothing is known of its features.
    """

    name: str
    path: str
    depth: int
    layer: Any
    text: str
    x: str
    y: str


def nodes(layer: Any) -> list[Node]:
    """A layer and all layers inside it, each before those inside it."""
    seen: dict[int, str] = {}
    found = []
    for node in _nodes(layer, START):
        earlier = seen.setdefault(id(node.layer), node.path)
        found.append(node if earlier == node.path else node._replace(text=f"{node.text}, shared with {earlier}"))
    return found


def _nodes(layer: Any, given: Signal, name: str = "", path: str = "", depth: int = 0) -> Iterator[Node]:
    signal = merged(given, layer.signal_in)
    after = layer.signal_after(signal)
    y = "" if after.features is None else shape_text(after)
    yield Node(name, path, depth, layer, call_text(layer), shape_text(signal, tokens=layer.reads_tokens), y)
    for inner, child in layer.children().items():
        read = signal if layer.children_in_sequence else START
        yield from _nodes(child, read, inner, ".".join(filter(None, (path, inner))), depth + 1)
        signal = child.signal_after(merged(signal, child.signal_in))


def tree_text(layer: Any) -> str:
    """The tree of a layer, a line for each layer inside it."""
    lines = []
    for node in nodes(layer):
        text = "  " * node.depth + (f"{node.name}: " if node.name else "") + node.text
        shapes = f"{node.x} -> {node.y}" if node.y else ""
        count = sum(array.size for array in distinct(node.layer.params).values())
        lines.append((text, shapes, f"{count:,}"))
    first, *others = aligned(lines, "llr").split("\n")
    return "\n".join([f"{first} parameter{'' if lines[0][2] == '1' else 's'}", *others])


def merged(given: Signal, own: Signal) -> Signal:
    """The known properties of x: those from the previous layer, otherwise those that the layer requires."""
    unknown = {name for name, value in given._asdict().items() if value is None}
    unknown |= {"features"} if given.features == ANY else set()
    return given._replace(**{name: value for name in unknown if (value := getattr(own, name)) is not None})


def shape_text(signal: Signal, tokens: bool = False) -> str:
    """A shape in words: "(T, N, 3)"."""
    T = "T" if signal.steps is None else str(signal.steps)
    axes = {"TN": [T, "N"], "NT": ["N", T], "N": ["N"], None: ["..."]}[signal.axes]
    features = "F" if signal.features == ANY else "?" if (signal.features or 0) < 1 else str(signal.features)
    sizes = axes if tokens else [*axes, features]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 and sizes != ['...'] else ''})"


def call_text(layer: Any) -> str:
    """The call that makes a layer, without options at their default and without the layers inside: "LSTM(3, 4)"."""
    kind = type(layer)
    arguments = inspect.signature(kind).parameters.values()
    options = {one.name: one for one in arguments if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
    try:
        config = layer.config() if options else {}
    except TypeError:  # a layer of your own that does not keep its arguments
        return f"{kind.__name__}(...)"
    parts, inside = [], {*map(id, layer.children().values())}
    for name, parameter in options.items():
        if name not in config or id(getattr(layer, name, None)) in inside:
            continue
        value, default = config[name], parameter.default
        required = default is inspect.Parameter.empty
        if required and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            parts.append(short(value))
        elif required or not _same(value, _plain(layer, name, default)):
            parts.append(f"{name}={short(value)}")
    return f"{kind.__name__}({', '.join(parts)})" if parts or not layer.children() else kind.__name__


def _plain(layer: Any, name: str, default: Any) -> Any:
    """A default as `config` has it."""
    option = layer._options.get(name)
    return default if option is None or default is None else option.plain(option.check(name, default))


def _same(value: Any, default: Any) -> bool:
    try:
        return bool(value == default)
    except ValueError:  # arrays
        return False


def aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Rows of text in columns, each to the left ("l") or to the right ("r")."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    place = {"l": str.ljust, "r": str.rjust}
    used = [(k, place[side]) for k, side in enumerate(sides) if widths[k]]
    return "\n".join("  ".join(put(row[k], widths[k]) for k, put in used).rstrip() for row in rows)


def distinct(arrays: Mapping[str, Array]) -> dict[int, Array]:
    """The arrays of a mapping, each once."""
    return {id(array): array for _, array in arrays.items()}
