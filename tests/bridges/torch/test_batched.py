# SPDX-License-Identifier: BSD-3-Clause
"""Batches of gradients, as for Jacobians: PyTorch calls a backward pass once with tensors that stand for many."""

import pytest
from support.torch_modules import pair


@pytest.mark.parametrize("N", [2, 40], ids=["small", "large"])
def test_a_batch_of_gradients(kind, N, torch):
    """`is_grads_batched=True`, of x and weights and of a state that has its own gradient or none."""
    x = torch.randn(4, N, 3, dtype=torch.float64, requires_grad=True)
    results = []
    for module in pair(kind(3, 5, 2, bidirectional=True, dtype=torch.float64)):
        y, state = module(x)
        h = state[0] if isinstance(state, tuple) else state
        dy, dh = (torch.linspace(-1, 1, 3 * each.numel(), dtype=each.dtype).view(3, *each.shape) for each in (y, h))
        wanted = [x, module.weight_hh_l0, module.bias_ih_l1_reverse]
        both = torch.autograd.grad([y, h], wanted, [dy, dh], retain_graph=True, is_grads_batched=True)
        one = torch.autograd.grad(h, wanted, dh, retain_graph=True, is_grads_batched=True)
        results.append([*both, *one])
    for expected, actual in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected)


def test_each_has_the_bits_of_its_own_pass(kind, torch):
    _, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3, requires_grad=True)
    y, _ = ours(x)
    dy = torch.randn(3, *y.shape)
    (batch,) = torch.autograd.grad(y, x, dy, retain_graph=True, is_grads_batched=True)
    for n in range(3):
        assert torch.equal(batch[n], torch.autograd.grad(y, x, dy[n], retain_graph=True)[0])


def test_jacobians(kind, torch):
    theirs, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3)
    jacobians = [
        torch.autograd.functional.jacobian(lambda x: module(x)[0], x, vectorize=True)  # noqa: B023
        for module in (theirs, ours)
    ]
    torch.testing.assert_close(*jacobians, rtol=1e-4, atol=1e-6)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # of PyTorch's own LSTM
def test_vmap_of_backward_passes(kind, torch):
    """The transform of today, over any axis."""
    results = []
    x, dy = torch.randn(4, 2, 3, requires_grad=True), torch.randn(4, 3, 2, 5)
    for module in pair(kind(3, 5)):
        y, _ = module(x)
        backward = torch.vmap(lambda dy: torch.autograd.grad(y, x, dy, retain_graph=True)[0], in_dims=1)  # noqa: B023
        results.append(backward(dy))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-6)


def test_hessians_are_still_an_error(torch):
    _, ours = pair(torch.nn.GRU(3, 5))
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.functional.hessian(lambda x: ours(x)[0].sum(), torch.randn(4, 2, 3), vectorize=True)
