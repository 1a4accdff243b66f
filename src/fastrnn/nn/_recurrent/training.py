# SPDX-License-Identifier: BSD-3-Clause
"""The training passes of a stack: forward with dropout and masks, and back-propagation through time."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..._engine import passes, recomputation
from ..._engine.arguments import Array, Generator
from ..._engine.layout import StateArrays, h_and_c
from ..._engine.ragged import order_of
from .regularization import Regularization, dropout_mask
from .stack import Stack, WeightArrays


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
    stack: Stack, x: Array, y: Array, states: tuple[StateArrays, StateArrays], lengths: Array | None, random: Random,
    recompute: bool,
) -> Trained:  # fmt: skip
    """Write y (T, N, D*H) and the final state; `states` are the initial and the final one."""
    (T, N, _), D = x.shape, stack.D
    in_blocks = recompute and len(recomputation.blocks(T, N, False)) > 1
    run = recomputation.forward if in_blocks else partial(passes.forward, keep=True)
    order, trained = order_of(lengths, T), Trained([], [], [])
    for layer in range(stack.L):
        last = layer == stack.L - 1
        out = y if last else np.empty((T, N, D * stack.H), stack.dtype)
        own = [random.pass_of(stack, layer * D + d, T, N) for d in range(D)]
        trained.saved.append(stack.run(layer, x, out, states, order, run, [one[:2] for one in own]))
        trained.weight_masks.append([one[2] for one in own])
        x = out
        if random.dropout and not last:
            mask = random.rng.random(out.shape, np.float32) >= random.dropout
            x = out * mask
            x *= 1 / (1 - random.dropout)
            trained.dropped.append(mask)
    return trained


class Upstream(NamedTuple):
    """The gradients of the outputs."""

    dy: Array  # (T, N, D*H)
    dfinal: StateArrays


class Downstream(NamedTuple):
    """The gradients to compute."""

    dx: Array  # (T, N, I), 0 before
    dinitial: StateArrays
    grads: Sequence[WeightArrays]  # of the parameters of each layer and direction; added to


def backward(
    stack: Stack, trained: Trained, up: Upstream, down: Downstream, dropout: float, hook: Callable[..., Any]
) -> None:
    """Back-propagation through time. ``hook(k, saved)`` returns further arguments of `passes.backward`."""
    dy, (T, N, _) = up.dy, trained.x_shape
    for layer in reversed(range(stack.L)):
        dx = down.dx if layer == 0 else np.zeros((T, N, stack.D * stack.H), stack.dtype)
        for d in range(stack.D):
            k, saved = layer * stack.D + d, trained.saved[layer][d]
            half = dy[..., d * stack.H : (d + 1) * stack.H]
            mask, grads = trained.weight_masks[layer][d], list(down.grads[k])
            if mask is not None:
                grads[1] = np.zeros_like(mask)
            back: Callable[..., None] = passes.backward
            if isinstance(saved, recomputation.Saved):
                back = recomputation.backward
            back(stack.cell, saved, half, h_and_c(up.dfinal, k), dx, h_and_c(down.dinitial, k), grads, **hook(k, saved))
            if mask is not None:
                down.grads[k][1][...] += grads[1] * mask  # type: ignore[index,operator]
        if layer and trained.dropped:
            dx *= trained.dropped[layer - 1]
            dx *= 1 / (1 - dropout)
        dy = dx
