# SPDX-License-Identifier: BSD-3-Clause
"""Layers of other packages in files: how a file names their classes, and which classes a name may stand for.

A name is an import path, "package.module:Class". It is looked up among classes that the caller provides; nothing is
imported unless the caller trusts the file.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from reprlib import repr as short  # a value from a file may have megabytes
from typing import Any, TypeAlias

from .. import nn
from ..nn._configurable import Configurable
from ..nn._layer import Layer, every_layer
from ..nn._options import kind_of, type_name

PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.(?:[^\W\d]\w*|<locals>))*")

Custom: TypeAlias = Iterable[type[Layer]] | Mapping[str, type[Layer]]
Find: TypeAlias = Callable[[str], type[Layer]]


def finder(custom: Custom | None = None, trust: bool = False) -> Find:
    """A function that finds the class for a name in a file, or raises ValueError.

    Parameters
    ----------
    custom : iterable of classes, or dict of str to classes, optional
        They are found by their import path or their bare name, those of a dict by its keys instead.
    trust : bool, default False
        Import the classes that are not among them.
    """
    classes = as_classes(custom)

    def find(name: str) -> type[Layer]:
        if not PATH.fullmatch(name):
            raise ValueError(f"architecture: expected an import path, package.module:Class, got {short(name)}")
        bare = bare_name(name)
        for key in (name, bare):
            if key in classes:
                return classes[key]
        if trust:
            return imported(name)
        raise ValueError(
            f"architecture: a layer of another package, {short(name)}: pass its class, "
            f"load(path, custom=[{short(bare)[1:-1]}])"
        )

    return find


def bare_name(name: str) -> str:
    """The class in an import path: "Scale" in "package.module:Scale"."""
    return name.rpartition(":")[2].rpartition(".")[2]


def as_classes(custom: Any) -> dict[str, type[Layer]]:
    """Classes by the names that a file may have for them, or TypeError or ValueError."""
    if custom is None:
        return {}
    if not isinstance(custom, Mapping | list | tuple | set | frozenset):
        raise TypeError(f"custom: expected a list of classes of layers, or a dict of them, got {type(custom).__name__}")
    for kind in custom.values() if isinstance(custom, Mapping) else custom:
        if not is_layer(kind):
            raise TypeError(f"custom: expected classes of layers, got {kind_of(kind)}")
    if isinstance(custom, Mapping):
        if wrong := [name for name in custom if not isinstance(name, str)]:
            raise TypeError(f"custom: expected names as its keys, got {wrong[0]!r}")
        return dict(custom)
    classes: dict[str, type[Layer]] = {}
    for kind in custom:
        for name in (type_name(kind), kind.__name__):
            if classes.setdefault(name, kind) is not kind:
                raise ValueError(f"custom: expected one class named {name}, got two; pass a dict of import paths")
    return classes


def is_layer(kind: Any) -> bool:
    """Whether an object is a class of layers."""
    return isinstance(kind, type) and issubclass(kind, Layer)


def imported(name: str) -> type[Layer]:
    """The class at an import path; importing its module runs the code of that."""
    from pkgutil import resolve_name

    try:
        kind = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"architecture: {short(name)} cannot be imported ({error}); pass its class in custom"
        ) from None
    if not is_layer(kind):
        raise ValueError(f"architecture: expected {short(name)} to be a class of layers, got {short(kind)}")
    return kind


def own_classes(model: Layer) -> dict[str, type[Layer]]:
    """The classes of other packages in a model, by their import path."""
    return {name: type(layer) for layer in every_layer(model) if ":" in (name := type_name(type(layer)))}


def is_declared(kind: type[Layer]) -> bool:
    """Whether the config of a class follows from its options: it has no constructor and no `config` of its own."""
    inherited = kind.__init__ in (Configurable.__init__, nn.Sequential.__init__)
    return ":" not in type_name(kind) or (inherited and kind.config is Configurable.config)


def check_json(layer: Layer) -> None:
    """Raise TypeError unless JSON gives back the config of a layer."""
    config = layer.config()
    try:
        problem = "" if same_json(json.loads(json.dumps(config, allow_nan=False)), config) else "tuples or other types"
    except (TypeError, ValueError) as error:
        problem = str(error)
    if problem:
        raise TypeError(
            f"model: expected {type(layer).__name__}.config() to hold what JSON gives back unchanged, got {problem}"
        )


def same_json(a: Any, b: Any) -> bool:
    """Whether two values are equal and of the same types: 1, 1.0 and True differ."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_json(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same_json, a, b))
    return a == b
