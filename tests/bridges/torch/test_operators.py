# SPDX-License-Identifier: BSD-3-Clause
"""The passes as operators of PyTorch keep what PyTorch asks of an operator."""

import gc

import pytest


def begin(torch, module):
    """The arrays of an initial state of 2 rows."""
    rows = module.num_layers * (2 if module.bidirectional else 1)
    return [torch.randn(rows, 2, 5, dtype=torch.float64) for _ in range(2 if module.mode == "LSTM" else 1)]


def arguments_of_operator(torch, module, keep, resets):
    from fastrnn.torch._operators import Spec

    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=keep)
    state = [part.requires_grad_(keep) for part in begin(torch, module)] if resets is not None else []
    spec = Spec(module.mode, True, module.bidirectional, False, bool(state), keep)
    masks = [torch.rand(4, 2, 10) < 0.5] if keep else []
    return x, state, list(module.parameters()), masks, resets, str(spec), 2.0


@pytest.mark.parametrize("way", ["with resets", "without", "inference"])
def test_the_operator_passes_pytorch_s_own_checks(kind, way, torch):
    """torch.library.opcheck: its schema, shapes that are known without running it, and gradients in a graph."""
    import fastrnn.torch  # noqa: F401

    module = kind(3, 5, 2, bidirectional=True, dtype=torch.float64).requires_grad_(way != "inference")
    resets = torch.rand(4, 2) < 0.4 if way == "with resets" else None
    arguments = arguments_of_operator(torch, module, way != "inference", resets)
    found = torch.library.opcheck(torch.ops.fastrnn.recurrence.default, arguments)
    assert set(found.values()) == {"SUCCESS"}


def test_gradients_without_what_they_need_are_an_error(torch):
    import fastrnn.torch  # noqa: F401

    module = torch.nn.GRU(3, 5, dtype=torch.float64)
    x, state, weights, masks, resets, spec, scale = arguments_of_operator(torch, module, False, None)
    y = torch.ops.fastrnn.recurrence(x, state, weights, masks, resets, spec, scale)[0]
    with pytest.raises(RuntimeError, match="expected keep in its spec"):
        y.sum().backward()


def test_what_stands_for_a_module_goes_with_its_weights(torch):
    from fastrnn.torch import _operators

    gc.collect()
    before = len(_operators._owners)
    module = torch.nn.GRU(3, 5, dtype=torch.float64).requires_grad_(False)
    torch.ops.fastrnn.recurrence(*arguments_of_operator(torch, module, False, None))
    assert len(_operators._owners) == before + 1
    del module
    gc.collect()
    assert len(_operators._owners) == before
