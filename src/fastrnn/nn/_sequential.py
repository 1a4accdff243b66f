# SPDX-License-Identifier: BSD-3-Clause
"""Sequential."""

from collections.abc import Iterator, Mapping
from typing import Any

from .._engine.arguments import Array
from ._container import Container
from ._layer import Layer
from ._options import Option, described, kind_of
from ._stateful import StatefulLayer
from ._tape import Tape, add_extras, open_tape


class Layers(Option[tuple[Layer, ...], tuple[Layer, ...]]):
    """The layers of a Sequential."""

    type_text: str = "Layer"
    json_types: tuple[type, ...] = (list,)

    def plain(self, value: tuple[Layer, ...]) -> list[dict[str, Any]]:
        return [described(layer) for layer in value]


class Sequential(Container, StatefulLayer[tuple[Any, ...]]):
    """Layers one after another, each reading the output of the one before.

    Parameters
    ----------
    *layers : Layer
        Recurrent or not, in any mixture.

    Attributes
    ----------
    layers : tuple of Layer
    params, grads : mapping
        Of all layers, named as PyTorch does: ``"0.weight"``, ``"1.weight_ih_l0"``.

    Raises
    ------
    TypeError
        An argument is not a layer.
    ValueError
        There is no layer, or one reads another number of features than the layer before it gives. (A layer of your
        own is checked only if it says: see `features_in` and `features_after` of `Layer`.)

    Notes
    -----
    The state is a tuple with the state of each layer that has one, empty if there is none; None is zero everywhere.
    `lengths` go to every layer that reads them (recurrent layers, pooling), up to the first layer that changes the time
    axis: behind pooling and `RepeatVector` every row is full.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Embedding(10, 4, seed=0), fr.LSTM(4, 8, seed=1), fr.Linear(8, 10, seed=2))
    >>> tokens = np.array([[3, 1], [4, 1], [5, 9]])  # (T, N)
    >>> logits, state, tape = model.forward(tokens)
    >>> loss, dlogits = fr.cross_entropy(logits[:-1], tokens[1:])
    >>> dx, dstate = model.backward(tape, np.concatenate([dlogits, np.zeros_like(logits[:1])]))
    >>> sorted(model.grads)[:2]
    ['0.weight', '1.bias_hh_l0']
    """

    layers: Layers = Layers("In the order in which they run.")

    def __init__(self, *layers: Layer) -> None:
        for k, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers: expected layers, got {kind_of(layer)} at position {k}")
        if not layers:
            raise ValueError("layers: expected at least one layer, got none")
        check_features(layers)
        vars(self)["layers"] = layers
        self._adopt({str(k): layer for k, layer in enumerate(layers)})

    @classmethod
    def child_configs(cls, config: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        return ((str(k), f"layers.{k}", layer) for k, layer in enumerate(config["layers"]))

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self.layers, {}

    def _label(self, name: str) -> str:
        return f"layer {name}"

    @property
    def dtype(self) -> Any:
        """That of the first layer."""
        return self.layers[0].dtype  # type: ignore[attr-defined]

    @property
    def takes_lengths(self) -> bool:
        return any(layer.takes_lengths for layer in self.layers)

    @property
    def batch_first(self) -> bool | None:
        """That of the first layer that takes lengths; None if none does."""
        return next((layer.batch_first for layer in self.layers if layer.takes_lengths), None)  # type: ignore[attr-defined]

    @property
    def features_in(self) -> int | None:
        """Those of the first layer that says, behind layers that pass on what they read."""
        for layer in self.layers:
            if layer.features_in is not None or layer.features_after(-1) != -1:
                return layer.features_in
        return None

    def features_after(self, features: int | None) -> int | None:
        for layer in self.layers:
            features = layer.features_after(features)
        return features

    def lengths_after(self, lengths: Any) -> Any:
        for layer in self.layers:
            lengths = layer.lengths_after(lengths)
        return lengths

    def child_tapes(self, tape: Tape) -> list[tuple[str, Layer, Tape]]:
        (tapes,) = open_tape(tape, self)
        return [(str(k), layer, tapes[k]) for k, layer in enumerate(self.layers)]

    def _states(self, name: str, state: Any) -> list[Any]:
        """One state for each layer; None for the layers that have none."""
        count = sum(layer.stateful for layer in self.layers)
        if state is None:
            state = (None,) * count
        if not isinstance(state, tuple | list) or len(state) != count:
            got = f"{len(state)} of them" if isinstance(state, tuple | list) else type(state).__name__
            raise TypeError(
                f"{name}: expected a tuple with a state for each of the {count} recurrent layers, got {got}"
            )
        states = iter(state)
        return [next(states) if layer.stateful else None for layer in self.layers]

    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, tuple[Any, ...], Any]:
        states, tapes = [], []
        for k, (layer, before) in enumerate(zip(self.layers, self._states("state", state), strict=True)):
            with self._noted(str(k)):
                x, after, tape = layer.apply(x, before, lengths, training)
            if layer.stateful:
                states.append(after)
            tapes.append(tape)
            lengths = layer.lengths_after(lengths)
        return x, tuple(states), tapes

    def _backward(
        self, saved: Any, dy: Any, dstate: Any, extras: dict[str, float]
    ) -> tuple[Array | None, tuple[Any, ...]]:
        before = []
        for k in reversed(range(len(self.layers))):
            with self._noted(str(k)):
                dy, dbefore = self.layers[k].apply_backward(saved[k], dy, dstate[k])
            if self.layers[k].stateful:
                before.append(dbefore)
        add_extras(extras, saved)
        return dy, tuple(reversed(before))

    def check_dstate(self, tape: Tape, dstate: Any) -> list[Any]:
        (tapes,), states = open_tape(tape, self), self._states("dstate", dstate)
        for k, layer in enumerate(self.layers):
            if layer.stateful:
                with self._noted(str(k)):
                    layer.check_dstate(tapes[k], states[k])
        return states


def check_features(layers: tuple[Layer, ...]) -> None:
    """Raise ValueError unless each layer reads what the one before gives, as far as they say."""
    features = None
    for k, layer in enumerate(layers):
        expected = layer.features_in
        if None not in (expected, features) and expected != features:
            raise ValueError(
                f"layers[{k}]: expected {features} features in, which {type(layers[k - 1]).__name__} at {k - 1} gives, "
                f"got {type(layer).__name__} with {expected}"
            )
        features = layer.features_after(features)
