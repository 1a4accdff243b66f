# SPDX-License-Identifier: BSD-3-Clause
"""Shared code of initializers: selection of layers, writing weights gate by gate, and random distributions."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np

from .._engine.arguments import Array, Generator, SeedLike, as_nonnegative, as_rng
from ..nn._layer import Layer, leaves
from ..nn._linear import Linear
from ..nn._options import kind_of
from ..nn._recurrent.gru import GRU
from ..nn._recurrent.lstm import LSTM
from ..nn._recurrent.rnn import RNN
from ..nn._sequential import Sequential

WEIGHTED = (RNN, LSTM, GRU, Linear)  # the layers that have weight matrices

LayerT = TypeVar("LayerT", bound=Layer)
Rule: TypeAlias = Callable[[Generator, int, int], Array]  # (rng, rows, columns) -> a matrix
Distribution: TypeAlias = Callable[[Generator, float, tuple[int, int]], Array]  # (rng, std, shape)

# -- layers ----------------------------------------------------------------------------------------------------------


def select(name: str, layer: Any, kinds: tuple[type[Layer], ...]) -> list[Any]:
    """The layers of these kinds, each once: `layer` itself, or those inside other layers, in their order."""
    inner = leaves(layer)
    selected = list({id(leaf): leaf for leaf in inner if isinstance(leaf, kinds)}.values())
    if not selected:
        expected = ", ".join(kind.__name__ for kind in kinds)
        got = "a Sequential of " * isinstance(layer, Sequential) + ", ".join(map(kind_of, inner))
        raise TypeError(f"{name}: expected {expected} or a Sequential that holds one, got {got}")
    return selected


def gates_of(layer: Any) -> int:
    """The number of blocks in a weight."""
    return layer.cell.gates if isinstance(layer, RNN | LSTM | GRU) else 1


# -- writing ---------------------------------------------------------------------------------------------------------


def write_weights(
    layer: LayerT,
    seed: SeedLike,
    w_ih: Rule,
    w_hh: Rule | None = None,
    *,
    kinds: tuple[type[Layer], ...] = WEIGHTED,
    name: str = "layer",
) -> LayerT:
    """Write every weight, gate by gate, by a rule, and 0 to all else; `w_hh` is the rule of recurrent weights."""
    rng = as_rng(seed)
    for part in select(name, layer, kinds):
        G, values = gates_of(part), {}
        for key, shape in part.params.shapes().items():
            rule = w_hh if w_hh and key.startswith("weight_hh") else w_ih
            if not key.startswith("weight"):
                values[key] = np.zeros(shape)
            else:
                values[key] = np.concatenate([rule(rng, shape[0] // G, shape[1]) for _ in range(G)])
        part.load_state_dict(values)
    return layer


def write_biases(
    name: str, layer: LayerT, kinds: tuple[type[Layer], ...], biases_of: Callable[[Any], dict[str, Any]]
) -> LayerT:
    """Write the biases of some gates. `biases_of(part)` gives one layer and direction: {gate: number or (H,)}.

    The two biases of a gate are added, so `bias_ih` receives these values and `bias_hh` 0.
    """
    parts = select(name, layer, kinds)
    for part in parts:
        if not part.bias:
            raise ValueError(f"{name}: expected layers with bias=True, got {part!r}")
    for part in parts:
        values: dict[str, Any] = {}
        for key in part.params:  # each bias_hh comes after its bias_ih
            if not key.startswith("bias"):
                continue
            values = biases_of(part) if key.startswith("bias_ih") else dict.fromkeys(values, 0)
            bias = part.params[key].reshape(gates_of(part), -1).copy()
            for gate, value in values.items():
                bias[part.cell.gate_names.index(gate)] = value
            part.params[key] = bias.reshape(-1)
    return layer


# -- distributions ---------------------------------------------------------------------------------------------------


def uniform(rng: Generator, std: float, shape: tuple[int, int]) -> Array:
    """Uniform numbers of mean 0 and this standard deviation."""
    bound = math.sqrt(3) * std
    return rng.uniform(-bound, bound, shape)


def normal(rng: Generator, std: float, shape: tuple[int, int]) -> Array:
    """Normal numbers of mean 0 and this standard deviation."""
    return std * rng.standard_normal(shape)


def xavier(distribution: Distribution, gain: float = 1.0) -> Rule:
    """Variance ``gain**2 * 2 / (fan_in + fan_out)``."""
    gain = as_nonnegative("gain", gain)
    return lambda rng, fan_out, fan_in: distribution(rng, gain * math.sqrt(2 / (fan_in + fan_out)), (fan_out, fan_in))


def he(distribution: Distribution, gain: float) -> Rule:
    """Variance ``gain**2 * 2 / fan_in``."""
    gain = as_nonnegative("gain", gain)
    return lambda rng, fan_out, fan_in: distribution(rng, gain * math.sqrt(2 / fan_in), (fan_out, fan_in))
