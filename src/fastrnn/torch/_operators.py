# SPDX-License-Identifier: BSD-3-Clause
"""The passes as operators of PyTorch, which a graph of torch.compile holds in place of a module.

`fastrnn::recurrence` returns y and the final state, and in training what its backward pass needs: the outputs of the
layers below, the gates (R, S, H) and c (R, H) of each layer and direction. An operator may not write what it is given,
so `fastrnn::recurrence_backward` copies the gates, which the engine overwrites.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from .._engine import layers
from .._engine.arguments import Array
from .._engine.cells import CELLS
from .._engine.layers import Course, Dropout
from .._engine.layout import h_and_c
from ._autograd import Memory, gradients_of, run, versioned
from ._binding import Bound, bound
from ._calls import Steps, array_of, from_array, read, room, tensors

# Spelled out, because older versions of PyTorch do not read every annotation.
FORWARD = "(Tensor x, Tensor[] hx, Tensor[] weights, Tensor[] masks, Tensor? resets, str spec, float scale) -> Tensor[]"
BACKWARD = (
    "(Tensor[] inputs, Tensor? resets, Tensor[] kept, Tensor?[] gradients, bool[] wanted, str spec, float scale) -> "
    "Tensor[]"
)
_owners: Any = WeakTensorKeyDictionary()  # of each first w_hh: what stands for its module


class Spec(NamedTuple):
    """The properties of a module besides its weights, which an operator receives as a string."""

    mode: str
    bias: bool
    bidirectional: bool
    batch_first: bool
    has_state: bool  # given by the caller
    keep: bool  # what the backward pass needs

    def __str__(self) -> str:
        return " ".join([self.mode, *(str(int(flag)) for flag in self[1:])])

    @classmethod
    def of(cls, text: str) -> "Spec":
        """From the string."""
        mode, *flags = text.split()
        return cls(mode, *(flag == "1" for flag in flags))

    @property
    def cell(self) -> Any:
        return CELLS[self.mode.lower()]

    @property
    def directions(self) -> int:
        """D."""
        return 1 + self.bidirectional


class Owner:
    """Has the attributes by which `bound` knows a module."""

    def __init__(self, spec: Spec, weights: list[Tensor]) -> None:
        step = 4 if spec.bias else 2
        self.mode, self.bias, self.proj_size = spec.mode, spec.bias, 0
        self.batch_first, self.bidirectional = spec.batch_first, spec.bidirectional
        self.input_size, self.hidden_size = weights[0].shape[1], weights[1].shape[1]
        self.num_layers = len(weights) // (step * spec.directions)
        self._flat_weights_names = [f"weights[{k}]" for k in range(len(weights))]


def bound_of(spec: Spec, weights: list[Tensor]) -> Bound:
    """The engine around these weights; as long as they live it is the same."""
    key = spec._replace(has_state=False, keep=False), len(weights)
    found = _owners.get(weights[1])
    if found is None or found[0] != key:
        found = _owners[weights[1]] = key, Owner(spec, weights)
    owner: Any = found[1]
    cache = bound(owner, weights)
    if cache.bound is None:
        raise ValueError(f"weights: expected float32 or float64 on the CPU, got {cache.refusal}")
    return cache.bound


def state_of(parts: list[Tensor]) -> Any:
    """h, (h, c), or None."""
    return tuple(parts) if len(parts) > 1 else parts[0] if parts else None


@torch.library.custom_op("fastrnn::recurrence", mutates_args=(), schema=FORWARD)
def recurrence(
    x: Tensor, hx: list[Tensor], weights: list[Tensor], masks: list[Tensor], resets: Tensor | None, spec: str,
    scale: float,
) -> list[Tensor]:  # fmt: skip
    """y, the final state and, with `keep`, what `recurrence_backward` needs."""
    own = Spec.of(spec)
    engine = bound_of(own, weights)
    stack = engine.stack
    call = read(engine, own.batch_first, x, state_of(hx), Steps(None, resets))
    y, final = room(engine, call)
    out = call.layout.time_major(y)
    results = [from_array(y), *tensors(call, final)]
    if not own.keep:
        stack.infer(call.x, out, call.initial, final, call.rows)
        return results
    order, packs = call.rows.order(len(call.x)), [each.pack() for each in stack.weights]
    kept = run((engine, order, scale), packs, call.x, out, (call.initial, final), masks)
    arrays = [*kept.ys[:-1], *(array for tape in kept.tapes for array in tape if array is not None)]
    return [*results, *map(from_array, arrays)]


@recurrence.register_fake
def _(x: Tensor, hx: Any, weights: Any, masks: Any, resets: Any, spec: str, scale: float) -> list[Tensor]:
    own = Spec.of(spec)
    cell, H, D = own.cell, weights[1].shape[1], own.directions
    L = len(weights) // ((4 if own.bias else 2) * D)
    steps = x.shape[:-1]
    batch = () if x.dim() == 2 else (steps[0 if own.batch_first else 1],)
    results = [x.new_empty((*steps, D * H)), *(x.new_empty((L * D, *batch, H)) for _ in cell.parts)]
    if own.keep:
        T, N = steps[0], 1
        if x.dim() == 3:
            T, N = (steps[1], steps[0]) if own.batch_first else steps
        tape = [(cell.saved, H), (H,)] if cell.has_c else [(cell.saved, H)]
        results += [x.new_empty((T, N, D * H)) for _ in range(L - 1)]
        results += [x.new_empty((T * N, *shape)) for _ in range(L * D) for shape in tape]
    return results


@torch.library.custom_op("fastrnn::recurrence_backward", mutates_args=(), schema=BACKWARD)
def recurrence_backward(
    inputs: list[Tensor], resets: Tensor | None, kept: list[Tensor], gradients: list[Tensor | None],
    wanted: list[bool], spec: str, scale: float,
) -> list[Tensor]:  # fmt: skip
    """The gradients that are wanted of x, the initial state and the weights.

    Parameters
    ----------
    inputs : list of Tensor
        x, the initial state, the weights and the masks.
    resets : Tensor or None
    kept : list of Tensor
        y, and what `recurrence` keeps.
    gradients : list
        Those of y and the final state.
    wanted : list of bool
        Of x, the initial state and the weights.
    """
    own = Spec.of(spec)
    x, hx, weights, masks = parted(own, inputs, len(wanted))
    engine = bound_of(own, weights)
    call = read(engine, own.batch_first, x, state_of(hx), Steps(None, resets))
    y = kept[0].detach()
    saved = again(engine, call, [y, *kept[1:]], masks, scale)
    T, _, N = call.sizes
    memory = Memory(engine, call.layout, saved.course.order, N, [], scale, *versioned(y), [saved])
    states = [*hx, *[None] * (2 - len(hx))]
    every = [False, wanted[0], *wanted[1 : 1 + len(hx)], *[False] * (2 - len(hx)), *wanted[1 + len(hx) :]]
    found = gradients_of(memory, every, (x, *states, *masks), gradients)
    return [each for each in found if each is not None]


def parted(spec: Spec, inputs: list[Tensor], count: int) -> tuple[Tensor, list[Tensor], list[Tensor], list[Tensor]]:
    """x, the initial state, the weights and the masks, of which `count` are no masks."""
    parts = len(spec.cell.parts) if spec.has_state else 0
    return inputs[0], inputs[1 : 1 + parts], inputs[1 + parts : count], inputs[count:]


def again(engine: Bound, call: Any, kept: list[Tensor], masks: list[Tensor], scale: float) -> layers.Pass:
    """The results of a forward pass in the engine's form, with a copy of the gates that may be overwritten."""
    stack, order = engine.stack, call.rows.order(len(call.x))
    entries = stack.entries((call.initial, call.initial), [(each.pack(), stack.update) for each in stack.weights])
    count, cell = stack.L * stack.D, stack.cell
    below, tapes = [array_of(each) for each in kept[1 : stack.L]], [array_of(each) for each in kept[stack.L :]]
    ys = [*below, call.layout.time_major(array_of(kept[0]))]
    step = len(tapes) // count
    own = []
    for k, entry in enumerate(entries):
        gates, _ = layers.tape_arrays(entry, len(tapes[k * step]), stack.dtype)
        gates[...] = tapes[k * step]
        own.append((gates, tapes[k * step + 1] if cell.has_c else None))
    initial = [h_and_c(call.initial, k) for k in range(count)]
    if order is not None and order.parts is not None:
        initial = [order.parts.of_rows(state, stack.D == 1 or k % 2 == 0) for k, state in enumerate(initial)]
    dropout = None
    if masks:
        arrays = [array_of(mask) for mask in masks]
        dropout = Dropout(scale, arrays, [dropped(y, mask, scale) for y, mask in zip(below, arrays, strict=True)])
    return layers.Pass(entries, Course(order), call.x, ys, initial, own, dropout)


