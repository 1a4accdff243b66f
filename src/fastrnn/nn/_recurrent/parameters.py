# SPDX-License-Identifier: BSD-3-Clause
"""Names, shapes and initial values of the parameters of a stack of recurrent layers."""

from typing import Any

import numpy as np

from ..._engine.arguments import Array, Generator
from ..._engine.recycled import check_memory
from .._layer import Shapes

Sizes = tuple[int, int, int, int]  # I, H, L, D


def names(layer: int, direction: int) -> tuple[str, str, str, str]:
    """The names of w_ih, w_hh, b_ih, b_hh of one layer and direction, as PyTorch has them."""
    suffix = f"_l{layer}{'_reverse' if direction else ''}"
    return f"weight_ih{suffix}", f"weight_hh{suffix}", f"bias_ih{suffix}", f"bias_hh{suffix}"


def shapes(gates: int, sizes: Sizes, bias: bool) -> Shapes:
    """(name, shape) of each parameter; allocates nothing."""
    (I, H, L, D), G = sizes, gates
    for layer in range(L):
        features = I if layer == 0 else D * H
        for direction in range(D):
            w_ih, w_hh, b_ih, b_hh = names(layer, direction)
            yield w_ih, (G * H, features)
            yield w_hh, (G * H, H)
            if bias:
                yield b_ih, (G * H,)
                yield b_hh, (G * H,)


def state_name(part: str) -> str:
    """The name of the initial h or c, where it is learned."""
    return f"{part}0"


def state_shapes(parts: tuple[str, ...], sizes: Sizes) -> Shapes:
    """(name, shape) of each part of an initial state that is learned."""
    _, H, L, D = sizes
    return ((state_name(part), (L * D, H)) for part in parts)


def initial_states(arrays: Any, parts: tuple[str, ...], N: int) -> tuple[Array, ...]:
    """The learned initial state of N rows, (L*D, N, H) each."""
    return tuple(np.repeat(arrays[state_name(part)][:, None], N, axis=1) for part in parts)


def add_state_gradients(grads: Any, parts: tuple[str, ...], dinitial: tuple[Array, ...]) -> None:
    """Add those of rows that began in the learned initial state, (L*D, N, H) each."""
    for part, array in zip(parts, dinitial, strict=True):
        grads[state_name(part)] += array.sum(axis=1, dtype=np.float64).astype(array.dtype)


def initial(
    gates: int, sizes: Sizes, bias: bool, dtype: np.dtype[Any], rng: Generator, parts: tuple[str, ...]
) -> dict[str, Array]:
    """PyTorch's default: every parameter uniform in +-1/sqrt(H); 0 for the parts of a state that is learned."""
    (I, H, L, D), G = sizes, gates
    elements = D * G * H * (I + H + 2 + (L - 1) * (D * H + H + 2))
    check_memory(elements * dtype.itemsize, "input_size, hidden_size, num_layers")
    (rng,) = rng.spawn(1)  # as the generator of the masks is: neither depends on how much the other draws
    bound = H**-0.5
    arrays = {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes(gates, sizes, bias)}
    return arrays | {name: np.zeros(shape, dtype) for name, shape in state_shapes(parts, sizes)}
