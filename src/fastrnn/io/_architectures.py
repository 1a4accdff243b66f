# SPDX-License-Identifier: BSD-3-Clause
"""Architectures: a model as plain data, {"type": "LSTM", "input_size": 3, ...}, its type and its `config`.

A layer that is in several places of a model is described in the first of them. In each other place is a reference to
that one, {"same_as": "encoder.layers.0"}: the keys and positions that lead there.

A file may say anything, so every key and every value is checked before anything is built.
"""

from collections.abc import Iterator, Mapping
from reprlib import repr as short  # a value from a file may have megabytes
from typing import Any

from .. import nn
from ..nn._configurable import options_of
from ..nn._container import Container
from ..nn._layer import Layer
from ..nn._options import described, kind_of

# The layers that a file can hold, of `fastrnn.nn`.
KINDS = (
    "Attention",
    "AttentionDecoder",
    "Dropout",
    "EchoState",
    "Embedding",
    "GRU",
    "LSTM",
    "LastStep",
    "LayerNorm",
    "Linear",
    "MaxPool",
    "MeanPool",
    "RNN",
    "RepeatVector",
    "Residual",
    "Seq2Seq",
    "Sequential",
)

SAME_AS = "same_as"
# How many layers and parameters, under names of their own, references may add to a model: each may double it, so that
# without a limit a small file could ask for more than there is memory for.
MOST_REPEATED = 10_000


def check_kinds(model: Any) -> None:
    """Raise TypeError for a model that `load` could not build."""
    name = kind_of(model)
    if name not in KINDS or getattr(nn, name) is not type(model):
        raise TypeError(f"model: expected {', '.join(KINDS)}, got {name}")
    for layer in model.children().values():
        check_kinds(layer)


def parse(architecture: Any) -> tuple[type[Layer], dict[str, Any]]:
    """The class that an architecture names, and its arguments: complete, and each as `config` could have written it."""
    if not isinstance(architecture, dict):
        raise ValueError(f"architecture: expected an object, got {short(architecture)}")
    config = dict(architecture)
    name = config.pop("type", None)
    if not isinstance(name, str) or name not in KINDS:
        raise ValueError(f"architecture: expected a type of {', '.join(KINDS)}, got {short(name)}")
    kind: type[Layer] = getattr(nn, name)
    options = {key: option for key, option in options_of(kind).items() if option.in_config}
    required = {key for key, option in options.items() if not option.omit}
    for what, keys in ("missing", required - config.keys()), ("unknown", config.keys() - options):
        if keys:
            raise ValueError(f"architecture: {what} in {name}: {short(sorted(keys))}")
    for key, value in config.items():
        options[key].parse(f"architecture: {name}.{key}", value)
    return kind, config


def is_reference(architecture: Any) -> bool:
    """Whether this stands for a layer that is described elsewhere; where, may be anything."""
    return isinstance(architecture, dict) and architecture.keys() == {SAME_AS}


def children_in(kind: type[Layer], values: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """`Container.child_configs`; nothing for a layer that is not a container."""
    return kind.child_configs(values) if issubclass(kind, Container) else iter(())


def with_children(kind: type[Layer], config: dict[str, Any], children: Mapping[str, Any]) -> dict[str, Any]:
    """A config with these in the places of the children: layers, or their architectures."""
    return {**config, **({"layers": [*children.values()]} if issubclass(kind, nn.Sequential) else children)}


def inside(place: str, inner: str) -> str:
    """A place inside a layer that is itself in a place."""
    return f"{place}.{inner}" if place else inner


def parameters(architecture: Any, prefix: str = "") -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(name, dtype, shape) of each parameter, one after another, without a model; each once, under its first name."""
    if is_reference(architecture):
        return
    kind, config = parse(architecture)
    for name, _, child in children_in(kind, config):
        yield from parameters(child, f"{prefix}{name}." if name else prefix)
    for name, shape in kind.parameter_shapes(**config):
        yield prefix + name, config["dtype"], shape


def check_references(architecture: Any) -> None:
    """Raise ValueError unless each reference leads to a layer that is described before it, and they do not add up.

    The parameters that are described are counted one by one: their number has to be known to be that of a file.
    """
    sizes: dict[str, int] = {}  # layers and parameters of each layer that is described so far, by its place
    repeated = 0

    def size_of(architecture: Any, place: str) -> int:
        nonlocal repeated
        if is_reference(architecture):
            target = architecture[SAME_AS]
            if not isinstance(target, str) or target not in sizes:
                raise ValueError(
                    f"architecture: {inside(place, SAME_AS)}: expected the place of a layer that is described before, "
                    f"got {short(target)}"
                )
            repeated += sizes[target]
            if repeated > MOST_REPEATED:
                raise ValueError(
                    f"architecture: expected layers in several places to add at most {MOST_REPEATED} layers and "
                    f"parameters, got more"
                )
            return sizes[target]
        kind, config = parse(architecture)
        children = sum(size_of(child, inside(place, inner)) for _, inner, child in children_in(kind, config))
        sizes[place] = 1 + sum(1 for _ in kind.parameter_shapes(**config)) + children
        return sizes[place]

    size_of(architecture, "")


def describe(model: Layer) -> dict[str, Any]:
    """The architecture of a model."""
    places: dict[Layer, str] = {}

    def architecture_of(layer: Layer, place: str) -> dict[str, Any]:
        if layer in places:
            return {SAME_AS: places[layer]}
        kind, options = type(layer), vars(layer)
        inner = {at: architecture_of(child, inside(place, at)) for _, at, child in children_in(kind, options)}
        places[layer] = place
        return with_children(kind, described(layer), inner)

    return architecture_of(model, "")


def build(architecture: Any) -> Layer:
    """The model, with parameters of any values; its references have been checked."""
    layers: dict[str, Layer] = {}

    def layer_of(architecture: Any, place: str) -> Layer:
        if is_reference(architecture):
            return layers[architecture[SAME_AS]]
        kind, config = parse(architecture)
        inner = {at: layer_of(child, inside(place, at)) for _, at, child in children_in(kind, config)}
        layers[place] = made(kind, config, inner)
        return layers[place]

    return layer_of(architecture, "")


def made(kind: type[Layer], config: dict[str, Any], children: Mapping[str, Layer]) -> Layer:
    """A layer of a class, a config and children."""
    values = with_children(kind, config, children)
    if kind is nn.Sequential:
        return nn.Sequential(*values["layers"])
    try:
        layer = kind(**values)
    except TypeError as error:
        raise ValueError(f"architecture: {kind.__name__}: {error}") from error
    for key, value in config.items():  # an Embedding, for one, turns a padding_idx of -1 into V - 1
        plain = options_of(kind)[key].plain(getattr(layer, key))
        if plain != value and key not in children:
            raise ValueError(f"architecture: {kind.__name__}.{key}: expected {short(plain)}, got {short(value)}")
    return layer
