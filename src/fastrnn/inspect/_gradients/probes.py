# SPDX-License-Identifier: BSD-3-Clause
"""A model taken apart into strands: a copy of it that runs each recurrent layer step by step, and keeps the steps."""

import numpy as np

from ..._engine import arguments
from ..._engine.layout import Layout, as_gradient, as_states
from ..._engine.ragged import as_lengths
from ...nn._layer import Layer, leaves
from ...nn._recurrent.recurrent import Recurrent
from ...nn._residual import Residual
from ...nn._sequential import Sequential
from ...nn._tape import Tape, open_tape
from .recurrences import Strand, within


def strands(model, x, lengths=None, state=None):
    """Run x through a model; the strands of its recurrent layers, from the first.

    Parameters
    ----------
    model : Layer
    x, lengths, state
        As the model takes them.

    Returns
    -------
    list of Strand
    """
    taken_apart = probed(model)
    check_x(model, x, lengths)
    taken_apart.forward(x, state, lengths)
    return strands_of(taken_apart)


def probed(model):
    """A copy of a model, without chance and with gradients of its own, with a `Probe` for each recurrent layer."""
    check_model(model)
    return _probed("", model)


def _probed(name, layer):
    if isinstance(layer, Sequential):
        return Sequential(*[_probed(f"{name}{k}.", part) for k, part in enumerate(layer.layers)])
    if isinstance(layer, Residual):
        return Residual(_probed(name, layer.layer))
    if isinstance(layer, Recurrent):
        return Probe(name, layer)
    if layer.stateful:
        raise ValueError(f"model: expected RNN, LSTM or GRU as its recurrent layers, got {layer!r}")
    return layer.inference_copy()


def strands_of(model):
    """The strands of the latest forward pass of a `probed` model."""
    return [strand for leaf in leaves(model) if isinstance(leaf, Probe) for strand in leaf.strands]


def check_model(model):
    """Raise TypeError or ValueError unless a model is one of recurrent and other layers, each behind the other."""
    if not isinstance(model, Layer):
        raise TypeError(f"model: expected a layer of fastrnn, got {type(model).__name__}")
    if not any(leaf.stateful for leaf in leaves(model)):
        raise ValueError(f"model: expected one with a recurrent layer in it, got {model!r}")
    inside = [model]
    for layer in inside:
        parts = layer.children().values()
        if any(part.stateful for part in parts) and not isinstance(layer, Sequential | Residual):
            raise ValueError(f"model: expected recurrent layers in Sequential or Residual only, got {layer!r}")
        inside.extend(parts)


def check_x(model, x, lengths):
    """Raise ValueError where x is without a step or a row, or holds nan or inf within the length of a row."""
    shape = np.shape(x)
    if 0 in shape:
        raise ValueError(f"x: expected at least one step of at least one row, got shape {shape}")
    x = arguments.as_array("x", x)
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        if lengths is not None and x.ndim in (2, 3):
            x = Layout(x.ndim == 3, bool(model.batch_first)).time_major(x)
            x = x[within(len(x), as_lengths(lengths, *x.shape[:2]))]
        if not np.isfinite(x).all():
            raise ValueError("x: expected finite values, got nan or inf")


class Probe(Layer):
    """Stands for a recurrent layer in a copy of a model: runs its strands, and keeps them."""

    stateful = takes_lengths = True

    def __init__(self, name, layer):
        self.layer, self.batch_first, self.dtype = layer, layer.batch_first, layer.dtype
        self.strands = []  # of the latest forward pass, the directions of a layer side by side
        self._own({})
        self._single = []
        for index in range(layer.num_layers):
            for direction in range(layer.num_directions):
                suffix = f"l{index}{'_reverse' if direction else ''}"
                self._single.append((name + suffix, _single(layer, index, suffix), bool(direction)))

    def __repr__(self):
        return repr(self.layer)

    def forward(self, x, state=None, lengths=None):
        """As that of the layer."""
        x, layout, state, lengths = self.layer._enter(x, state, lengths)
        T, N, _ = x.shape
        lengths = np.full(N, T) if lengths is None else lengths
        self.strands.clear()
        D = self.layer.num_directions
        for k, (name, layer, reverse) in enumerate(self._single):
            start = tuple(None if part is None else part[k] for part in state)
            self.strands.append(Strand(name, layer, x, start, lengths, reverse, layout.batched))
            if (k + 1) % D == 0:
                x = np.concatenate([strand.outputs() for strand in self.strands[-D:]], axis=-1)
        y = np.empty(layout.shape(*x.shape), self.dtype)
        layout.time_major(y)[...] = x
        final = tuple(np.stack([strand.states[part][-1] for strand in self.strands]) for part in range(len(state)))
        return y, self.layer._leave(final, layout), Tape(self, (layout, x.shape))

    def backward(self, tape, dy, dstate=None):
        """As that of the layer; adds to no gradient of a parameter."""
        layout, shape = open_tape(tape, self)
        dfinal = self.check_dstate(tape, dstate)
        dy = as_gradient("dy", dy, layout, shape, self.dtype)
        tape.close()
        D, H = self.layer.num_directions, self.layer.hidden_size
        before = [None] * len(self.strands)
        for top in reversed(range(0, len(self.strands), D)):
            dx = 0
            for d in range(D):
                k = top + d
                given = tuple(None if part is None else part[k] for part in dfinal)
                below, before[k] = self.strands[k].back_through(dy[..., d * H : (d + 1) * H], given)
                dx = dx + below
            dy = dx
        out = np.empty(layout.shape(*dy.shape), self.dtype)
        layout.time_major(out)[...] = dy
        return out, self.layer._leave(tuple(map(np.stack, zip(*before, strict=True))), layout)

    def check_dstate(self, tape, dstate):
        layout, (_, N, _) = open_tape(tape, self)
        shape = (len(self.strands), N, self.layer.hidden_size)
        return as_states("dstate", dstate, self.layer.cell.parts, shape, layout.batched, self.dtype)


def _single(layer, index, suffix):
    """One layer and direction of a stack, as a layer without chance."""
    config = {"num_layers": 1, "bidirectional": False, "batch_first": False, "recompute": False, "dropout": 0.0}
    single = type(layer)(**layer.config() | config | {"input_size": layer._input_size(index)}).inference_copy()
    for name in single.params:
        single.params[name] = layer._peek(name.removesuffix("l0") + suffix)
    return single
