# SPDX-License-Identifier: BSD-3-Clause
"""Layers made of other layers."""

from collections.abc import Iterator, Mapping
from typing import Any

from .._engine.arguments import Array
from ._layer import Layer, prefix_of
from ._options import Sublayer
from ._parameters import Joined, Parameters
from ._tape import Tape, inner_tapes, open_tape


class Container(Layer):
    """Base class of layers that contain other layers, each with a name.

    The parameters are those of the children: ``"encoder.weight"`` is ``"weight"`` of the child ``"encoder"``. A
    subclass declares the layers that its constructor takes as `Sublayer` options, or calls `_adopt` with others. It may
    also have parameters of its own (`add_parameters`).

    A custom container inherits from `Container` and from `StatelessLayer` or `StatefulLayer`, in this order. It calls
    ``child.apply`` in `_forward`, saves the tapes, and calls ``child.apply_backward`` in `_backward`.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> class Sum(fr.nn.Container, fr.nn.StatelessLayer):
    ...     "y = first(x) + second(x)."
    ...
    ...     first: fr.nn.Sublayer = fr.nn.Sublayer("A layer without a state.", fr.nn.Layer)
    ...     second: fr.nn.Sublayer = fr.nn.Sublayer("Another.", fr.nn.Layer)
    ...
    ...     def _forward(self, x, training):
    ...         results = [layer.apply(x, None, None, training) for layer in (self.first, self.second)]
    ...         return sum(y for y, _, _ in results), [tape for _, _, tape in results]
    ...
    ...     def _backward(self, tapes, dy):
    ...         layers = (self.first, self.second)
    ...         return sum(layer.apply_backward(tape, dy, None)[0] for layer, tape in zip(layers, tapes))
    >>> both = Sum(fr.Linear(3, 4), fr.Linear(3, 4, bias=False))
    >>> list(both.params), both(np.ones((5, 3), np.float32)).shape
    (['first.weight', 'first.bias', 'second.weight'], (5, 4))
    """

    def _prepare(self) -> None:
        names = [name for name, option in self._options.items() if isinstance(option, Sublayer)]
        self._adopt({name: layer for name in names if (layer := getattr(self, name)) is not None})

    def _adopt(self, children: Mapping[str, Layer]) -> None:
        """Take layers as children, and their parameters and gradients as the container's own."""
        self._children = dict(children)
        own, own_grads = Parameters(self._arrays), Parameters(self._grad_arrays)
        self._params = Joined([("", own), *((prefix_of(name), child.params) for name, child in children.items())])
        self._grads = Joined([("", own_grads), *((prefix_of(name), child.grads) for name, child in children.items())])

    def children(self) -> dict[str, Layer]:
        return dict(self._children)

    @property
    def dtype(self) -> Any:
        """The dtype of the first child."""
        return next(iter(self._children.values())).dtype  # type: ignore[attr-defined]

    def child_tapes(self, tape: Tape) -> list[tuple[str, Layer, Tape]]:
        names: dict[int, str] = {}
        for name, child in self._children.items():
            names.setdefault(id(child), name)
        return [(names[id(one._layer)], one._layer, one) for one in inner_tapes(self, open_tape(tape, self))]

    @classmethod
    def child_configs(cls, config: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        """(name, place, architecture) of each child of a container with this `config`.

        The place is the position of the architecture in the config: ``"encoder"``, ``"layers.0"``. If the options of a
        container are given instead of a config, the children are returned instead of their architectures.
        """
        for name, option in cls._options.items():
            if isinstance(option, Sublayer) and config[name] is not None:
                yield name, name, config[name]

    def _before_last(self) -> tuple[Any, str] | None:
        """A model of everything before the last layer, and the name of the last layer; None if there is no last layer.

        The output of the container is that of the last layer alone, whose input is the output of the rest. The rest
        has the passes of the container, of the same arguments. A loss can then compute the last layer. Who asks has to
        see that the class itself defines it: passes of a subclass may do something else.
        """
        return None

    def _noted(self, name: str) -> "Noted":
        return Noted(self, name)

    def _note(self, error: TypeError | ValueError, name: str) -> None:
        """Say in an error which child it comes from."""
        error.add_note(f"in {self._label(name)} of {type(self).__name__}: {self._children[name]!r}")

    def _label(self, name: str) -> str:
        return name

    # -- copies ------------------------------------------------------------------------------------------------------

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments, by position and by name, that make a container of the same children."""
        return (), {name: getattr(self, name) for name, option in self._options.items() if option.stored}

    @classmethod
    def _composed(cls, positional: tuple[Any, ...], named: dict[str, Any]) -> Layer:
        """A container of these arguments."""
        return cls(*positional, **named)

    def __repr__(self) -> str:
        positional, named = self._arguments()
        parts = [*map(repr, positional), *(f"{name}={value!r}" for name, value in named.items())]
        return f"{type(self).__name__}({', '.join(parts)})"

    def inference_copy(self) -> Layer:
        return self._inference_copy({})

    def _inference_copy(self, copies: dict[int, Layer]) -> Layer:
        """`inference_copy`, with one copy of a layer for all its places; `copies` has those of so far, by id."""

        def still(value: Any) -> Any:
            if not isinstance(value, Layer):
                return value
            if id(value) not in copies:
                if isinstance(value, Container) and type(value).inference_copy is Container.inference_copy:
                    copies[id(value)] = value._inference_copy(copies)
                else:
                    copies[id(value)] = value.inference_copy()
            return copies[id(value)]

        positional, named = self._arguments()
        named = {name: still(value) for name, value in named.items()}
        return recomposed(type(self), tuple(map(still, positional)), named, dict(self._arrays.items()), None)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Copies and pickles: a container of copies of the children."""
        return recomposed, (type(self), *self._arguments(), dict(self._arrays.items()), self.random_state)


class Noted:
    """Errors inside ``with Noted(container, name):`` say which child they come from."""

    __slots__ = ("_container", "_name")

    def __init__(self, container: Container, name: str) -> None:
        self._container, self._name = container, name

    def __enter__(self) -> "Noted":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, TypeError | ValueError):
            self._container._note(error, self._name)


def recomposed(
    kind: type[Container],
    positional: tuple[Any, ...],
    named: dict[str, Any],
    own: Mapping[str, Array],
    random_state: Any,
) -> Layer:
    """A container of these children, with the values of parameters of its own."""
    layer = kind._composed(positional, named)
    for name, array in own.items():
        layer._arrays[name][...] = array
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
