# SPDX-License-Identifier: BSD-3-Clause
"""Architectures: a model as plain data, {"type": "LSTM", "input_size": 3, ...}, its type and its `config`.

A file may say anything, so every key and every value is checked before anything is built.
"""

from collections.abc import Iterator
from reprlib import repr as short  # a value from a file may have megabytes
from typing import Any

from .. import nn
from ..nn._configurable import options_of
from ..nn._container import Container
from ..nn._layer import Layer
from ..nn._options import kind_of

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
    "RepeatVector",
    "Residual",
    "Seq2Seq",
    "Sequential",
)


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


def parameters(architecture: Any, prefix: str = "") -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(name, dtype, shape) of each parameter, one after another, without a model."""
    kind, config = parse(architecture)
    if issubclass(kind, Container):
        for name, child in kind.child_configs(config):
            yield from parameters(child, f"{prefix}{name}." if name else prefix)
    for name, shape in kind.parameter_shapes(**config):
        yield prefix + name, config["dtype"], shape


def build(architecture: Any) -> Layer:
    """The model, with parameters of any values."""
    kind, config = parse(architecture)
    if kind is nn.Sequential:
        return nn.Sequential(*map(build, config["layers"]))
    try:
        layer = kind(**{key: build(value) if isinstance(value, dict) else value for key, value in config.items()})
    except TypeError as error:
        raise ValueError(f"architecture: {kind.__name__}: {error}") from error
    for key, value in config.items():  # an Embedding, for one, turns a padding_idx of -1 into V - 1
        plain = options_of(kind)[key].plain(getattr(layer, key))
        if plain != value and not isinstance(value, dict):
            raise ValueError(f"architecture: {kind.__name__}.{key}: expected {short(plain)}, got {short(value)}")
    return layer