def dropped(y: Array, mask: Array, scale: float) -> Array:
    """y mask scale."""
    return np.where(mask, y * y.dtype.type(scale), y.dtype.type(0))


@recurrence_backward.register_fake
def _(inputs: Any, resets: Any, kept: Any, gradients: Any, wanted: Any, spec: str, scale: float) -> list[Tensor]:
    shaped = zip(inputs, wanted, strict=False)
    return [each.new_empty(each.shape) for each, want in shaped if want]


def setup_context(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    """Save what the backward pass needs."""
    x, hx, weights, masks, resets, ctx.spec, ctx.scale = inputs
    states = 1 + len(Spec.of(ctx.spec).cell.parts)
    ctx.counts = len(hx), len(weights), len(masks), states
    y = output[0].clone() if Spec.of(ctx.spec).keep else output[0]  # a graph may write into the output, as relu_ does
    ctx.save_for_backward(resets, x, *hx, *weights, *masks, y, *output[states:])


def backward(ctx: Any, gradients: list[Tensor | None]) -> tuple[Any, ...]:
    """The gradients of the arguments of `recurrence`."""
    states, weights, masks, outputs = ctx.counts
    if not Spec.of(ctx.spec).keep:
        raise RuntimeError("fastrnn::recurrence: expected keep in its spec, since gradients are asked for")
    resets, *saved = ctx.saved_tensors
    end = 1 + states + weights + masks
    need = ctx.needs_input_grad
    wanted = [need[0], *(need[1] if states else []), *need[2]]
    found = iter(
        recurrence_backward(saved[:end], resets, saved[end:], gradients[:outputs], wanted, ctx.spec, ctx.scale)
    )
    flat = [next(found) if want else None for want in wanted]
    return flat[0], flat[1 : 1 + states], flat[1 + states :], [None] * masks, None, None, None


recurrence.register_autograd(backward, setup_context=setup_context)
