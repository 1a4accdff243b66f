# SPDX-License-Identifier: BSD-3-Clause
"""Architectures: a model as plain data, {"type": "LSTM", "input_size": 3, ...}, its type and its `config`.

A file may say anything, so every key and every value is checked before anything is built.
"""

from collections.abc import Generator, Iterator, Mapping
from reprlib import repr as short  # a value from a file may have megabytes
from typing import Any, TypeAlias

import numpy as np

from .. import nn
from ..nn._configurable import options_of
from ..nn._layer import Layer, every_layer, prefix_of
from ..nn._options import Seed, kind_of, type_name
from ..nn._signal import misfit
from ..nn._warnings import made_again, warn
from ._custom import Find, check_json, finder, is_declared, own_classes, same_json
from ._references import SAME_AS, Places, children_in, describe, inside, is_reference, with_children

Entry: TypeAlias = tuple[str, str, tuple[int, ...]]
Parsed: TypeAlias = dict[str, tuple[type[Layer], dict[str, Any]]]

# The layers that a file can hold, of `fastrnn.nn`.
KINDS = (
    "Activation",
    "Attention",
    "AttentionDecoder",
    "CausalConv1d",
    "Conv1d",
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
    "Recurrent",
    "RepeatVector",
    "Residual",
    "Seq2Seq",
    "Sequential",
)


def check_kinds(model: Any) -> None:
    """Raise TypeError for a model that `load` could not build. Those of other packages are checked by `_custom`."""
    name = kind_of(model)
    foreign = isinstance(model, Layer) and ":" in type_name(type(model))
    if not foreign and (name not in KINDS or getattr(nn, name) is not type(model)):
        raise TypeError(f"model: expected {', '.join(KINDS)}, got {name}")
    for layer in model.children().values():
        check_kinds(layer)


def check_own(model: Layer, architecture: dict[str, Any]) -> None:
    """Raise TypeError unless a model with layers of other packages would come back from a file.

    Their `config` is JSON, and makes an equal layer.
    """
    classes = own_classes(model)
    if not classes:
        return
    for layer in every_layer(model):
        if type_name(type(layer)) in classes:
            check_json(layer)
    find = finder(classes)
    try:
        with made_again():
            entries = {name: (dtype, shape) for name, dtype, shape in parameters(architecture, find)}
            again = build(architecture, find)
        same = describe(again) == architecture and _shapes(again) == _shapes(model) == entries
        why = "it gives another config or other parameters"
    except (TypeError, ValueError, AttributeError) as error:
        same, why = False, str(error)
    if not same:
        names = ", ".join(kind.__name__ for kind in classes.values())
        raise TypeError(f"model: expected config() of {names} to give the arguments of an equal layer, but {why}")


def _shapes(layer: Layer) -> dict[str, Any]:
    """The dtype and shape of each array that a file holds."""
    return {name: (str(array.dtype), array.shape) for name, array in layer.stored.items()}


def parse(architecture: Any, find: Find) -> tuple[type[Layer], dict[str, Any]]:
    """The class that an architecture names, and its arguments: complete, and each as `config` could have written it."""
    if not isinstance(architecture, dict):
        raise ValueError(f"architecture: expected an object, got {short(architecture)}")
    config = dict(architecture)
    name = config.pop("type", None)
    if isinstance(name, str) and ":" in name:
        kind = find(name)
        if not is_declared(kind):
            return kind, config
    elif isinstance(name, str) and name in KINDS:
        kind = getattr(nn, name)
    else:
        raise ValueError(f"architecture: expected a type of {', '.join(KINDS)}, got {short(name)}")
    options = {key: option for key, option in options_of(kind).items() if option.in_config}
    required = {key for key, option in options.items() if not option.omit}
    for what, keys in ("missing", required - config.keys()), ("unknown", config.keys() - options):
        if keys:
            raise ValueError(f"architecture: {what} in {name}: {short(sorted(keys))}")
    for key, value in config.items():
        options[key].parse(f"architecture: {name}.{key}", value)
    if kind is nn.Sequential and len(config.get("names") or config["layers"]) != len(config["layers"]):
        raise ValueError(f"architecture: Sequential.names: expected {len(config['layers'])}, one for each layer")
    return kind, config


