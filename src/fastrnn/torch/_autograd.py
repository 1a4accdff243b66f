# SPDX-License-Identifier: BSD-3-Clause
"""The training passes as a function of PyTorch's autograd."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from .._engine import layers
from .._engine.arguments import Array, readable
from .._engine.layers import Course, Downstream, Dropout, Upstream
from .._engine.layout import Layout, StateArrays, as_state, h_and_c, state_arrays
from .._engine.ragged import Order
from . import _small as small
from ._batched import in_batch, is_batched, stacked
from ._binding import Bound
from ._calls import ALL, Steps, array_of, from_array, in_transform, read, result, room, tensors

TWICE = (
    "the modules of fastrnn.torch have first derivatives only, and this asks for the gradient of a gradient; "
    "fastrnn.torch.restore(model) makes them PyTorch's own, whose slower code may have it"
)
# Whether the graph of this backward pass is kept for another; older versions of PyTorch do not tell.
is_retained: Callable[[], bool] = getattr(
    getattr(torch._C, "_autograd", None), "_get_current_graph_task_keep_graph", lambda: True
)


class Plan(NamedTuple):
    """The arguments of a training pass besides tensors."""

    bound: Bound
    batch_first: bool
    dropout: float  # 0 outside of training
    steps: Steps


class Memory(NamedTuple):
    """The data for `backward` besides the tensors that autograd saves: the tape, or what is needed to recompute it."""

    bound: Bound
    layout: Layout
    order: Order | None
    batch: int  # N
    packs: list[Any]  # the weights as they were, of each layer and direction
    scale: float  # of dropout
    y: Tensor  # shares the version of the output
    version: int
    tape: list[layers.Pass | small.Small]  # the first to take it uses it up


def train(plan: Plan, x: Tensor, hx: Any, weights: Sequence[Tensor]) -> tuple[Any, Any]:
    """y and the final state of arguments that fit, with gradients."""
    h_0, c_0 = hx if type(hx) is tuple else (hx, None)
    y, *final = Recurrence.apply(plan, x, h_0, c_0, *weights)  # type: ignore[misc]
    return result(y, tuple(final), plan.steps.packed)


class Recurrence(Function):
    """Layers and directions: y and the final state."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, x: Tensor, h_0: Tensor | None, c_0: Tensor | None, *weights: Tensor) -> Any:
        hx = h_0 if c_0 is None else (h_0, c_0)
        ctx.set_materialize_grads(False)
        found = forward_small(plan, x, hx, ctx.needs_input_grad) if plan.steps is ALL and not plan.dropout else None
        ctx.memory, results, masks = forward_any(plan, x, hx) if found is None else found
        ctx.save_for_backward(x, h_0, c_0, *masks)
        ctx.addresses = addresses_of((x, h_0, c_0))
        return results

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        saved = ctx.saved_tensors  # which checks that they were not written
        if addresses_of(saved[:3]) != ctx.addresses:  # the tape reads where they were
            ctx.memory.tape.clear()
        if torch.is_grad_enabled() or in_transform():  # create_graph=True, or a batch of gradients
            return Once.apply(ctx.memory, ctx.needs_input_grad, len(saved), *saved, *gradients)
        found = gradients_of(ctx.memory, ctx.needs_input_grad, saved, gradients)
        if not is_retained():  # what is saved is freed now, though the loss may live on
            ctx.memory = None
        return found


class Once(Function):
    """The gradients as a function that has none itself."""

    @staticmethod
    def forward(memory: Memory, wanted: tuple[bool, ...], count: int, *values: Any) -> Any:
        return gradients_of(memory, wanted, values[:count], values[count:])

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, axes: Any, memory: Memory, wanted: Any, count: int, *values: Any) -> Any:
        """Batched gradients: run a backward pass for each."""
        pairs = zip(values[count:], axes[3 + count :], strict=True)
        gradients = [each if axis is None else each.movedim(axis, 0) for each, axis in pairs]
        which = [axis is not None for axis in axes[3 + count :]]
        found = stacked(functools.partial(Once.apply, memory, wanted, count, *values[:count]), gradients, which)
        return found, tuple([None if part is None else 0 for part in found])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError(TWICE)


def addresses_of(arguments: Sequence[Tensor | None]) -> list[int]:
    """The addresses of x and the initial state, whose memory may be resized; none where torch.func wraps them."""
    try:
        return [each.data_ptr() for each in arguments if each is not None]
    except RuntimeError:
        return []


def forward_small(plan: Plan, x: Tensor, hx: Any, wanted: Sequence[bool]) -> tuple[Memory, Any, list[Tensor]] | None:
    """As `forward_any`, with little overhead; None for what is not small."""
    state = None if hx is None else as_state(map(array_of, state_arrays(hx)))
    found = small.forward(plan.bound, plan.batch_first, x, state, wanted)
    if found is None:
        return None
    y, final, tape = found
    layout = Layout(y.ndim == 3, plan.batch_first)
    batch = state_arrays(final)[0].shape[1] if layout.batched else 1
    output = from_array(y)
    memory = Memory(plan.bound, layout, None, batch, tape.kept.packs, 1.0, *versioned(output), [tape])
    return memory, (output, *map(from_array, state_arrays(final))), []


