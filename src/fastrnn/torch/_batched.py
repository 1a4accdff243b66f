# SPDX-License-Identifier: BSD-3-Clause
"""Batches of gradients, for which PyTorch calls a backward pass once: ours runs for each of them.

`torch.autograd.grad(is_grads_batched=True)`, and with it `torch.autograd.functional.jacobian(vectorize=True)`, pass
tensors that stand for a batch and have no memory that NumPy could read. PyTorch has no public way to unwrap them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Gradients = Callable[..., tuple[Tensor | None, ...]]  # of the gradients of the outputs, those of the arguments
_is_wrapped: Any = getattr(getattr(torch._C, "_functorch", None), "is_legacy_batchedtensor", lambda tensor: False)
_torch: Any = torch  # whose types do not have these functions


def is_batched(gradient: Tensor | None) -> bool:
    """Whether a gradient stands for a batch of them."""
    return gradient is not None and _is_wrapped(gradient)


def in_batch(function: Gradients, gradients: Sequence[Tensor | None]) -> tuple[Any, ...]:
    """`function` of gradients of which some stand for a batch; so do its results."""
    level = torch._C._vmapmode_increment_nesting() - 1
    torch._C._vmapmode_decrement_nesting()
    which = [is_batched(each) for each in gradients]
    pairs = zip(gradients, which, strict=True)
    arrays = [_torch._remove_batch_dim(each, level, 0, 0) if batched else each for each, batched in pairs]
    found = stacked(function, arrays, which)
    return tuple([None if each is None else _torch._add_batch_dim(each, 0, level) for each in found])


def stacked(function: Gradients, gradients: Sequence[Tensor | None], which: Sequence[bool]) -> tuple[Any, ...]:
    """`function` of each gradient of a batch, stacked: those of `which` have an axis for it, the first one."""
    size = next(len(each) for each, batched in zip(gradients, which, strict=True) if batched)  # type: ignore
    parts = []
    for n in range(size):
        parts.append(function(*[each[n] if batched else each for each, batched in zip(gradients, which, strict=True)]))  # type: ignore
    return tuple([None if each[0] is None else torch.stack(each) for each in zip(*parts, strict=True)])  # type: ignore
