# SPDX-License-Identifier: BSD-3-Clause
"""PyTorch, or a skip that says why."""

import pytest

REASON = "PyTorch is not installed: pip install 'fastrnn[torch]'"


@pytest.fixture
def torch():
    """PyTorch on one thread, its generator set."""
    torch = pytest.importorskip("torch", reason=REASON)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield torch
    torch.set_num_threads(before)


@pytest.fixture
def kinds(torch):
    """PyTorch's classes by name."""
    return {kind.__name__: kind for kind in (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)}


@pytest.fixture(params=["LSTM", "GRU", "RNN"])
def kind(request, kinds):
    """Each of PyTorch's classes."""
    return kinds[request.param]
