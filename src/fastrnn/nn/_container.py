# SPDX-License-Identifier: BSD-3-Clause
"""Layers made of other layers."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from ._layer import Layer, prefix_of
from ._options import Sublayer
from ._parameters import Joined


class Container(Layer):
    """Base of layers made of other layers, each with a name.

    The parameters are those of the children: ``"encoder.weight"`` is ``"weight"`` of the child ``"encoder"``. A
    subclass declares the layers that its constructor takes as `Sublayer` options, or calls `_adopt` with others.
    """

    def _setup(self) -> None:
        names = [name for name, option in self._options.items() if isinstance(option, Sublayer)]
        self._adopt({name: layer for name in names if (layer := getattr(self, name)) is not None})

    def _adopt(self, children: Mapping[str, Layer]) -> None:
        """Take layers as children, and their parameters and gradients as the container's own."""
        self._children = dict(children)
        self._params = Joined((prefix_of(name), child.params) for name, child in children.items())
        self._grads = Joined((prefix_of(name), child.grads) for name, child in children.items())

    def children(self) -> dict[str, Layer]:
        return dict(self._children)

    @classmethod
    def child_configs(cls, config: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        """(name, place, architecture) of each child that a container with this `config` has.

        The place is where the architecture is in the config: ``"encoder"``, ``"layers.0"``. Given the options of a
        container instead of a config, the children themselves take the place of their architectures.
        """
        for name, option in cls._options.items():
            if isinstance(option, Sublayer) and config[name] is not None:
                yield name, name, config[name]

    @contextlib.contextmanager
    def _noted(self, name: str) -> Iterator[None]:
        """Errors inside say which child they come from."""
        try:
            yield
        except (TypeError, ValueError) as error:
            error.add_note(f"in {self._label(name)} of {type(self).__name__}: {self._children[name]!r}")
            raise

    def _label(self, name: str) -> str:
        return name

    # -- copies ------------------------------------------------------------------------------------------------------

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, by position and by name, that make a container of the same children."""
        return (), {name: getattr(self, name) for name, option in self._options.items() if option.stored}

    def __repr__(self) -> str:
        positional, named = self._arguments()
        parts = [*map(repr, positional), *(f"{name}={value!r}" for name, value in named.items())]
        return f"{type(self).__name__}({', '.join(parts)})"

    def inference_copy(self) -> Layer:
        return self._inference_copy({})

    def _inference_copy(self, copies: dict[Layer, Layer]) -> Layer:
        """`inference_copy`, with one copy of a layer for all its places; `copies` are those made so far."""

        def still(value: Any) -> Any:
            if not isinstance(value, Layer):
                return value
            if value not in copies:
                if isinstance(value, Container) and type(value).inference_copy is Container.inference_copy:
                    copies[value] = value._inference_copy(copies)
                else:
                    copies[value] = value.inference_copy()
            return copies[value]

        positional, named = self._arguments()
        return type(self)(*map(still, positional), **{name: still(value) for name, value in named.items()})

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Copies and pickles: a container of copies of the children."""
        return recomposed, (type(self), *self._arguments(), self.random_state)


def recomposed(kind: type, positional: tuple[Any, ...], named: dict[str, Any], random_state: Any) -> Layer:
    """A container of these children."""
    layer = kind(*positional, **named)
    layer.random_state = random_state
    return layer


def check_same(layers: Mapping[str, Layer], *options: str) -> None:
    """Raise ValueError unless all `layers`, by name, that have one of the options have the same value for it."""
    (first, model), *others = layers.items()
    for option in options:
        expected = getattr(model, option)
        for name, layer in others:
            if (value := getattr(layer, option, expected)) != expected:
                raise ValueError(f"{name}: expected {option}={expected}, as {first} has, got {value}")