def parameters(architecture: Any, find: Find, parsed: Parsed | None = None) -> Iterator[Entry]:
    """(name, dtype, shape) of each parameter, one after another, without a model; each once, under its first name.

    References are checked on the way. Nothing is counted before it is given out: whoever reads the entries one by one
    can stop where they are no longer those of a file. What has been parsed on the way is added to `parsed`.
    """
    places, parsed = Places(), {} if parsed is None else parsed

    def entries(architecture: Any, prefix: str, place: str) -> Generator[Entry, None, int]:
        if is_reference(architecture):
            return places.size_at(architecture, place)
        parsed[place] = kind, config = parse(architecture, find)
        size = 1
        for name, at, child in children_in(kind, config):
            size += yield from entries(child, prefix + prefix_of(name), inside(place, at))
        silent = getattr(kind.parameter_shapes, "__func__", None) is vars(Layer)["parameter_shapes"].__func__
        if silent and ":" in architecture["type"]:  # only a layer can tell
            own = _own_entries(build(architecture, find, places.found))
        else:
            own = ((name, config.get("dtype", "float32"), shape) for name, shape in kind.parameter_shapes(**config))
        for name, dtype, shape in own:
            size += 1
            yield prefix + name, dtype, shape
        places.add(place, architecture, size)
        return size

    return entries(architecture, "", "")


def _own_entries(layer: Layer) -> Iterator[Entry]:
    """(name, dtype, shape) of each parameter that is not that of a layer in its config."""
    inner = {id(array) for _, _, child in children_in(type(layer), vars(layer)) for array in child.stored.values()}
    for name, array in layer.stored.items():
        if id(array) not in inner:
            yield name, str(array.dtype), array.shape


def build(
    architecture: Any, find: Find, others: Mapping[str, Any] | None = None, parsed: Parsed | None = None
) -> Layer:
    """The model, with parameters of any values; its references have been checked.

    Parameters
    ----------
    architecture : dict
    find : callable
        The class for the name of one of another package.
    others : mapping of str to dict, optional
        For a part of a model: the architectures outside of it that are referred to, by their places.
    parsed : mapping of str to (class, dict), optional
        The layers that `parameters` has parsed, by their places.
    """
    layers: dict[str, Layer] = {}
    rng, parsed = np.random.default_rng(), {} if parsed is None else parsed

    def layer_of(architecture: Any, place: str) -> Layer:
        if is_reference(architecture):
            target = architecture[SAME_AS]
            return layers[target] if target in layers else layer_of((others or {})[target], target)
        kind, config = parsed[place] if place in parsed else parse(architecture, find)
        inner = {at: layer_of(child, inside(place, at)) for _, at, child in children_in(kind, config)}
        layers[place] = _made(kind, config, inner, rng)
        return layers[place]

    return layer_of(architecture, "")


def _made(kind: type[Layer], config: dict[str, Any], children: Mapping[str, Layer], rng: np.random.Generator) -> Layer:
    """A layer of a class, a config and children, whose random numbers begin with a generator."""
    declared = is_declared(kind)
    if declared and issubclass(kind, nn.Sequential):
        return _sequential(kind, [*children.values()], config.get("names"))
    seeded = declared and isinstance(options_of(kind).get("seed"), Seed)
    try:
        layer = kind(**with_children(kind, config, children), **({"seed": rng} if seeded else {}))
    except TypeError as error:
        raise ValueError(f"architecture: {kind.__name__}: {error}") from error
    if not declared:
        if not same_json(layer.config(), config):
            raise ValueError(f"architecture: {kind.__name__}: expected the config of a layer, got {short(config)}")
        return layer
    for key, value in config.items():  # an Embedding, for one, turns a padding_idx of -1 into V - 1
        plain = options_of(kind)[key].plain(getattr(layer, key))
        if plain != value and key not in children:
            raise ValueError(f"architecture: {kind.__name__}.{key}: expected {short(plain)}, got {short(value)}")
    return layer


def _sequential(kind: type[nn.Sequential], layers: list[Layer], names: list[str] | None) -> Layer:
    """A Sequential, also one that version 0.1 built and that is refused today."""
    if problem := misfit(layers, ("features",)):
        raise ValueError(f"architecture: {problem}")
    if problem := misfit(layers):
        warn(f"this model would be refused today: {problem}", stacklevel=2)
    return kind._composed(*((), dict(zip(names, layers, strict=True))) if names else (tuple(layers), {}))
