# SPDX-License-Identifier: BSD-3-Clause
"""From the final state of an encoder to the first state of a decoder, and the gradient back."""

import numpy as np

from .._layer import results
from .._recurrent.stack import Stack
from .._residual import Residual
from .._sequential import Sequential, leaves


class Bridge:
    """What makes the first state of a decoder of the final state of an encoder.

    Without `linear` layer l of the decoder begins with the state of layer l of the encoder, directions side by side.
    With it, all arrays of the encoder's state side by side, z, give those of the decoder's: ``tanh(linear(z))``, as
    Bahdanau, Cho, Bengio 2015 (arXiv 1409.0473, section A.2.2) have it.

    Parameters
    ----------
    encoder, decoder : Stack
    linear : Linear or None

    Raises
    ------
    ValueError
        The sizes do not fit.
    """

    def __init__(self, encoder, decoder, linear):
        self.encoder, self.decoder, self.linear = encoder, decoder, linear
        sizes = _features(encoder), _features(decoder)
        wanted = f"Linear({sizes[0]}, {sizes[1]})"
        if linear is None:
            given = encoder._parts, encoder.num_layers, encoder.num_directions * encoder.hidden_size
            begun = decoder._parts, decoder.num_layers, decoder.hidden_size
            if given != begun:
                text = "({}) of {} layers with {} units"
                given, begun = (text.format(", ".join(parts), *counts) for parts, *counts in (given, begun))
                raise ValueError(
                    f"bridge: expected {wanted}, as encoder ends with {given} and decoder begins with {begun}, got None"
                )
        elif (linear.in_features, linear.out_features) != sizes:
            raise ValueError(
                f"bridge: expected {wanted}, between all states of the encoder and of the decoder, "
                f"got Linear({linear.in_features}, {linear.out_features})"
            )

    def __call__(self, state):
        """The first state of the decoder, given the final one of the encoder."""
        return self._across(state, "__call__")[0]

    def forward(self, state):
        """The same, and the tape of `linear` with its output for `backward`."""
        return self._across(state, "forward")

    def _across(self, state, method):
        arrays = state if isinstance(state, tuple) else (state,)
        if self.linear is None:
            D = self.encoder.num_directions
            return _state([_side_by_side(array, D) for array in arrays]), None
        y, *tape = results(getattr(self.linear, method)(_flat(arrays)))
        np.tanh(y, out=y)
        return _state(_unflat(y, self.decoder)), (y, *tape)

    def backward(self, kept, dstate):
        """The gradient of the encoder's state, given that of the decoder's and what `forward` kept."""
        arrays = dstate if isinstance(dstate, tuple) else (dstate,)
        if kept is None:
            D = self.encoder.num_directions
            return _state([_one_by_one(array, D) for array in arrays])
        y, tape = kept
        return _state(_unflat(self.linear.backward(tape, _flat(arrays) * (1 - np.square(y))), self.encoder))


def _features(stack):
    """How many numbers a row of a stack's state has."""
    return len(stack._parts) * stack.num_layers * stack.num_directions * stack.hidden_size


def _state(arrays):
    """h, or (h, c)."""
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


def _side_by_side(array, D):
    """(L*D, N, H) as (L, N, D*H)."""
    K, N, H = array.shape
    return array.reshape(K // D, D, N, H).swapaxes(1, 2).reshape(K // D, N, D * H)


def _one_by_one(array, D):
    """(L, N, D*H) as (L*D, N, H)."""
    L, N, F = array.shape
    return array.reshape(L, N, D, F // D).swapaxes(1, 2).reshape(L * D, N, F // D)


def _flat(arrays):
    """Arrays (K, N, H) as one, (N, len(arrays) * K * H)."""
    K, N, H = arrays[0].shape
    return np.concatenate([array.swapaxes(0, 1).reshape(N, K * H) for array in arrays], axis=1)


def _unflat(array, stack):
    """The other way: the arrays (K, N, H) of a state of `stack`."""
    K, H = stack.num_layers * stack.num_directions, stack.hidden_size
    parts = np.split(array, len(stack._parts), axis=1)
    return [np.ascontiguousarray(part.reshape(len(array), K, H).swapaxes(0, 1)) for part in parts]


# -- the last recurrent layer of an encoder, which may hold several ----------------------------------------------------


def last_stack(layer):
    """The last recurrent layer inside a layer; None if there is none."""
    stacks = [leaf for leaf in leaves(layer) if isinstance(leaf, Stack)]
    return stacks[-1] if stacks else None


def last_state(layer, state):
    """Its state, of that of `layer`."""
    if isinstance(layer, Residual):
        return last_state(layer.layer, state)
    if isinstance(layer, Sequential):
        inner, k, _ = _last_inside(layer)
        return last_state(inner, state[k])
    return state


def as_state(layer, last):
    """A state of `layer` that is `last` for its last recurrent layer, and None for the others."""
    if isinstance(layer, Residual):
        return as_state(layer.layer, last)
    if isinstance(layer, Sequential):
        inner, k, count = _last_inside(layer)
        return tuple(as_state(inner, last) if k == j else None for j in range(count))
    return last


def _last_inside(sequential):
    """The last layer of a Sequential that holds a recurrent one, its place among the stateful ones, their number."""
    stateful = [layer for layer in sequential.layers if layer.stateful]
    k = max(k for k, layer in enumerate(stateful) if last_stack(layer) is not None)
    return stateful[k], k, len(stateful)
