# SPDX-License-Identifier: BSD-3-Clause
"""Calls of the engine on tensors, which share their memory with the arrays."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils.dlpack import to_dlpack  # pyright: ignore[reportPrivateImportUsage]

from .._engine.arguments import Array
from .._engine.layout import Layout, StateArrays, as_state, state_arrays
from .._engine.ragged import FULL, Rows
from ..nn._packed import opened
from ._binding import PLAIN, Bound

from_array: Any = torch.from_numpy
from_dlpack: Any = np.from_dlpack
_level: Callable[[], Any] = getattr(getattr(torch._C, "_functorch", None), "maybe_current_level", lambda: None)


def in_transform() -> bool:
    """Whether a transform of torch.func runs, in which a tensor may be one of a batch, or have tangents."""
    return _level() is not None


class Lent:
    """A tensor for `numpy.from_dlpack`. After `Tensor.numpy` nobody could resize it any more."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor: Tensor = tensor

    def __dlpack__(self, **options: Any) -> Any:
        return to_dlpack(self.tensor)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU


def array_of(tensor: Tensor) -> Array:
    """The memory of a tensor, to be read."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    return from_dlpack(Lent(tensor.resolve_neg() if tensor.is_neg() else tensor))


def check_packed(module: Any, packed: PackedSequence, hx: Any) -> None:
    """Raise the errors of PyTorch's GRU for arguments whose shapes do not fit: its LSTM reads memory beyond them."""
    if packed.data.dtype is not module._flat_weights[0].dtype:  # of which both speak
        return
    module.check_input(packed.data, packed.batch_sizes)
    if isinstance(hx, tuple) and len(hx) == 2 and all(isinstance(part, Tensor) for part in hx):
        module.check_forward_args(packed.data, hx, packed.batch_sizes)


class Input(NamedTuple):
    """The input of a call: x (T, N, I), its layout, the initial state and its rows."""

    x: Array
    layout: Layout
    initial: StateArrays
    rows: Rows

    @property
    def sizes(self) -> tuple[int, int, int]:
        """T, or 1 of a packed sequence; N, or R of a packed sequence; and the number of rows of a state."""
        T, R, _ = self.x.shape
        return T, R, self.rows.sizes(self.x.shape)[1]


class Steps(NamedTuple):
    """The arguments of a call besides x, the state and weights."""

    packed: PackedSequence | None = None  # whose data x is
    resets: Tensor | None = None  # bool, laid out as x


ALL = Steps()


def accepts(tensor: object, shape: tuple[int, ...], bound: Bound) -> bool:
    """Whether a value is a tensor of this shape that the engine can read."""
    if type(tensor) not in PLAIN or not is_dense(tensor):  # type: ignore[arg-type]
        return False
    return tensor.dtype is bound.dtype and tensor.shape == shape  # type: ignore[attr-defined]


def is_dense(tensor: Tensor) -> bool:
    """Whether a tensor is nothing but its memory on the CPU."""
    return tensor.is_cpu and tensor.layout is torch.strided and not tensor.is_nested


def fits(bound: Bound, module: Any, x: Tensor, hx: Any, packed: PackedSequence | None) -> bool:
    """Whether the engine takes these arguments. What it does not take PyTorch computes, or says what is wrong."""
    stack = bound.stack
    dims = (2,) if packed is not None else (2, 3)
    if x.dim() not in dims or x.shape[-1] != stack.I or not x.numel() or not accepts(x, x.shape, bound):
        return False
    if packed is not None:
        rows: tuple[int, ...] = (int(packed.batch_sizes[0]),)
    else:
        rows = (x.shape[0 if module.batch_first else 1],) if x.dim() == 3 else ()
    shape = (stack.L * stack.D, *rows, stack.H)
    return hx is None or all(accepts(part, shape, bound) for part in state_arrays(hx)) and matches(bound, hx)


def matches(bound: Bound, hx: Any) -> bool:
    """Whether a state has the parts of the cell: h, or (h, c)."""
    parts = len(bound.stack.cell.parts)
    return type(hx) is tuple and len(hx) == parts if parts > 1 else not isinstance(hx, tuple)


def read(bound: Bound, batch_first: bool, x: Tensor, hx: Any, steps: Steps) -> Input:
    """Arguments that fit, as arrays."""
    state = None if hx is None else as_state(map(array_of, state_arrays(hx)))
    if steps.packed is None:
        rows = FULL if steps.resets is None else Rows(None, array_of(steps.resets.view(torch.uint8)).view(np.bool_))
        return Input(*bound.stack.enter(array_of(x), state, rows, batch_first))
    try:
        data, rows, _ = opened(steps.packed._replace(data=array_of(x)))
    except ValueError as error:
        raise ValueError(str(error).replace("x.", "input.", 1)) from None
    return Input(*bound.stack.enter(data, state, rows, batch_first))


def room(bound: Bound, call: Input) -> tuple[Array, tuple[Array, ...]]:
    """Arrays for y, laid out as x, and the final state."""
    T, R, N = call.sizes
    y = np.empty(call.layout.shape(T, R, bound.stack.D * bound.stack.H), bound.stack.dtype)
    return y, bound.stack.empty_state(N)


def tensors(call: Input, arrays: tuple[Array, ...]) -> tuple[Tensor, ...]:
    """A state, (L*D, N, H) each, as the tensors that a caller has."""
    return tuple(from_array(array if call.layout.batched else array[:, 0]) for array in arrays)


def infer(bound: Bound, batch_first: bool, x: Tensor, hx: Any, steps: Steps) -> tuple[Any, Any]:
    """y and the final state of arguments that fit."""
    call = read(bound, batch_first, x, hx, steps)
    y, final = room(bound, call)
    bound.stack.infer(call.x, call.layout.time_major(y), call.initial, final, call.rows)
    return result(from_array(y), tensors(call, final), steps.packed)


def infer_small(bound: Bound, x: Tensor, hx: Any) -> tuple[Any, Any] | None:
    """`infer` of small arguments, with little overhead; None for others."""
    if hx is None:
        state: Any = None
    elif type(hx) is tuple:
        for part in hx:
            if type(part) not in PLAIN or not is_dense(part):
                return None
        state = tuple([array_of(part) for part in hx])
    elif type(hx) in PLAIN and is_dense(hx):
        state = array_of(hx)
    else:
        return None
    found = bound.inference(array_of(x), state)
    if found is None:
        return None
    y, final = found
    if type(final) is tuple:
        h, c = final
        return from_array(y), (from_array(h), from_array(c))
    return from_array(y), from_array(final)


def result(y: Tensor, final: tuple[Tensor, ...], packed: PackedSequence | None) -> tuple[Any, Any]:
    """The result of a module: y packed like x, and h or (h, c)."""
    return (y if packed is None else packed._replace(data=y)), as_state(final)
