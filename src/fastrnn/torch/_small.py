# SPDX-License-Identifier: BSD-3-Clause
"""Fast path of small training steps: a tape in one block of memory, and one call for each pass."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from .._engine.arguments import Array, readable
from ._binding import Bound
from ._calls import array_of

# Products in the gradient of x, which these steps compute whether it is wanted or not: up to here that takes less time
# than they save.
CHEAP = 1 << 20


class Small(NamedTuple):
    """The data that a small forward pass saves: a `_core.Training`, its tape, and arrays for the gradients of the
    weights."""

    path: Any
    kept: Any
    grads: list[Array | None]  # in the order of the weights; None: not wanted


def forward(
    bound: Bound, batch_first: bool, x: Tensor, state: Any, wanted: Sequence[bool]
) -> tuple[Array, Any, Small] | None:
    """y, the final state, and what is kept; None if the call is not small.

    `wanted` says of the arguments of `Recurrence.forward` whether their gradients are wanted.
    """
    if not wanted[1] and x.numel() * bound.shapes[0][0] > CHEAP:
        return None
    grads = zeros(bound, wanted)
    path = bound.stack.fast_path(batch_first, fours(bound, grads))
    found = path.forward(array_of(x), state)
    if found is None:
        return None
    y, final, kept = found
    return y, final, Small(path, kept, grads)


def backward(small: Small, gradients: Sequence[Tensor | None]) -> tuple[Array, tuple[Array, ...]] | None:
    """The gradients of x and of the initial state, given those of y and of the final state; adds those of the weights.

    None, with nothing done, if the tape has been used.
    """
    dy, *rest = gradients
    dy_array = np.zeros_like(small.kept.y) if dy is None else readable(array_of(dy))
    dfinal: Any = None
    if any(each is not None for each in rest):
        dfinal = [None if each is None else np.ascontiguousarray(array_of(each)) for each in rest]
        like = next(each for each in dfinal if each is not None)
        dfinal = tuple(np.zeros_like(like) if each is None else each for each in dfinal)
        dfinal = dfinal if len(dfinal) == 2 else dfinal[0]
    found = small.path.backward(small.kept, dy_array, dfinal)
    if found is None:
        return None
    dx, dinitial = found
    return dx, dinitial if type(dinitial) is tuple else (dinitial,)


def zeros(bound: Bound, wanted: Sequence[bool]) -> list[Array | None]:
    """Arrays for the gradients of the weights, of which the first is the argument 4; None for those not wanted."""
    dtype = bound.stack.dtype
    return [np.zeros(shape, dtype) if want else None for shape, want in zip(bound.shapes, wanted[4:], strict=True)]


def fours(bound: Bound, flat: Sequence[Array | None]) -> list[tuple[Array | None, ...]]:
    """The arrays in the engine's form: four for each layer and direction, with None for missing biases."""
    step = bound.per_layer
    return [(*flat[k : k + step], None, None)[:4] for k in range(0, len(flat), step)]
