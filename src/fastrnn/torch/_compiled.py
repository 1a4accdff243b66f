# SPDX-License-Identifier: BSD-3-Clause
"""A call of a module that torch.compile records: as the operator of `_operators`."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ._binding import DTYPES
from ._calls import in_transform
from ._operators import Spec


def fits(module: Any, x: Any, hx: Any) -> bool:
    """Whether a module, whose call torch.compile records, can be the operator."""
    if module.proj_size or type(x) is not Tensor or x.dim() not in (2, 3) or torch.is_autocast_enabled("cpu"):
        return False
    parts = hx if isinstance(hx, tuple) else () if hx is None else (hx,)
    D, batch = 1 + module.bidirectional, () if x.dim() == 2 else (x.shape[0 if module.batch_first else 1],)
    shape = (module.num_layers * D, *batch, module.hidden_size)
    if hx is not None and (isinstance(hx, tuple) != (module.mode == "LSTM") or any(p.shape != shape for p in parts)):
        return False
    if x.shape[-1] != module.input_size or x.numel() == 0 or x.dtype not in DTYPES:
        return False
    if not all(each.dtype is x.dtype and each.device.type == "cpu" for each in (x, *parts, *weights_of(module))):
        return False
    return forward_ad._current_level < 0 and not in_transform()


def weights_of(module: Any) -> list[Tensor]:
    """Like that of `_binding`, without exceptions, which older versions of Dynamo do not support."""
    return [getattr(module, name) for name in module._flat_weights_names]


def call(module: Any, x: Tensor, hx: Any, resets: Tensor | None) -> tuple[Tensor, Any]:
    """y and the final state of a module, by the operator."""
    weights = weights_of(module)
    states = [] if hx is None else [*hx] if isinstance(hx, tuple) else [hx]
    keep = torch.is_grad_enabled() and any(each.requires_grad for each in (x, *states, *weights))
    p = module.dropout if module.training and module.num_layers > 1 else 0.0
    masks: list[Tensor] = []
    if p:
        T, N = (x.shape[0], 1) if x.dim() == 2 else (x.shape[1], x.shape[0]) if module.batch_first else x.shape[:2]
        shape = T, N, (1 + module.bidirectional) * module.hidden_size
        masks = [x.new_empty(shape).bernoulli_(1 - p).bool() for _ in range(module.num_layers - 1)]
    keep = keep or bool(p)  # masks act in the pass that keeps
    spec = str(Spec(module.mode, module.bias, module.bidirectional, module.batch_first, hx is not None, keep))
    y, *rest = torch.ops.fastrnn.recurrence(x, states, weights, masks, resets, spec, 1 / (1 - p) if p < 1 else 1.0)
    return y, (rest[0], rest[1]) if module.mode == "LSTM" else rest[0]