def forward_any(plan: Plan, x: Tensor, hx: Any) -> tuple[Memory, Any, list[Tensor]]:
    """What `backward` needs, y and the final state, and masks of dropout."""
    bound, stack = plan.bound, plan.bound.stack
    call = read(bound, plan.batch_first, x, hx, plan.steps)
    y, final = room(bound, call)
    packs, order = [each.pack() for each in stack.weights], call.rows.order(len(call.x))
    T, R, batch = call.sizes
    masks = draw(plan, (T, R, stack.D * stack.H))
    scale = 1 / (1 - plan.dropout) if plan.dropout < 1 else 1.0  # of nothing
    course, out = (bound, order, scale), call.layout.time_major(y)
    kept = run(course, packs, call.x, out, (call.initial, final), masks)
    output = from_array(y)
    memory = Memory(bound, call.layout, order, batch, packs, scale, *versioned(output), [kept])
    return memory, (output, *tensors(call, final)), masks


def versioned(y: Tensor) -> tuple[Tensor, int]:
    """A tensor that shares the version of the output, and that version; there is none in inference mode."""
    alias = y.detach()
    return alias, 0 if alias.is_inference() else alias._version


def draw(plan: Plan, shape: tuple[int, int, int]) -> list[Tensor]:
    """Masks between layers, drawn as PyTorch draws them: from its generator, in its order and dtype; none for p=1."""
    if not plan.dropout:
        return []
    kept, count = 1 - plan.dropout, plan.bound.stack.L - 1
    if not kept:
        return [torch.zeros(shape, dtype=torch.bool, device="cpu") for _ in range(count)]
    like = {"dtype": plan.bound.dtype, "device": "cpu"}  # whatever the default device is
    return [torch.empty(shape, **like).bernoulli_(kept).bool() for _ in range(count)]


def run(
    course: tuple[Bound, Order | None, float], packs: list[Any], x: Array, y: Array,
    states: tuple[StateArrays, StateArrays], masks: Sequence[Tensor],
) -> layers.Pass:  # fmt: skip
    """A forward pass that keeps what the backward pass needs; writes y and the final state."""
    bound, order, scale = course
    stack = bound.stack
    entries = stack.entries(states, [(pack, stack.update) for pack in packs])
    dropout = Dropout.of(scale, [mask.numpy() for mask in masks], y.dtype) if masks else None
    ys = [*(np.empty(y.shape, y.dtype) for _ in range(stack.L - 1)), y]
    return layers.forward(entries, Course(order), x, ys, True, dropout)  # type: ignore[return-value]


def again(memory: Memory, saved: Sequence[Tensor | None]) -> layers.Pass:
    """The forward pass once more: for a second backward pass through a retained graph, or if y has been written."""
    x, *states = saved[:3]
    stack, masks = memory.bound.stack, saved[3:]
    assert x is not None
    x_array = readable(memory.layout.time_major(array_of(x)))
    shape = stack.L * stack.D, memory.batch, stack.H
    initial = tuple(
        None if state is None else np.ascontiguousarray(array_of(state)).reshape(shape)
        for state in states[: len(stack.cell.parts)]
    )
    y = np.empty((*x_array.shape[:2], stack.D * stack.H), stack.dtype)
    course = memory.bound, memory.order, memory.scale
    return run(course, memory.packs, x_array, y, (initial, stack.empty_state(memory.batch)), masks)  # type: ignore


def gradients_of(
    memory: Memory, wanted: Sequence[bool], saved: Sequence[Tensor | None], gradients: Sequence[Tensor | None]
) -> tuple[Any, ...]:
    """The gradients of the arguments of `Recurrence.forward`; None where they are not wanted."""
    if any(map(is_batched, gradients)):
        return in_batch(lambda *each: gradients_of(memory, wanted, saved, each), gradients)
    try:
        kept = memory.tape.pop()
    except IndexError:
        kept = None
    if memory.y._version != memory.version:
        kept = None
    if isinstance(kept, small.Small):
        if (found := small.backward(kept, gradients)) is not None:
            return as_tensors(wanted, *found, kept.grads)
        kept = None
    layout, stack = memory.layout, memory.bound.stack
    kept = again(memory, saved) if kept is None else kept
    shape, every = (stack.L * stack.D, memory.batch, stack.H), range(stack.L * stack.D)
    dy, *dfinal = [None if each is None else array_of(each) for each in gradients]
    dy = None if dy is None else readable(layout.time_major(dy))
    dfinal = [None if each is None else np.require(each, requirements=("C", "A")).reshape(shape) for each in dfinal]
    dx = np.zeros(layout.shape(*kept.x.shape), stack.dtype) if wanted[1] else None
    states = zip(stack.cell.parts, wanted[2:4], strict=False)
    dinitial = tuple(np.empty(shape, stack.dtype) if want else None for _, want in states)
    grads = small.zeros(memory.bound, wanted)
    upstream = Upstream([*[None] * (stack.L - 1), dy], [h_and_c(tuple(dfinal), k) for k in every])
    below = None if dx is None else layout.time_major(dx)
    downstream = Downstream(below, [h_and_c(dinitial, k) for k in every], small.fours(memory.bound, grads))
    layers.release(kept.entries, layers.backward(kept, upstream, downstream))
    dstate = [each if each is None or layout.batched else each[:, 0] for each in dinitial]
    return as_tensors(wanted, dx, dstate, grads)


def as_tensors(
    wanted: Sequence[bool], dx: Array | None, dstate: Sequence[Array | None], grads: Sequence[Array | None]
) -> tuple[Any, ...]:
    """The required gradients, as `Recurrence.backward` returns them."""
    found = zip((None, dx, *dstate, *[None] * (2 - len(dstate)), *grads), wanted, strict=True)
    return tuple([from_array(each) if want and each is not None else None for each, want in found])
