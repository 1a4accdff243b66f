# SPDX-License-Identifier: BSD-3-Clause
"""torch.fx records a module of fastrnn.torch as PyTorch's: one node that calls it."""

import copy

import pytest
from support.torch_modules import no_fallback, pair


@pytest.fixture
def model(torch):
    """A model around a recurrent module, whose state and resets are optional."""

    class Model(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x, hx, resets):
            if resets is None:
                return self.inner(x, hx)[0].relu()
            return self.inner(x, hx=hx, resets=resets)[0].relu()

    return Model


@pytest.mark.parametrize("state", [True, False])
def test_a_module_is_one_node(kind, state, model, torch, monkeypatch):
    """The graph has the operations of the one around PyTorch's module, and its results."""
    theirs, ours = pair(kind(3, 5))
    h = torch.randn(1, 2, 5)
    values = torch.randn(4, 2, 3), ((h, h) if kind.__name__ == "LSTM" else h) if state else None
    given = {"resets": None} if state else {"resets": None, "hx": None}
    graphs = [torch.fx.symbolic_trace(model(module), given) for module in (theirs, ours)]
    assert len({str([node.op for node in graph.graph.nodes]) for graph in graphs}) == 1
    assert [str(node.target) for node in graphs[1].graph.nodes if node.op == "call_module"] == ["inner"]
    expected = graphs[0](*values, None)
    no_fallback(monkeypatch)
    assert torch.allclose(graphs[1](*values, None), expected, atol=1e-6)


def test_resets_are_recorded(kind, model, torch, monkeypatch):
    _, ours = pair(kind(3, 5))
    no_fallback(monkeypatch)
    graph = torch.fx.symbolic_trace(model(ours), {"hx": None})
    x, resets = torch.randn(4, 2, 3), torch.zeros(4, 2, dtype=torch.bool)
    resets[2, 1] = True
    assert torch.equal(graph(x, None, resets), ours(x, resets=resets)[0].relu())


def test_a_graph_is_recorded_again(kind, torch):
    """As PyTorch's tools do; copies of a graph have a module of their own."""

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = pair(kind(3, 5))[1]

        def forward(self, x):
            return self.inner(x)[0]

    graph = torch.fx.symbolic_trace(Model())
    again = copy.deepcopy(torch.fx.symbolic_trace(graph))
    x = torch.randn(4, 2, 3)
    assert torch.equal(again(x), graph(x)) and again.inner is not graph.inner


def test_a_module_by_itself_is_refused(kind, torch):
    """As PyTorch's, whose forward asks for the number of axes."""
    for module in pair(kind(3, 5)):
        with pytest.raises(torch.fx.proxy.TraceError, match="control flow"):
            torch.fx.symbolic_trace(module)
