# SPDX-License-Identifier: BSD-3-Clause
"""Small training steps take a way of their own, with the bits of the way of all others."""

import pytest
from support.torch_modules import no_fallback, pair


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def results(torch, module, x, state, heads):
    """Outputs and gradients of a loss of some of the outputs."""
    y, last = module(x, state)
    outputs = y, *parts(last)
    loss = sum((outputs[k] * (k + 1)).sum() for k in heads if k < len(outputs))
    wanted = [x, *(() if state is None else parts(state)), *module.parameters()]
    return [out.detach() for out in outputs], torch.autograd.grad(loss, wanted, materialize_grads=True)


@pytest.mark.parametrize("heads", [(0,), (1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("layout", ["time first", "batch first", "unbatched"])
@pytest.mark.parametrize("plain", [True, False])
def test_both_ways_have_the_same_bits(kind, heads, layout, plain, torch, monkeypatch):
    """With gradients of y, of parts of the final state, and of all; with and without biases and a state."""
    from fastrnn.torch import _autograd, _small

    options = {"bias": not plain, "bidirectional": not plain, "batch_first": layout == "batch first"}
    _, module = pair(kind(3, 5, 1 if plain else 2, **options))
    x = torch.randn((4, 3) if layout == "unbatched" else (4, 2, 3), requires_grad=True)
    rows = () if layout == "unbatched" else (x.shape[0 if module.batch_first else 1],)
    h = torch.randn(1 if plain else 4, *rows, 5, requires_grad=True)
    state = None if plain else (h, torch.randn_like(h, requires_grad=True)) if kind.__name__ == "LSTM" else h
    no_fallback(monkeypatch)
    taken, small = [], _small.forward
    monkeypatch.setattr(_small, "forward", lambda *args: taken.append(small(*args)) or taken[-1])
    first = results(torch, module, x, state, heads)
    assert len(taken) == 1 and isinstance(taken[0][2], _small.Small)
    monkeypatch.setattr(_autograd.small, "forward", lambda *args: None)
    second = results(torch, module, x, state, heads)
    for a, b in zip(first, second, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


def test_the_gradient_of_x_is_computed_unasked_where_it_is_cheap(kind, torch, monkeypatch):
    """Where it is not, the step takes the other way, which leaves it out. It is never returned."""
    from fastrnn._engine import layers

    general, forward = [], layers.forward
    monkeypatch.setattr(layers, "forward", lambda *args: general.append(1) or forward(*args))
    no_fallback(monkeypatch)
    for steps, expected in ((4, 0), (40, 1)):
        general.clear()
        _, module = pair(kind(256, 256))
        x = torch.randn(steps, 1, 256)
        module(x)[0].sum().backward()
        assert x.grad is None and module.weight_ih_l0.grad is not None
        assert len(general) == expected


def test_large_steps_are_not_small(kind, torch, monkeypatch):
    from fastrnn.torch import _small

    _, module = pair(kind(3, 5))
    no_fallback(monkeypatch)
    y, _ = module(torch.randn(4000, 8, 3, requires_grad=True))
    assert not isinstance(y.grad_fn.memory.tape[0], _small.Small)
    y, _ = module(torch.randn(40, 8, 3, requires_grad=True))
    assert isinstance(y.grad_fn.memory.tape[0], _small.Small)


def test_frozen_weights_have_no_arrays(kind, torch, monkeypatch):
    _, module = pair(kind(3, 5))
    no_fallback(monkeypatch)
    module.weight_hh_l0.requires_grad_(False)
    y, _ = module(torch.randn(4, 2, 3))
    assert [each is None for each in y.grad_fn.memory.tape[0].grads] == [False, True, False, False]
    y.sum().backward()
    assert module.weight_hh_l0.grad is None and module.bias_hh_l0.grad is not None
