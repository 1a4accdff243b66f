# SPDX-License-Identifier: BSD-3-Clause
"""torch.compile puts a module into its graph as one operator, which has fastrnn's bits."""

import pytest
from support.torch_modules import no_fallback, pair

OPTIONS = [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}, {"num_layers": 2, "bias": False}]


@pytest.fixture
def compile(torch):
    """torch.compile of a function as one graph, which Dynamo and autograd trace and PyTorch runs as it is."""
    torch._dynamo.reset()
    yield lambda function, **options: torch.compile(function, fullgraph=True, backend="aot_eager", **options)
    torch._dynamo.reset()


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def begin(torch, module, N):
    """An initial state with gradients."""
    rows = module.num_layers * (2 if module.bidirectional else 1)
    state = [torch.randn(rows, N, 5, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    return tuple(state) if module.mode == "LSTM" else state[0]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "bidirectional", "without biases"])
def test_values_and_gradients_have_the_bits_of_a_call(kind, options, compile, torch, monkeypatch):
    """In one graph, with a state and resets and without."""
    _, ours = pair(kind(3, 5, dtype=torch.float64, **options))
    no_fallback(monkeypatch)
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    state, resets = begin(torch, ours, 4 if ours.batch_first else 2), torch.rand(4, 2) < 0.4

    def forward(x, state, resets):
        y, last = ours(torch.tanh(x), state, resets=resets)
        return torch.sin(y), *parts(last)

    compiled = compile(forward)
    for arguments in ((x, None, None), (x, state, resets)):
        inputs = [x, *([] if arguments[1] is None else parts(state)), *ours.parameters()]
        results = []
        for run in (forward, compiled):
            outputs = run(*arguments)
            loss = sum((k + 1) * out.square().sum() for k, out in enumerate(outputs))
            results.append([*outputs, *torch.autograd.grad(loss, inputs)])
        assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
        with torch.no_grad():
            assert all(torch.equal(a, b) for a, b in zip(compiled(*arguments), results[0], strict=False))


def test_frozen_weights_and_updates(kind, compile, torch, monkeypatch):
    """Gradients that nobody wants are not computed; written weights are seen, and a new shape."""
    from fastrnn._engine import layers

    theirs, ours = pair(kind(3, 5))
    for module in (theirs, ours):
        module.weight_hh_l0.requires_grad_(False)
    asked, below = [], layers.backward
    monkeypatch.setattr(layers, "backward", lambda kept, up, down: asked.append(down) or below(kept, up, down))
    compiled = compile(lambda x: ours(x)[0])
    for T in (4, 4, 6):
        x = torch.randn(T, 2, 3)
        expected = theirs(x)[0]
        assert torch.allclose(compiled(x), expected, atol=1e-5)
        expected.square().sum().backward()
        compiled(x).square().sum().backward()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert (a.grad is None) == (b.grad is None) and (
                a.grad is None or torch.allclose(a.grad, b.grad, atol=1e-4)
            )
        assert asked[-1].dx is None and asked[-1].grads[0][1] is None
        for module in (theirs, ours):
            module.zero_grad()
            with torch.no_grad():
                module.weight_hh_l0.mul_(0.5)
                module.weight_ih_l0.data = module.weight_ih_l0.data + 0.1


def test_dropout_draws_the_masks_of_a_call(kind, compile, torch, monkeypatch):
    """Between layers, from PyTorch's generator; none in evaluation."""
    _, ours = pair(kind(3, 5, 3, dropout=0.5, dtype=torch.float64))
    no_fallback(monkeypatch)
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    compiled = compile(lambda x: ours(x)[0])
    results = []
    for run in (lambda x: ours(x)[0], compiled):
        torch.manual_seed(3)
        y = run(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), list(ours.parameters()))])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    ours.eval()
    assert torch.equal(compiled(x), ours(x)[0]) and not torch.equal(ours(x)[0], results[0][0])


def test_weights_that_are_computed(kind, compile, torch):
    """By a parametrization, through which gradients go on."""
    _, ours = pair(kind(3, 5))
    torch.nn.utils.parametrizations.weight_norm(ours, "weight_hh_l0")
    x = torch.randn(4, 2, 3)
    results = []
    for run in (lambda x: ours(x)[0], compile(lambda x: ours(x)[0])):
        y = run(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), list(ours.parameters()))])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.filterwarnings("ignore")  # of PyTorch's own code
def test_with_the_default_backend(torch, monkeypatch):
    """Which compiles what lies around the operator; the masks of dropout are those of a call there, too."""
    torch._dynamo.reset()
    model = torch.nn.ModuleList([pair(torch.nn.LSTM(3, 5, 2, dropout=0.5))[1], torch.nn.Linear(5, 2)])
    no_fallback(monkeypatch)
    x = torch.randn(4, 2, 3)

    def forward(x):
        return torch.tanh(model[1](model[0](torch.relu(x))[0]))

    results = []
    for run in (forward, torch.compile(forward, fullgraph=True)):
        torch.manual_seed(3)
        y = run(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), list(model.parameters()))])
    torch._dynamo.reset()
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*results, strict=True))


def test_an_output_that_is_written_in_the_graph(kind, compile, torch, monkeypatch):
    """As by an activation in place, before the backward pass needs it."""
    _, ours = pair(kind(3, 5))
    no_fallback(monkeypatch)
    x, results = torch.randn(4, 2, 3), []

    def forward(x):
        return ours(x)[0].relu_()

    for run in (forward, compile(forward)):
        y = run(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), list(ours.parameters()))])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
