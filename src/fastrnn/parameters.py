# SPDX-License-Identifier: BSD-3-Clause
"""The parameters of a stack of recurrent layers: sizes, names, shapes, first values, and packed copies."""

import warnings

from . import arguments, functional
from .layer import Layer, _rebuild
from .remedies import Remedies


class StackParameters(Layer):
    """What a `Stack` is made of and owns. See `RNN` for the arguments."""

    _parts = ("h",)  # what a state consists of
    _optional = {"recurrent_dropout": 0.0, "zoneout": 0.0, "weight_drop": 0.0, "delta_clip": 1.0}  # of `config`

    def __init__(
        self, cell, input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, recompute,
        dtype, seed, *, leak=1.0, **remedies,
    ):  # fmt: skip
        self.cell = functional.CELLS[cell]
        self.input_size = arguments.as_size("input_size", input_size)
        self.hidden_size = arguments.as_size("hidden_size", hidden_size)
        self.num_layers = arguments.as_size("num_layers", num_layers)
        self.bias = arguments.as_flag("bias", bias)
        self.batch_first = arguments.as_flag("batch_first", batch_first)
        self.bidirectional = arguments.as_flag("bidirectional", bidirectional)
        self.recompute = arguments.as_flag("recompute", recompute)
        self.dropout = arguments.as_probability("dropout", dropout)
        if self.dropout and self.num_layers == 1:
            warnings.warn("dropout acts between layers: with num_layers=1 it does nothing", stacklevel=3)
        self.dtype = arguments.as_dtype(dtype)
        self.num_directions = 2 if self.bidirectional else 1
        self._remedies = Remedies.checked(self._parts, leak=leak, **remedies)
        self._still = not self._remedies.config()  # nothing in the loop is random
        self._state_update = self._remedies.inference(self.hidden_size, self.dtype)
        rng = arguments.as_rng(seed)
        self._own(self._initial(rng))
        (self._rng,) = rng.spawn(1)  # of all masks
        self._bind()

    @staticmethod
    def _names(layer, direction):
        """Names of w_ih, w_hh, b_ih, b_hh of one layer and direction, as PyTorch has them."""
        suffix = f"_l{layer}{'_reverse' if direction else ''}"
        return tuple(kind + suffix for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))

    @classmethod
    def _shapes(cls, input_size, hidden_size, num_layers, bias, bidirectional, **others):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        G, H, D = cls._gates, hidden_size, 2 if bidirectional else 1
        for layer in range(num_layers):
            I = input_size if layer == 0 else D * H
            for direction in range(D):
                shapes = (G * H, I), (G * H, H), (G * H,), (G * H,)
                for name, shape in zip(cls._names(layer, direction), shapes, strict=True):
                    if bias or len(shape) == 2:
                        yield name, shape

    def _elements(self):
        """How many parameters there are, without going through the layers."""
        G, H, D = self._gates, self.hidden_size, self.num_directions
        upper = (self.num_layers - 1) * (D * H + H + 2)
        return D * G * H * (self.input_size + H + 2 + upper)

    def _arrays(self, layer, direction):
        """w_ih, w_hh, b_ih, b_hh, or None, of one layer and direction."""
        return tuple(map(self.params.own().get, self._names(layer, direction)))

    def _input_size(self, layer):
        return self.input_size if layer == 0 else self.num_directions * self.hidden_size

    def _initial(self, rng):
        """PyTorch's default: everything uniform in +-1/sqrt(H). Drawn by a child of `rng`, as dropout is."""
        (rng,) = rng.spawn(1)
        bound = self.hidden_size**-0.5
        shapes = self._shapes(**self.config())
        arguments.can_have(self._elements() * self.dtype.itemsize, "input_size, hidden_size, num_layers")
        return {name: rng.uniform(-bound, bound, shape).astype(self.dtype) for name, shape in shapes}

    def _bind(self):
        """Packed copies of each layer and direction, [layer][direction]."""
        self._weights = [
            [
                functional.weights(
                    self.cell, self.dtype, self._input_size(layer), self.hidden_size,
                    self._arrays(layer, direction), self.params, self._state_update,
                )
                for direction in range(self.num_directions)
            ]
            for layer in range(self.num_layers)
        ]  # fmt: skip
        flat = [weight for directions in self._weights for weight in directions]
        self._small = functional.inference(flat, self.num_directions, len(self._parts), self.batch_first, self.dtype)

    def config(self):
        return {
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "num_layers": self.num_layers,
            "bias": self.bias,
            "batch_first": self.batch_first,
            "dropout": self.dropout,
            "bidirectional": self.bidirectional,
            "recompute": self.recompute,
            "dtype": str(self.dtype),
        } | self._remedies.config()

    def still(self):
        config = self.config() | {"recompute": False, "dropout": 0.0}
        config.pop("omega", None)
        twin = _rebuild(type(self), config, self.state_dict(), None)
        twin._still = True
        return twin

    def _random_state(self):
        return self._rng.bit_generator.state

    def _set_random_state(self, state):
        self._rng.bit_generator.state = state
