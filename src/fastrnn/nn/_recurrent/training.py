# SPDX-License-Identifier: BSD-3-Clause
"""The training passes of a stack: forward with dropout and masks, and back-propagation through time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._engine import layers, recomputation, recycled
from ..._engine.arguments import Array, Generator
from ..._engine.layers import Course, Downstream, Dropout, Upstream
from ..._engine.layout import h_and_c
from ..._engine.ragged import FULL, Rows
from ..._engine.state_update import StateUpdate
from .regularization import Regularization, dropout_mask
from .stack import Ends, Stack, WeightArrays


class Random(NamedTuple):
    """The random masks of a training pass."""

    rng: Generator
    dropout: float
    regularization: Regularization | None  # None: nothing acts on the state

    def pass_of(self, stack: Stack, k: int, T: int, N: int) -> tuple[Any, StateUpdate, Array | None]:
        """Weights and state update of layer and direction k, and the mask that w_hh was multiplied by, or None."""
        rules = self.regularization
        if rules is None:
            return stack.weights[k].pack(), stack.update, None
        update = rules.training(self.rng, T, N, stack.H, stack.dtype)
        if not rules.weight_drop:
            return stack.weights[k].pack(), update, None
        w_hh: Any = stack.arrays(k)[1]
        mask = dropout_mask(self.rng, rules.weight_drop, w_hh.shape, stack.dtype)
        return stack.replaced(k, w_hh * mask).pack(), update, mask


class Trained(NamedTuple):
    """The data that a forward pass saves."""

    kept: layers.Pass | recomputation.Pass | recomputation.Apart
    weight_masks: list[Array | None]  # what w_hh of each layer and direction was multiplied by
    from_parameters: bool = False  # whether the initial state is that of the layer's parameters
    rows: Rows = FULL

    @property
    def x_shape(self) -> tuple[int, int, int]:
        """(T, N, I); (1, R, I) of a packed sequence."""
        return self.kept.x.shape  # type: ignore[return-value]

    @property
    def batch(self) -> int:
        """N."""
        return self.rows.sizes(self.x_shape)[1]


def draw(stack: Stack, random: Random, shape: tuple[int, ...], sizes: tuple[int, int]) -> tuple[list[Any], list[Array]]:
    """Draw the random masks of a pass: `Random.pass_of` of each layer and direction, and the masks between layers.

    `shape` is that of the outputs (T, N, D*H), `sizes` are T and N, which differ from them where these are packed.
    """
    own, masks = [], []
    for k in range(stack.L * stack.D):
        own.append(random.pass_of(stack, k, *sizes))
        if random.dropout and k % stack.D == stack.D - 1 and k + 1 < stack.L * stack.D:
            masks.append(random.rng.random(shape, np.float32) >= random.dropout)
    return own, masks


def forward(
    stack: Stack, x: Array, y: Array, states: Ends, rows: Rows, random: Random, recompute: bool
) -> Trained:  # fmt: skip
    """Write y (T, N, D*H) and the final state; `states` are the initial and the final one."""
    own, masks = draw(stack, random, y.shape, rows.sizes(x.shape))
    entries, course = stack.entries(states, [one[:2] for one in own]), Course(rows.order(len(x)), stack.reverse)
    dropout = Dropout.of(1 / (1 - random.dropout), masks, y.dtype) if masks else None
    kept: Any
    if recompute and len(recomputation.blocks(*rows.sizes(x.shape), False)) > 1:
        kept = recomputation.forward(entries, course, x, [*[None] * (stack.L - 1), y], dropout)
    else:
        ys = [recycled.empty(y.shape, y.dtype) for _ in range(stack.L - 1)]
        kept = layers.forward(entries, course, x, [*ys, y], True, dropout)
    return Trained(kept, [mask for _, _, mask in own], rows=rows)


def backward(
    stack: Stack, trained: Trained, dy: Array, dx: Array | None, dstates: Ends, grads: Sequence[WeightArrays],
    hook: Callable[..., None] | None,
) -> None:  # fmt: skip
    """Back-propagation through time: write dx (T, N, I), 0 before, and dinitial, and add to `grads`.

    `dstates` are dfinal and dinitial, `grads` those of each layer and direction. ``hook(k, saved, deltas)`` is called
    with the gradients of the pre-activations, (R, S, H), of each.
    """
    (dfinal, dinitial), every, kept = dstates, range(stack.L * stack.D), trained.kept
    masked = list(zip(grads, trained.weight_masks, strict=True))
    own = [
        four if mask is None or four[1] is None else (four[0], np.zeros_like(mask), *four[2:]) for four, mask in masked
    ]
    upstream = Upstream([*[None] * (stack.L - 1), dy], [h_and_c(dfinal, k) for k in every])
    downstream = Downstream(dx, [h_and_c(dinitial, k) for k in every], own)
    if isinstance(kept, layers.Pass):
        gates = layers.backward(kept, upstream, downstream)
        for k in every if hook is not None else ():
            hook(k, kept.saved(k), gates[k])  # type: ignore[misc]
        layers.release(kept.entries, gates)
    else:
        recomputation.backward(kept, upstream, downstream)
    for (four, mask), apart in zip(masked, own, strict=True):
        if mask is not None and four[1] is not None:
            four[1][...] += apart[1] * mask  # type: ignore[index,operator]
