# SPDX-License-Identifier: BSD-3-Clause
"""Resets: argument checks, and an implementation with PyTorch's own modules.

PyTorch has no resets. Rows that resets cut are rows of a packed sequence to it, one for each part.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .._engine.layout import as_state, state_arrays


def check_resets(module: Any, input: Any, resets: Any) -> None:
    """Raise TypeError or ValueError for resets that are not bools laid out as the input."""
    if not isinstance(resets, Tensor):
        raise TypeError(f"resets: expected a tensor of bools, got {type(resets).__name__}")
    if resets.dtype is not torch.bool:
        raise TypeError(f"resets: expected bools, True for steps that begin with a state of zero, got {resets.dtype}")
    if isinstance(input, PackedSequence):
        raise TypeError("resets: expected None with a packed sequence; pack the parts of its rows as rows")
    if isinstance(input, Tensor) and input.dim() in (2, 3) and resets.shape != input.shape[:-1]:
        expected = tuple(input.shape[:-1])
        raise ValueError(f"resets: expected {expected}, the steps of the input, got {tuple(resets.shape)}")


def only_first(module: Any, resets: Tensor) -> bool:
    """Whether there are resets at first steps alone, which act on nothing but the initial state."""
    if module.bidirectional:  # whose second direction ends there
        return False
    later = resets[:, 1:] if module.batch_first and resets.dim() == 2 else resets[1:]
    return not later.numel() or not bool(later.any())


def has_rows_of(module: Any, hx: Any, resets: Tensor) -> bool:
    """Whether a state has its parts, with a row for each of the resets; if not, PyTorch's module says what is wrong."""
    N = resets.shape[:1] if module.batch_first and resets.dim() == 2 else resets.shape[1:]
    is_lstm = module.mode == "LSTM"
    return isinstance(hx, tuple) == is_lstm and all(
        isinstance(part, Tensor) and part.shape[1:-1] == N for part in state_arrays(hx)
    )


def without_rows(module: Any, hx: Any, resets: Tensor) -> Any:
    """The initial state with zeros where the first step is a reset."""
    if hx is None or not resets.numel() or not has_rows_of(module, hx, resets):
        return hx
    first = resets[:, 0] if module.batch_first and resets.dim() == 2 else resets[0]
    if not bool(first.any()):
        return hx
    return as_state(tuple([torch.where(first[..., None], part.new_zeros(()), part) for part in state_arrays(hx)]))


class Parts(NamedTuple):
    """The parts of rows, longest first, and where their steps are in the order of a packed sequence."""

    times: Tensor  # (T*N,)
    rows: Tensor  # (T*N,)
    batch_sizes: Tensor
    source: Tensor  # of each part: its row
    start: Tensor
    stop: Tensor


def cut(resets: Tensor) -> Parts:
    """The parts into which resets (T, N) cut rows."""
    T, N = resets.shape
    begins = resets.clone()
    begins[0] = True
    source, start = begins.t().nonzero(as_tuple=True)  # row after row, in the order of time
    stop = torch.cat([start[1:], start[:1]])
    stop = torch.where(stop == 0, T, stop)
    order = torch.argsort(start - stop, stable=True)
    source, start, stop = source[order], start[order], stop[order]
    steps = torch.arange(int((stop - start).max()), device=resets.device)[:, None]
    runs = steps < stop - start
    times = (start + steps)[runs]
    return Parts(times, source.expand(runs.shape)[runs], runs.sum(1).cpu(), source, start, stop)


def by_packing(module: Any, input: Any, hx: Any, resets: Tensor) -> tuple[Tensor, Any]:
    """As PyTorch's module, with resets: y and the final state."""
    if only_first(module, resets) or hx is not None and not has_rows_of(module, hx, resets):
        return module._plain.forward(module, input, without_rows(module, hx, resets))
    batched, T = input.dim() == 3, resets.shape[-1 if module.batch_first else 0]
    x = input[:, None] if not batched else input.transpose(0, 1) if module.batch_first else input
    resets = resets[:, None] if not batched else resets.t() if module.batch_first else resets
    T, N = resets.shape
    parts, D = cut(resets), 2 if module.bidirectional else 1
    enters = torch.stack([(parts.start == 0) & ~resets[0, parts.source], parts.stop == T][:D])
    enters = enters.repeat(module.num_layers, 1)[..., None]  # (L*D, parts, 1)
    state = None
    if hx is not None:
        rows = [part if batched else part[:, None] for part in state_arrays(hx)]
        state = as_state(tuple([torch.where(enters, part[:, parts.source], part.new_zeros(())) for part in rows]))
    packed = PackedSequence(x[parts.times, parts.rows], parts.batch_sizes)
    y, last = module._plain.forward(module, packed, state)
    result = y.data.new_zeros((T, N, y.data.shape[-1])).index_put((parts.times, parts.rows), y.data)
    leaves = [(parts.stop == T).nonzero()[:, 0], (parts.start == 0).nonzero()[:, 0]][:D]
    leaves = torch.stack([ends[torch.argsort(parts.source[ends])] for ends in leaves])  # (D, N)
    leaves = leaves.repeat(module.num_layers, 1)
    layers = torch.arange(len(leaves), device=leaves.device)[:, None]
    final = tuple([part[layers, leaves] for part in state_arrays(last)])
    if D == 2:  # the second direction has ended there
        ended = torch.stack([torch.zeros_like(resets[0]), resets[0]]).repeat(module.num_layers, 1)[..., None]
        final = tuple([torch.where(ended, part.new_zeros(()), part) for part in final])
    if not batched:
        return result[:, 0], as_state(tuple([part[:, 0] for part in final]))
    return result.transpose(0, 1) if module.batch_first else result, as_state(final)
