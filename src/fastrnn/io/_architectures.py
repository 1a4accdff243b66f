# SPDX-License-Identifier: BSD-3-Clause
"""Architectures: a model as plain data, {"type": "LSTM", "input_size": 3, ...}, its type and its `config`.

A file may say anything, so every key and every value is checked before anything is built.
"""

import warnings
from collections.abc import Iterator
from reprlib import repr as short  # a value from a file may have megabytes
from typing import Any

from .. import nn
from ..nn._configurable import Configurable, options_of
from ..nn._container import Container
from ..nn._layer import Layer
from ..nn._options import kind_of, type_name
from ..nn._signal import misfit
from ._custom import Find, same_json

# The layers that a file can hold, of `fastrnn.nn`.
KINDS = (
    "Activation",
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


def is_declared(kind: type[Layer]) -> bool:
    """Whether the config of a class follows from its options: it has no constructor and no `config` of its own."""
    inherited = kind.__init__ in (Configurable.__init__, nn.Sequential.__init__)
    return ":" not in type_name(kind) or (inherited and kind.config is Configurable.config)


def parameters(architecture: Any, find: Find, prefix: str = "") -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(name, dtype, shape) of each parameter, one after another, without a model."""
    kind, config = parse(architecture, find)
    inner: set[str] = set()
    if issubclass(kind, Container) and is_declared(kind):
        for name, child in kind.child_configs(config):
            for entry in parameters(child, find, f"{prefix}{name}." if name else prefix):
                inner.add(entry[0])
                yield entry
    silent = getattr(kind.parameter_shapes, "__func__", None) is vars(Layer)["parameter_shapes"].__func__
    if silent and ":" in architecture["type"]:  # only a layer can tell
        for name, array in build(architecture, find).stored.items():
            if prefix + name not in inner:
                yield prefix + name, str(array.dtype), array.shape
        return
    for name, shape in kind.parameter_shapes(**config):
        yield prefix + name, config.get("dtype", "float32"), shape


def build(architecture: Any, find: Find) -> Layer:
    """The model, with parameters of any values."""
    kind, config = parse(architecture, find)
    declared = is_declared(kind)
    if declared and issubclass(kind, nn.Sequential):
        return _sequential(kind, [build(layer, find) for layer in config["layers"]], config.get("names"))
    layers = {key: build(value, find) for key, value in config.items() if declared and isinstance(value, dict)}
    try:
        layer = kind(**(config | layers))
    except TypeError as error:
        raise ValueError(f"architecture: {kind.__name__}: {error}") from error
    if not declared:
        if not same_json(layer.config(), config):
            raise ValueError(f"architecture: {kind.__name__}: expected the config of a layer, got {short(config)}")
        return layer
    for key, value in config.items():  # an Embedding, for one, turns a padding_idx of -1 into V - 1
        plain = options_of(kind)[key].plain(getattr(layer, key))
        if plain != value and not isinstance(value, dict):
            raise ValueError(f"architecture: {kind.__name__}.{key}: expected {short(plain)}, got {short(value)}")
    return layer


def _sequential(kind: type[nn.Sequential], layers: list[Layer], names: list[str] | None) -> Layer:
    """A Sequential, also one that version 0.1 built and that is refused today."""
    if problem := misfit(layers, ("features",)):
        raise ValueError(f"architecture: {problem}")
    if problem := misfit(layers):
        warnings.warn(f"this model would be refused today: {problem}", stacklevel=2)
    return kind._composed(*((), dict(zip(names, layers, strict=True))) if names else (tuple(layers), {}))
