# SPDX-License-Identifier: BSD-3-Clause
"""Sequential."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from typing import Any, overload

from .._engine.arguments import Array
from ._container import Container
from ._layer import Layer
from ._named_layers import Layers, Names
from ._options import kind_of
from ._signal import BySignal, Signal, misfit, signal_after, signal_in, take_packed
from ._stateful import StatefulLayer
from ._streams.sequential import Streamed
from ._tape import Tape, check_tape, open_tape, without_dx


class Sequential(Streamed, BySignal, Container, StatefulLayer[tuple[Any, ...]]):
    """A chain of layers, each of which reads the output of the previous one.

    Parameters
    ----------
    *layers : Layer
        Layers of any kind, recurrent or not. They are named "0", "1", ...
    **named : Layer
        Or named layers, in the order in which they run: ``Sequential(embed=..., lstm=..., out=...)``. If the names are
        those of the attributes of a PyTorch module, its whole ``state_dict`` loads unchanged.

    Attributes
    ----------
    layers : tuple of Layer
    names : tuple of str or None
        The names of layers that have their own.
    params, grads : mapping
        Of all layers, named as PyTorch does: ``"0.weight"``, ``"1.weight_ih_l0"``, or ``"lstm.weight_ih_l0"``.

    Raises
    ------
    TypeError
        An argument is not a layer, or there are layers with names and without.
    ValueError
        There is no layer, a name has a dot, or a layer does not fit the one before: it reads another number of
        features, another layout (`batch_first`, or rows without time after pooling), another dtype, or features of
        another number of directions (`LastStep`). (A layer of your own is checked only if it says: see `features_in`
        and `features_after` of `Layer`.)

    Notes
    -----
    The state is a tuple with the state of each layer that has one; None means zero states. `lengths` are passed to
    every layer that takes them (recurrent layers, pooling), up to the first layer that changes the time axis: after
    pooling and `RepeatVector` every row is full.

    ``len(model)``, ``model[0]``, ``model["lstm"]`` and iteration give the layers; ``model[:2]`` is a Sequential of the
    first two, which shares their parameters.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(
    ...     embed=fr.Embedding(10, 4, seed=0), lstm=fr.LSTM(4, 8, seed=1), out=fr.Linear(8, 10, seed=2)
    ... )
    >>> tokens = np.array([[3, 1], [4, 1], [5, 9]])  # (T, N)
    >>> logits, state, tape = model.forward(tokens)
    >>> loss, dlogits = fr.cross_entropy(logits[:-1], tokens[1:])
    >>> dx, dstate = model.backward(tape, np.concatenate([dlogits, np.zeros_like(logits[:1])]))
    >>> sorted(model.grads)[:2]
    ['embed.weight', 'lstm.bias_hh_l0']
    """

    layers: Layers = Layers("In the order in which they run.")
    names: Names = Names("Their names.", default=None, omit=True)

    children_in_sequence: bool = True

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        if layers and named:
            raise TypeError(
                f"layers: expected all with a name or all without, got {len(layers)} without and {[*named]}"
            )
        for name, layer in named.items() if named else enumerate(layers):
            if not isinstance(layer, Layer):
                where = f"as {name}" if named else f"at position {name}"
                raise TypeError(f"layers: expected layers, got {kind_of(layer)} {where}")
        if problem := misfit(layers or tuple(named.values())):
            raise ValueError(problem)
        self._compose(layers, named)

    def _compose(self, layers: tuple[Layer, ...], named: Mapping[str, Layer]) -> None:
        names = type(self).names.check("names", tuple(named) or None)
        vars(self).update(layers=layers or tuple(named.values()), names=names)
        self._adopt(dict(zip(names or map(str, range(len(layers))), self.layers, strict=True)))
        self._signal_in = signal_in(self.layers)
        self._has_state = [layer.stateful for layer in self.layers]

    @classmethod
    def _composed(cls, positional: tuple[Any, ...], named: dict[str, Any]) -> "Sequential":
        """Without a check of what fits: a file may hold a model that an earlier version did not refuse."""
        model = cls.__new__(cls)
        model._compose(positional, named)
        return model

    def with_layers(self, layers: Iterable[Layer]) -> "Sequential":
        """A Sequential of other layers under the same names; of fewer, under the first of them."""
        layers = tuple(layers)
        return Sequential._composed(
            *((layers, {}) if self.names is None else ((), dict(zip(self.names, layers, strict=False))))
        )

    def _before_last(self) -> tuple["Sequential", str] | None:
        return (self.with_layers(self.layers[:-1]), [*self._children][-1]) if len(self) > 1 else None

    @classmethod
    def child_configs(cls, config: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        layers = config["layers"]
        names = config.get("names") or map(str, range(len(layers)))
        return ((name, f"layers.{k}", layers[k]) for k, name in enumerate(names))

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.layers, {}) if self.names is None else ((), self.children())

    def _label(self, name: str) -> str:
        return f"layer {name}"

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @overload
    def __getitem__(self, key: int | str) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> "Sequential": ...
    def __getitem__(self, key: int | str | slice) -> Layer:
        """A layer by its number or name; a slice gives a Sequential that shares the layers."""
        if isinstance(key, str):
            if key not in self._children:
                raise KeyError(f"no layer {key!r}; the names are {', '.join(self._children)}")
            return self._children[key]
        if isinstance(key, slice):
            part = dict([*self._children.items()][key])
            return Sequential(*part.values()) if self.names is None else Sequential(**part)
        return self.layers[key]

    @property
    def dtype(self) -> Any:
        """The dtype of the first layer."""
        return self.layers[0].dtype  # type: ignore[attr-defined]

    @property
    def takes_lengths(self) -> bool:
        return any(layer.takes_lengths for layer in self.layers)

    @property
    def takes_resets(self) -> bool:
        return all(layer.takes_resets for layer in self.layers)

    @property
    def takes_packed(self) -> bool:
        return take_packed(self.layers)

    @property
    def batch_first(self) -> bool | None:
        """Whether x is (N, T, ...); None if it does not matter."""
        return {"NT": True, "TN": False}.get(self.axes_in or "")

    @property
    def signal_in(self) -> Signal:
        return self._signal_in

    def signal_after(self, signal: Signal) -> Signal:
        return signal_after(self.layers, signal)

    def lengths_after(self, lengths: Any) -> Any:
        for layer in self.layers:
            lengths = layer.lengths_after(lengths)
        return lengths

    def child_tapes(self, tape: Tape) -> list[tuple[str, Layer, Tape]]:
        (tapes,) = open_tape(tape, self)
        return [(name, layer, each) for (name, layer), each in zip(self._children.items(), tapes, strict=True)]

    def _states(self, name: str, state: Any) -> list[Any]:
        """One state for each layer; None for the layers that have none."""
        if state is None:
            return [None] * len(self.layers)
        count = sum(self._has_state)
        if not isinstance(state, tuple | list) or len(state) != count:
            got = f"{len(state)} of them" if isinstance(state, tuple | list) else type(state).__name__
            raise TypeError(
                f"{name}: expected a tuple with a state for each of the {count} recurrent layers, got {got}"
            )
        states = iter(state)
        return [next(states) if has_state else None for has_state in self._has_state]

    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, tuple[Any, ...], Any]:
        states, tapes, name = [], [], ""
        children = zip(self._children.items(), self._states("state", state), strict=True)
        try:
            for child, before in children:
                name, layer = child
                x, after, tape = layer.apply(x, before, lengths, training)
                states.append(after)
                tapes.append(tape)
                if lengths is not None:
                    lengths = layer.lengths_after(lengths)
        except (TypeError, ValueError) as error:
            self._note(error, name)
            raise
        return x, tuple(compress(states, self._has_state)), tapes

    def _backward(
        self, saved: Any, dy: Any, dstate: Any, extras: dict[str, float]
    ) -> tuple[Array | None, tuple[Any, ...]]:
        dbefore, name = [], ""
        children = zip(reversed(self._children.items()), reversed(saved), reversed(dstate), strict=True)
        try:
            for child, tape, dafter in children:
                name, layer = child
                dy, dinitial = layer.apply_backward(tape, dy, dafter)
                dbefore.append(dinitial)
        except (TypeError, ValueError) as error:
            self._note(error, name)
            raise
        return dy, tuple(compress(reversed(dbefore), self._has_state))

    def _backward_parameters(self, saved: Any, dy: Any, dstate: Any, extras: dict[str, float]) -> tuple[Any, ...]:
        without_dx(saved[0], self.layers[0])
        return self._backward(saved, dy, dstate, extras)[1]

    def check_dstate(self, tape: Tape, dstate: Any) -> list[Any]:
        (tapes,), states = open_tape(tape, self), self._states("dstate", dstate)
        children = zip(self._children.items(), tapes, states, strict=True)
        name = ""
        try:
            for child, inner, each in compress(children, self._has_state):
                name, layer = child
                layer.check_dstate(inner, each) if each is not None else check_tape(inner, layer)
        except (TypeError, ValueError) as error:
            self._note(error, name)
            raise
        return states
