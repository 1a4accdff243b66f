# SPDX-License-Identifier: BSD-3-Clause
"""Layers made of layers: Sequential and Residual."""

import contextlib

from ._container import described
from ._layer import Layer, results
from ._parameters import Prefixed
from ._tape import Tape, omega_of


class Sequential(Layer):
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
        Something that is not a layer.
    ValueError
        No layer, or one that reads other features than the one before gives. (A layer of one's own is not checked
        unless it says: see `features_in` and `features_after` of `Layer`.)

    Notes
    -----
    It takes and returns a state as recurrent layers do: a tuple with the state of each recurrent layer, empty if there
    is none; None is zero everywhere. `lengths` go to every layer that reads them (the recurrent ones, pooling), as far
    as the first that changes the time steps: behind pooling and `RepeatVector` every row is full.

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

    stateful = True

    def __init__(self, *layers):
        for k, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise TypeError(f"layers: expected layers, got {type(layer).__name__} at position {k}")
        if not layers:
            raise ValueError("layers: expected at least one layer, got none")
        check_features(layers)
        self.layers = layers
        self.params = Prefixed({name: layer.params for name, layer in self.parts().items()})
        self.grads = Prefixed({name: layer.grads for name, layer in self.parts().items()})

    def parts(self):
        return {str(k): layer for k, layer in enumerate(self.layers)}

    @property
    def dtype(self):
        return self.layers[0].dtype

    @property
    def takes_lengths(self):
        return any(layer.takes_lengths for layer in self.layers)

    @property
    def batch_first(self):
        """That of the first layer that takes lengths; None if none does."""
        return next((layer.batch_first for layer in self.layers if layer.takes_lengths), None)

    @property
    def features_in(self):
        """Those of the first layer that says, behind others that pass on what they read."""
        for layer in self.layers:
            if layer.features_in is not None or layer.features_after(-1) != -1:
                return layer.features_in
        return None

    def features_after(self, features):
        for layer in self.layers:
            features = layer.features_after(features)
        return features

    def inside(self, tape):
        tapes = Tape.check(tape, self)
        return [(str(k), layer, tapes[k]) for k, layer in enumerate(self.layers)]

    def lengths_after(self, lengths):
        for layer in self.layers:
            lengths = layer.lengths_after(lengths)
        return lengths

    def config(self):
        return {"layers": [described(layer) for layer in self.layers]}

    def __repr__(self):
        return f"Sequential({', '.join(map(repr, self.layers))})"

    def __reduce__(self):
        return Sequential, self.layers

    def still(self):
        return Sequential(*(layer.still() for layer in self.layers))

    def _states(self, name, state):
        """One state for each layer; None for those that have none."""
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

    @contextlib.contextmanager
    def _noted(self, k):
        """Errors inside say which layer they come from."""
        try:
            yield
        except (TypeError, ValueError) as error:
            error.add_note(f"in layer {k} of Sequential: {self.layers[k]!r}")
            raise

    def _through(self, x, state, lengths, method):
        """Run x through `method` of every layer; collects (y, [state], [further results])."""
        states, tapes = [], []
        for k, (layer, before) in enumerate(zip(self.layers, self._states("state", state), strict=True)):
            with self._noted(k):
                x, *rest = results(getattr(layer, method)(*layer._given(x, before, lengths)))
            if layer.stateful:
                states.append(rest.pop(0))
            tapes += rest
            lengths = layer.lengths_after(lengths)
        return x, tuple(states), tapes

    def __call__(self, x, state=None, lengths=None):
        """Inference: (y, state)."""
        y, state, _ = self._through(x, state, lengths, "__call__")
        return y, state

    def forward(self, x, state=None, lengths=None):
        """Training: (y, state, tape)."""
        y, state, tapes = self._through(x, state, lengths, "forward")
        return y, state, Tape(self, tapes)

    def backward(self, tape, dy, dstate=None):
        """Gradients with respect to x and the initial state: (dx, dstate). dx is None where x is tokens."""
        tapes = Tape.check(tape, self)
        after, before = self._states("dstate", dstate), []
        self.check_dstate(tape, dstate)  # before any layer adds to its gradients
        for k in reversed(range(len(self.layers))):
            layer = self.layers[k]
            with self._noted(k):
                if layer.stateful:
                    dy, dbefore = layer.backward(tapes[k], dy, after[k])
                    before.append(dbefore)
                else:
                    dy = layer.backward(tapes[k], dy)
        tape.use()
        tape.omega = omega_of(tapes)
        return dy, tuple(reversed(before))

    def check_dstate(self, tape, dstate):
        for k, (layer, part, after) in enumerate(
            zip(self.layers, Tape.check(tape, self), self._states("dstate", dstate), strict=True)
        ):
            if layer.stateful:
                with self._noted(k):
                    layer.check_dstate(part, after)


def check_features(layers):
    """Raise ValueError unless each layer reads what the one before gives, as far as they say."""
    features = None
    for k, layer in enumerate(layers):
        wanted = layer.features_in
        if None not in (wanted, features) and wanted != features:
            raise ValueError(
                f"layers[{k}]: expected {features} features in, which {type(layers[k - 1]).__name__} at {k - 1} gives, "
                f"got {type(layer).__name__} with {wanted}"
            )
        features = layer.features_after(features)


def leaves(layer):
    """The layers inside a layer that hold no others, in order; the layer itself if it is one."""
    inside = layer.parts().values() if isinstance(layer, Layer) else ()
    return [leaf for part in inside for leaf in leaves(part)] or [layer]
