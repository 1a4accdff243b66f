# SPDX-License-Identifier: BSD-3-Clause
"""Modules of `fastrnn.torch` for the cases of `torch_cases`, and telling which code ran."""

import contextlib
import copy

from support.torch_cases import torch_module


def our_module(case, dtype):
    """The network of a case as a module of `fastrnn.torch`."""
    import fastrnn.torch

    module = torch_module(case, dtype)
    assert all(row.swapped for row in fastrnn.torch.accelerate(module))
    return module


def pair(module):
    """A module of PyTorch, and ours with the same parameters."""
    import fastrnn.torch

    ours = copy.deepcopy(module)
    assert all(row.swapped for row in fastrnn.torch.accelerate(ours))
    return module, ours


def no_fallback(monkeypatch):
    """Let PyTorch's forward raise until the test ends: what runs is ours."""
    from torch import nn

    def refuse(*args, **kwargs):
        raise AssertionError("PyTorch's own code ran")

    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        monkeypatch.setattr(kind, "forward", refuse)


@contextlib.contextmanager
def counted(kind):
    """A list that grows by one with each call of PyTorch's own forward of a class, which runs."""
    calls, forward = [], kind.forward

    def record(*args, **kwargs):
        calls.append(1)
        return forward(*args, **kwargs)

    kind.forward = record
    try:
        yield calls
    finally:
        kind.forward = forward
