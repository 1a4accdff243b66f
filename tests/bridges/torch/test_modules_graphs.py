# SPDX-License-Identifier: BSD-3-Clause
"""What records or compiles a model meets PyTorch's own operation in place of a module of fastrnn.torch."""

import copy
import io
import warnings

import pytest
from support.torch_modules import counted, pair


def node_of(kind):
    """The operation by which PyTorch computes a module."""
    return "rnn_tanh" if kind.__name__ == "RNN" else kind.__name__.lower()


def test_tracing_and_scripts(kind, torch):
    """The recurrence is one node of the graph, as of PyTorch's module."""
    _, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3)
    y = ours(x)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        traced = torch.jit.trace(ours, (x,))
        scripted = torch.jit.script(torch.nn.Sequential(copy.copy(ours)))  # whose module becomes PyTorch's
    assert f"aten::{node_of(kind)}(" in str(traced.inlined_graph)
    for module in (traced, scripted):
        assert torch.allclose(module(x)[0], y, atol=1e-6)
    with torch.no_grad():
        ours.weight_hh_l0.zero_()
    assert torch.allclose(scripted(x)[0], ours(x)[0], atol=1e-6)  # they share parameters


@pytest.mark.filterwarnings("ignore:The tensor attributes self._flat_weights")  # which PyTorch's module renews
def test_export(kind, torch):
    """There it is one node, too."""
    theirs, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3)
    try:
        torch.export.export(theirs, (x,), strict=False)
    except ValueError as error:
        pytest.skip(f"this PyTorch does not export its own module in this way: {error}")
    exported = torch.export.export(ours, (x,), strict=False)
    assert any(f"aten.{node_of(kind)}.input" in str(n.target) for n in exported.graph.nodes)
    assert torch.allclose(exported.module()(x)[0], ours(x)[0], atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_compiled_models(kind, torch):
    """The graph breaks where it breaks at PyTorch's module, and ours runs there, with gradients."""
    _, ours = pair(kind(3, 5))
    model = torch.nn.ModuleList([ours, torch.nn.Linear(5, 2)])
    x = torch.randn(4, 2, 3)

    def forward(x):
        y, _ = model[0](torch.relu(x))
        return torch.tanh(model[1](y))

    expected = forward(x)
    wanted = torch.autograd.grad(expected.sum(), list(model.parameters()))
    compiled = torch.compile(forward, backend="eager")
    with counted(kind) as calls:
        actual = compiled(x)
        gradients = torch.autograd.grad(actual.sum(), list(model.parameters()))
        with torch.no_grad():
            again = compiled(x)
    assert not calls
    assert torch.equal(actual, expected) and torch.equal(again, expected)
    assert all(torch.equal(a, b) for a, b in zip(gradients, wanted, strict=True))
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore")
def test_export_by_dynamo(kind, torch):
    """Even where torch.compile would put an operator of fastrnn into the graph."""
    if not hasattr(torch.compiler, "is_exporting"):
        pytest.skip("this PyTorch does not say that it exports")
    _, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3)
    with torch._dynamo.config.patch(allow_rnn=True):
        exported = torch.export.export(torch.nn.Sequential(ours), (x,), strict=True)
    targets = [str(node.target) for node in exported.graph.nodes]
    assert f"aten.{node_of(kind)}.input" in targets and not any("fastrnn" in target for target in targets)


@pytest.mark.filterwarnings("ignore")
def test_onnx(kind, torch):
    """One node for each layer, of the type of the cell."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")
    _, ours = pair(kind(3, 5, 2))
    file = io.BytesIO()
    torch.onnx.export(ours, (torch.randn(4, 2, 3),), file, dynamo=False)
    nodes = [node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node]
    assert nodes.count(kind.__name__) == 2
