# SPDX-License-Identifier: BSD-3-Clause
"""A copy of a model in which a `Probe` stands for each recurrent layer: it runs step by step and keeps the steps."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array
from ..._engine.layout import Layout, as_gradient, as_state
from ..._engine.ragged import as_lengths, length_mask
from ...nn import Layer, Residual, Sequential, Tape
from ...nn._layer import leaves
from ...nn._recurrent.recurrent import Recurrent
from ...nn._tape import open_tape
from .recurrences import Recurrence

ARGUMENTS = """
model : Layer
    With an RNN, LSTM or GRU in it, for attribution also an EchoState. Dropout is off and zoneout takes its mean;
    parameters and gradients do not change.
x : array_like, shape (T, N, I), with `batch_first` (N, T, I), or unbatched (T, I)
    As the model takes it.
lengths : array_like of int, shape (N,), optional
    How many steps of each row count; by default all of them.
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
    copy = with_probes(model)
    check_x(model, x, lengths)
    copy.forward(x, state, lengths)
    return recurrences_of(copy)


def with_probes(model: Layer) -> Layer:
    """A copy of a model for inference, with gradients of its own and a `Probe` for each recurrent layer."""
    check_model(model)
    return _with_probes("", model)


def _with_probes(name: str, layer: Layer) -> Layer:
    if isinstance(layer, Sequential):
        return Sequential(*[_with_probes(f"{name}{k}.", child) for k, child in enumerate(layer.layers)])
    if isinstance(layer, Residual):
        return Residual(_with_probes(name, layer.layer))
    if isinstance(layer, Recurrent):
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


class Probe(Layer):
    """Stands for a recurrent layer in a copy of a model: runs its recurrences, and keeps them.

    `name` is the prefix of their names. `recurrences` are those of the latest forward pass, both directions of a layer
    next to each other.
    """

    stateful = takes_lengths = True  # type: ignore[assignment]

    def __init__(self, name: str, layer: Recurrent) -> None:
        self.layer, self.batch_first, self.dtype = layer, layer.batch_first, layer.dtype
        self.recurrences: list[Recurrence] = []
        self._own({})
        self._single = []
        for index in range(layer.num_layers):
            for direction in range(layer.num_directions):
                label = f"{name}l{index}{'_reverse' if direction else ''}"
                self._single.append((label, single_layer(layer, index, direction), bool(direction)))

    def __repr__(self) -> str:
        return repr(self.layer)

    def __call__(self, x: Any, state: Any = None, lengths: Any = None) -> tuple[Array, Any]:
        y, state, _ = self.forward(x, state, lengths)
        return y, state

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> tuple[Array, Any, Tape]:
        """As the layer, by recurrences."""
        x, layout, initial, lengths = self.layer.stack.enter(x, state, lengths, self.batch_first)
        T, N, _ = x.shape
        lengths = np.full(N, T) if lengths is None else lengths
        self.recurrences.clear()
        D = self.layer.num_directions
        for k, (name, layer, reverse) in enumerate(self._single):
            start = tuple(None if part is None else part[k] for part in initial)
            self.recurrences.append(Recurrence(name, layer, x, start, lengths, reverse, layout.batched))
            if (k + 1) % D == 0:
                x = np.concatenate([recurrence.outputs() for recurrence in self.recurrences[-D:]], axis=-1)
        final = [[array[-1] for array in recurrence.states] for recurrence in self.recurrences]
        return layout.laid_out(x), stacked(final, layout), Tape(self, (layout, x.shape), layout.shape(*x.shape))

    def backward(self, tape: Tape, dy: Any, dstate: Any = None) -> tuple[Array, Any]:
        """As the layer; adds to no gradient of a parameter."""
        layout, shape = open_tape(tape, self)
        dfinal = self.check_dstate(tape, dstate)
        dy = as_gradient("dy", dy, layout, shape, self.dtype)
        tape.close()
        D, H = self.layer.num_directions, self.layer.hidden_size
        before: list[Any] = [None] * len(self.recurrences)
        for top in reversed(range(0, len(self.recurrences), D)):
            dx: Any = 0
            for d in range(D):
                k = top + d
                last = tuple(None if part is None else part[k] for part in dfinal)
                below, before[k] = self.recurrences[k].backward(dy[..., d * H : (d + 1) * H], last)
                dx = dx + below
            dy = dx
        return layout.laid_out(dy), stacked(before, layout)

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, Any, Tape]:
        return self.forward(x, state, lengths)

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Array, Any]:
        return self.backward(tape, dy, dstate)

    def check_dstate(self, tape: Tape, dstate: Any) -> Any:
        """The gradient of the final state, as arrays (L*D, N, H) or None, or an error that names it."""
        layout, (_, N, _) = open_tape(tape, self)
        return self.layer.stack.as_states("dstate", dstate, N, layout)


def stacked(states: list[Any], layout: Layout) -> Any:
    """The states of all recurrences as one state of the layer, in the form that a caller has."""
    arrays = map(np.stack, zip(*states, strict=True))
    return as_state(array if layout.batched else array[:, 0] for array in arrays)


def single_layer(layer: Recurrent, index: int, direction: int) -> Any:
    """One layer and direction of a recurrent layer, as a layer for inference."""
    features = layer.input_size if index == 0 else layer.num_directions * layer.hidden_size
    config: dict[str, Any] = layer.config() | {"input_size": features, "num_layers": 1, "bidirectional": False}
    config |= {"batch_first": False, "recompute": False, "dropout": 0.0}
    single = type(layer)(**config).inference_copy()
    names = zip(layer.parameter_names(0, 0), layer.parameter_names(index, direction), strict=True)
    single.load_state_dict({own: layer.params[name] for own, name in names if own in single.params})
    return single
