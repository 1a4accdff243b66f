# SPDX-License-Identifier: BSD-3-Clause
"""References in an architecture to layers that are used in several places.

Such a layer is described in the first of its places. In each other place is a reference to that one,
{"same_as": "encoder.layers.0"}: the keys and positions that lead there.
"""

from collections.abc import Iterator, Mapping
from reprlib import repr as short  # a value from a file may have megabytes
from typing import Any

from .. import nn
from ..nn._container import Container
from ..nn._layer import Layer
from ..nn._options import described
from ._custom import is_declared

SAME_AS = "same_as"
# How many layers and parameters, under names of their own, references may add to a model: each may double it, so that
# without a limit a small file could ask for more than there is memory for.
MOST_REPEATED = 10_000


def is_reference(architecture: Any) -> bool:
    """Whether this stands for a layer that is described elsewhere; where, may be anything."""
    return isinstance(architecture, dict) and architecture.keys() == {SAME_AS}


def children_in(kind: type[Layer], values: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """`Container.child_configs`; nothing for a layer that has no others in its config."""
    return kind.child_configs(values) if issubclass(kind, Container) and is_declared(kind) else iter(())


def with_children(kind: type[Layer], config: dict[str, Any], children: Mapping[str, Any]) -> dict[str, Any]:
    """A config with these in the places of the children: layers, or their architectures."""
    if children and issubclass(kind, nn.Sequential):
        return {**config, "layers": [*children.values()]}
    return {**config, **children}


def inside(place: str, inner: str) -> str:
    """A place inside a layer that is itself in a place."""
    return f"{place}.{inner}" if place else inner


def describe(model: Layer) -> dict[str, Any]:
    """The architecture of a model."""
    places: dict[int, str] = {}  # by id: a layer of another package may compare in a way of its own

    def architecture_of(layer: Layer, place: str) -> dict[str, Any]:
        if id(layer) in places:
            return {SAME_AS: places[id(layer)]}
        kind, options = type(layer), vars(layer)
        inner = {at: architecture_of(child, inside(place, at)) for _, at, child in children_in(kind, options)}
        places[id(layer)] = place
        return with_children(kind, described(layer), inner)

    return architecture_of(model, "")


class Places:
    """The layers found so far while walking through an architecture.

    Attributes
    ----------
    found : dict of str to dict
        The architecture of each layer that is described so far, inner ones and all, by its place.
    """

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        self._repeated = 0

    def add(self, place: str, architecture: Any, size: int) -> None:
        """A layer has been described; `size` is the number of layers and parameters in it, itself included."""
        self.found[place], self._sizes[place] = architecture, size

    def size_at(self, reference: Any, place: str) -> int:
        """The size of the layer that a reference in a place leads to.

        Raises
        ------
        ValueError
            It is not described before, or with this reference references add too much.
        """
        target = reference[SAME_AS]
        if not isinstance(target, str) or target not in self.found:
            raise ValueError(
                f"architecture: {inside(place, SAME_AS)}: expected the place of a layer that is described before, "
                f"got {short(target)}"
            )
        self._repeated += self._sizes[target]
        if self._repeated > MOST_REPEATED:
            raise ValueError(
                f"architecture: expected layers in several places to add at most {MOST_REPEATED} layers and "
                f"parameters, got more"
            )
        return self._sizes[target]
