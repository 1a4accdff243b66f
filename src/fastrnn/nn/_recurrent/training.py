# SPDX-License-Identifier: BSD-3-Clause
"""The training passes of a stack: forward with dropout and masks, and back-propagation through time."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..._engine import passes, recomputation
from ..._engine.arguments import Array, Generator
from ..._engine.layout import h_and_c
from ..._engine.ragged import order_of
from .regularization import Regularization, dropout_mask
from .stack import Ends, Stack, WeightArrays

KEEPING = partial(passes.forward, keep=True)


class Random(NamedTuple):
    """What is random in a training pass."""

    rng: Generator
    dropout: float
    regularization: Regularization | None  # None: nothing acts on the state

    def pass_of(self, stack: Stack, k: int, T: int, N: int) -> tuple[Any, passes.StateUpdate, Array | None]:
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
    """What a forward pass saves."""

    saved: list[list[Any]]  # of each layer and direction
    dropped: list[Array]  # the mask of dropout behind each layer but the last, (T, N, D*H)
    weight_masks: list[list[Array | None]]  # what w_hh of each layer and direction was multiplied by
    from_parameters: bool = False  # whether the initial state is that of the layer's parameters

    @property
    def x_shape(self) -> tuple[int, int, int]:
        """(T, N, I)."""
        return self.saved[0][0].x.shape


def forward(
    stack: Stack, trained: Trained, x: Array, y: Array, states: Ends, lengths: Array | None, random: Random,
    recompute: bool,
) -> None:  # fmt: skip
    """Write y (T, N, D*H) and the final state, and add to `trained`; `states` are the initial and the final one."""
    (T, N, _), D = x.shape, stack.D
    in_blocks = recompute and len(recomputation.blocks(T, N, False)) > 1
    run: Callable[..., Any] = recomputation.forward if in_blocks else KEEPING
    order = order_of(lengths, T)
    for layer in range(stack.L):
        last = layer == stack.L - 1
        out = y if last else np.empty((T, N, D * stack.H), stack.dtype)
        own = [random.pass_of(stack, layer * D + d, T, N) for d in range(D)]
        trained.saved.append(stack.run(layer, x, out, states, order, run, own))
        trained.weight_masks.append([mask for _, _, mask in own])
        x = out
        if random.dropout and not last:
            mask = random.rng.random(out.shape, np.float32) >= random.dropout
            x = out * mask
            x *= 1 / (1 - random.dropout)
            trained.dropped.append(mask)


def backward(
    stack: Stack, trained: Trained, dy: Array, dx: Array, dstates: Ends, grads: Sequence[WeightArrays],
    dropout: float, hook: Callable[..., Any] | None,
) -> None:  # fmt: skip
    """Back-propagation through time: write dx (T, N, I), 0 before, and dinitial, and add to `grads`.

    `dstates` are dfinal and dinitial, `grads` those of each layer and direction. ``hook(k, saved)`` returns further
    arguments of `passes.backward`.
    """
    (T, N, _), (dfinal, dinitial) = dx.shape, dstates
    for layer in reversed(range(stack.L)):
        below = dx if layer == 0 else np.zeros((T, N, stack.D * stack.H), stack.dtype)
        for d, saved in enumerate(trained.saved[layer]):
            k = layer * stack.D + d
            mask, own, also = trained.weight_masks[layer][d], grads[k], {} if hook is None else hook(k, saved)
            if mask is not None:
                own = own[0], np.zeros_like(mask), *own[2:]
            back: Callable[..., None] = passes.backward
            if isinstance(saved, recomputation.Saved):
                back = recomputation.backward
            back(stack.cell, saved, stack.half(dy, d), h_and_c(dfinal, k), below, h_and_c(dinitial, k), own, **also)
            if mask is not None:
                grads[k][1][...] += own[1] * mask  # type: ignore[index,operator]
        if layer and trained.dropped:
            below *= trained.dropped[layer - 1]
            below *= 1 / (1 - dropout)
        dy = below
