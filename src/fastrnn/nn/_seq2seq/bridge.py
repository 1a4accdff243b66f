# SPDX-License-Identifier: BSD-3-Clause
"""From the final state of an encoder to the initial state of a decoder, and the gradient back."""

from typing import Any

import numpy as np

from ..._engine.arguments import Array
from ..._engine.layout import as_state, state_arrays
from .._layer import leaves
from .._linear import Linear
from .._recurrent.recurrent import RecurrentBase
from .._residual import Residual
from .._sequential import Sequential


class Bridge:
    """Computes the initial state of a decoder from the final state of an encoder.

    Without `linear`, layer l of the decoder starts from the state of layer l of the encoder, directions concatenated.
    With it, the concatenation z of all arrays of the encoder's state gives those of the decoder: ``tanh(linear(z))``,
    as in Bahdanau, Cho, Bengio 2015 (arXiv 1409.0473, section A.2.2).

    Parameters
    ----------
    encoder, decoder : RecurrentBase
    linear : Linear or None

    Raises
    ------
    ValueError
        The sizes do not fit.
    """

    def __init__(self, encoder: Any, decoder: Any, linear: Linear | None) -> None:
        self.encoder: Any = encoder
        self.decoder: Any = decoder
        self.linear: Linear | None = linear
        sizes = _features(encoder), _features(decoder)
        expected = f"Linear({sizes[0]}, {sizes[1]})"
        if linear is None:
            final = encoder.cell.parts, encoder.num_layers, encoder.num_directions * encoder.hidden_size
            initial = decoder.cell.parts, decoder.num_layers, decoder.hidden_size
            if final != initial:
                texts = [f"({', '.join(parts)}) of {L} layers with {H} units" for parts, L, H in (final, initial)]
                raise ValueError(
                    f"bridge: expected {expected}, as encoder ends with {texts[0]} "
                    f"and decoder begins with {texts[1]}, got None"
                )
        elif (linear.in_features, linear.out_features) != sizes:
            raise ValueError(
                f"bridge: expected {expected}, between all states of the encoder and of the decoder, "
                f"got Linear({linear.in_features}, {linear.out_features})"
            )

    def apply(self, state: Any, training: bool) -> tuple[Any, Any]:
        """The initial state of the decoder, given the final state of the encoder, and what `backward` needs."""
        arrays = state_arrays(state)
        if self.linear is None:
            D = self.encoder.num_directions
            return as_state(_directions_joined(array, D) for array in arrays), None
        y, _, tape = self.linear.apply(_concatenated(arrays), None, None, training)
        np.tanh(y, out=y)
        return as_state(_split(y, self.decoder)), (y, tape)

    def backward(self, saved: Any, dstate: Any) -> Any:
        """The gradient of the encoder's state, given that of the decoder's state and what `apply` saved."""
        arrays = state_arrays(dstate)
        if self.linear is None:
            D = self.encoder.num_directions
            return as_state(_directions_split(array, D) for array in arrays)
        y, tape = saved
        return as_state(_split(self.linear.backward(tape, _concatenated(arrays) * (1 - np.square(y))), self.encoder))


def _features(layer: Any) -> int:
    """How many numbers a row of a layer's state has."""
    return len(layer.cell.parts) * layer.num_layers * layer.num_directions * layer.hidden_size


def _directions_joined(array: Array, D: int) -> Array:
    """(L*D, N, H) as (L, N, D*H)."""
    K, N, H = array.shape
    return array.reshape(K // D, D, N, H).swapaxes(1, 2).reshape(K // D, N, D * H)


def _directions_split(array: Array, D: int) -> Array:
    """(L, N, D*H) as (L*D, N, H)."""
    L, N, F = array.shape
    return array.reshape(L, N, D, F // D).swapaxes(1, 2).reshape(L * D, N, F // D)


def _concatenated(arrays: tuple[Array, ...]) -> Array:
    """Arrays (K, N, H) as one, (N, len(arrays) * K * H)."""
    K, N, H = arrays[0].shape
    return np.concatenate([array.swapaxes(0, 1).reshape(N, K * H) for array in arrays], axis=1)


def _split(array: Array, layer: Any) -> list[Array]:
    """The reverse of `_concatenated`: the arrays (K, N, H) of a state of `layer`."""
    K, H = layer.num_layers * layer.num_directions, layer.hidden_size
    parts = np.split(array, len(layer.cell.parts), axis=1)
    return [np.ascontiguousarray(part.reshape(len(array), K, H).swapaxes(0, 1)) for part in parts]


# -- the last recurrent layer of an encoder, which may hold several --------------------------------------------------


def last_recurrent(layer: Any) -> Any:
    """The last recurrent layer inside a layer; None if there is none."""
    recurrent = [leaf for leaf in leaves(layer) if isinstance(leaf, RecurrentBase)]
    return recurrent[-1] if recurrent else None


def last_state(layer: Any, state: Any) -> Any:
    """The state of the last recurrent layer, taken from the state of `layer`."""
    if isinstance(layer, Residual):
        return last_state(layer.layer, state)
    if isinstance(layer, Sequential):
        inner, k, _ = _last_inside(layer)
        return last_state(inner, state[k])
    return state


def with_last_state(layer: Any, last: Any) -> Any:
    """A state of `layer` that is `last` for its last recurrent layer and None for the others."""
    if isinstance(layer, Residual):
        return with_last_state(layer.layer, last)
    if isinstance(layer, Sequential):
        inner, k, count = _last_inside(layer)
        return tuple(with_last_state(inner, last) if k == j else None for j in range(count))
    return last


def _last_inside(sequential: Sequential) -> tuple[Any, int, int]:
    """The last child with a recurrent layer in it, its index among the stateful children, and the number of those."""
    stateful = [layer for layer in sequential.layers if layer.stateful]
    k = max(k for k, layer in enumerate(stateful) if last_recurrent(layer) is not None)
    return stateful[k], k, len(stateful)
