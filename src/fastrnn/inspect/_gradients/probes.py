# SPDX-License-Identifier: BSD-3-Clause
"""A copy of a model in which a `Probe` stands for each recurrent layer: it runs step by step and keeps the steps."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array
from ..._engine.layout import Layout, StateArrays, as_state, h_and_c
from ..._engine.ragged import as_lengths, length_mask
from ...nn import Layer, Residual, Sequential, Tape
from ...nn._layer import leaves, rebuilt
from ...nn._recurrent.recurrent import RecurrentBase
from ...nn._stateful import StatefulLayer
from ...nn._tape import open_tape
from ...training._data.frames import input_of
from .recurrences import Recurrence

ARGUMENTS = """
model : Layer
    With an RNN, LSTM or GRU in it, for attribution also an EchoState. Dropout is off and zoneout takes its mean;
    parameters and gradients do not change.
x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
    As the model takes it; a sequence may be a DataFrame with a column for each feature.
lengths : array_like of int, shape (N,), optional
    The number of valid steps of each row; by default all.
state : array_like or tuple, optional
    The initial state, as the model takes it. Zero by default."""
ERRORS = """

Raises
------
TypeError, ValueError
    The model has no recurrent layer, x has no steps or is not finite, or an argument has the wrong type or shape."""
NOT_FINITE = """
FloatingPointError
    A state is not finite."""


def run_recurrences(model: Layer, x: Any, lengths: ArrayLike | None = None, state: Any = None) -> list[Recurrence]:
    """Run a model, with the arguments of a call of it, and return its recurrences, from the first."""
    copy, _, _ = run_with_probes(model, x, lengths, state)
    return recurrences_of(copy)


def run_with_probes(model: Layer, x: Any, lengths: ArrayLike | None, state: Any) -> tuple[Any, Array, Tape]:
    """A copy of a model `with_probes`, its output and its tape."""
    check_model(model)
    copy, x = with_probes(model), input_of(model, x)
    check_x(model, x, lengths)
    y, _, tape = copy.forward(x, state, lengths)
    return copy, y, tape


def with_probes(layer: Layer, name: str = "") -> Layer:
    """A copy of a model for inference, with gradients of its own and a `Probe` for each recurrent layer.

    `name` is the prefix of the names of its parameters.
    """
    if isinstance(layer, Sequential):
        return layer.with_layers(with_probes(child, f"{name}{key}.") for key, child in layer.children().items())
    if isinstance(layer, Residual):
        return Residual(with_probes(layer.layer, name))
    if isinstance(layer, RecurrentBase):
        return Probe(name, layer)
    if layer.stateful:
        raise ValueError(f"model: expected RNN, LSTM or GRU as its recurrent layers, got {layer!r}")
    return layer.inference_copy()


def recurrences_of(model: Layer) -> list[Recurrence]:
    """The recurrences of the latest forward pass of a model `with_probes`."""
    return [recurrence for leaf in leaves(model) if isinstance(leaf, Probe) for recurrence in leaf.recurrences]


def check_model(model: Any) -> None:
    """Raise TypeError or ValueError unless a model has recurrent layers, all in `Sequential` or `Residual` only."""
    if not isinstance(model, Layer):
        raise TypeError(f"model: expected a layer of fastrnn, got {type(model).__name__}")
    if not any(leaf.stateful for leaf in leaves(model)):
        raise ValueError(f"model: expected one with a recurrent layer in it, got {model!r}")
    layers = [model]
    for layer in layers:
        children = layer.children().values()
        if any(child.stateful for child in children) and not isinstance(layer, Sequential | Residual):
            raise ValueError(f"model: expected recurrent layers in Sequential or Residual only, got {layer!r}")
        layers.extend(children)


def check_x(model: Any, x: Any, lengths: Any) -> None:
    """Raise ValueError if x has no step or no row, or holds nan or inf within the length of a row."""
    shape = np.shape(x)
    if 0 in shape:
        raise ValueError(f"x: expected at least one step of at least one row, got shape {shape}")
    x = as_array("x", x)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        if lengths is not None and x.ndim in (2, 3):
            x = Layout(x.ndim == 3, bool(model.batch_first)).time_major(x)
            T, N = x.shape[:2]
            x = x[length_mask(as_lengths(lengths, T, N), T)]
        if not np.isfinite(x).all():
            raise ValueError("x: expected finite values, got nan or inf")


class Probe(StatefulLayer[Any]):
    """Stands for a recurrent layer in a copy of a model: runs its recurrences, and keeps them.

    Its passes return what those of the layer do, but `backward` adds to no gradient of a parameter. `name` is the
    prefix of their names. `recurrences` are those of the latest forward pass, both directions of a layer next to each
    other.
    """

    def __init__(self, name: str, layer: RecurrentBase) -> None:
        self.layer, self.batch_first, self.dtype = layer, layer.batch_first, layer.dtype
        self.recurrences: list[Recurrence] = []
        self._single = [
            (
                name + layer.parameter_names(*pair)[0].removeprefix("weight_ih_"),
                single_layer(layer, *pair),
                pair[1] > 0 or layer.reverse,
            )
            for pair in np.ndindex(layer.num_layers, layer.num_directions)
        ]

    def __repr__(self) -> str:
        return repr(self.layer)

    def features_after(self, features: int | None) -> int | None:
        return self.layer.features_after(features)

    def directions_after(self, directions: int | None) -> int | None:
        return self.layer.directions_after(directions)

    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, Any, Layout]:
        x, layout, initial, rows = self.layer.stack.enter(x, state, lengths, self.batch_first)
        T, N, _ = x.shape
        initial = self.layer.initial_states(N) if state is None else initial
        lengths = np.full(N, T) if rows.lengths is None else rows.lengths
        D = self.layer.num_directions
        self.recurrences.clear()
        for k, (name, layer, reverse) in enumerate(self._single):
            self.recurrences.append(
                Recurrence(name, layer, x, h_and_c(initial, k), lengths, reverse, batched=layout.batched)
            )
            if (k + 1) % D == 0:
                x = np.concatenate([recurrence.outputs() for recurrence in self.recurrences[-D:]], axis=-1)
        final = [[array[-1] for array in recurrence.states] for recurrence in self.recurrences]
        return layout.laid_out(x), stacked(final, layout), layout

    def _backward(self, layout: Layout, dy: Any, dstate: Any, extras: dict[str, float]) -> tuple[Array, Any]:
        dy, before = layout.time_major(dy), []
        D = self.layer.num_directions
        for first in reversed(range(0, len(self.recurrences), D)):
            results = [
                self.recurrences[k].backward(part, h_and_c(dstate, k))
                for k, part in enumerate(np.split(dy, D, axis=-1), first)
            ]
            dy = sum(dx for dx, _ in results)
            before[:0] = [dinitial for _, dinitial in results]
        return layout.laid_out(dy), stacked(before, layout)

    def check_dstate(self, tape: Tape, dstate: Any) -> StateArrays:
        """The gradient of the final state, as arrays (L*D, N, H) or None, or an error that names it."""
        (layout,) = open_tape(tape, self)
        return self.layer.stack.as_states("dstate", dstate, len(self.recurrences[0].lengths), layout)


def stacked(states: list[Any], layout: Layout) -> Any:
    """The states of all recurrences as one state of the layer, in the form that a caller has."""
    arrays = map(np.stack, zip(*states, strict=True))
    return as_state(array if layout.batched else array[:, 0] for array in arrays)


def single_layer(layer: RecurrentBase, index: int, direction: int) -> Any:
    """One layer and direction of a recurrent layer, as a layer for inference."""
    features = layer.input_size if index == 0 else layer.num_directions * layer.hidden_size
    config = layer.config() | {"input_size": features, "num_layers": 1}
    config |= dict.fromkeys(("bidirectional", "reverse", "batch_first", "learn_initial_state"), False)
    names = zip(layer.parameter_names(0, 0), layer.parameter_names(index, direction), strict=True)
    arrays = {own: layer.params[name] for own, name in names if name in layer.params}
    return rebuilt(type(layer), config, arrays, None).inference_copy()
