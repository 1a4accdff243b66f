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


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_export(strict, kind, torch):
    """There it is one node, too, whether Dynamo records the model or runs it."""
    if strict and not hasattr(torch.compiler, "is_exporting"):
        pytest.skip("this PyTorch does not say that it exports: a model has to be restored before")
    _, ours = pair(kind(3, 5, 2, bidirectional=True))
    model, x = torch.nn.Sequential(ours), torch.randn(4, 2, 3)
    exported = torch.export.export(model, (x,), strict=strict)
    targets = [str(node.target) for node in exported.graph.nodes]
    assert targets.count(f"aten.{node_of(kind)}.input") == 1 and not any("fastrnn" in target for target in targets)
    assert set(exported.state_dict) == set(model.state_dict())
    for actual, expected in zip(exported.module()(x), model(x), strict=True):
        for a, b in zip(*[each if isinstance(each, tuple) else (each,) for each in (actual, expected)], strict=True):
            assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_compiled_models(kind, torch):
    """Ours run in them, with gradients."""
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
def test_onnx(kind, torch):
    """One node for each layer, of the type of the cell."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")
    _, ours = pair(kind(3, 5, 2))
    file = io.BytesIO()
    torch.onnx.export(ours, (torch.randn(4, 2, 3),), file, dynamo=False)
    nodes = [node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node]
    assert nodes.count(kind.__name__) == 2


@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}, {"bias": False}]
)
@pytest.mark.filterwarnings("ignore")
def test_onnx_by_dynamo(options, kind, torch):
    """ONNX Runtime gives the results of the model, from nodes of the type of the cell where PyTorch writes them."""
    for name in ("onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install {name}")
    import onnxruntime

    _, ours = pair(kind(3, 5, **options))
    x, file = torch.randn(4, 2, 3), io.BytesIO()
    program = torch.onnx.export(torch.nn.Sequential(ours), (x,), dynamo=True, verbose=False)
    program.save(file)
    nodes = [node.op_type for node in program.model.graph]
    assert nodes.count(kind.__name__) == (0 if kind.__name__ == "RNN" else ours.num_layers)
    session = onnxruntime.InferenceSession(file.getvalue())
    y, *state = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        expected, last = ours(x)
    for a, b in zip([y, *state], [expected, *(last if isinstance(last, tuple) else [last])], strict=True):
        assert torch.allclose(torch.from_numpy(a), b, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_script_does_not_drop_a_forward_of_a_subclass(torch):
    """Without one, PyTorch's module takes its place; with one PyTorch says that it cannot script it."""
    import fastrnn.torch

    class Named(fastrnn.torch.LSTM):
        def name(self):
            return "named"

    class OnlyOutput(fastrnn.torch.LSTM):
        def forward(self, input):
            return super().forward(input)[0]

    x = torch.randn(4, 2, 3)
    named = Named(3, 5)
    scripted = torch.jit.script(torch.nn.Sequential(named))
    assert torch.allclose(scripted(x)[0], named(x)[0], atol=1e-6)
    with pytest.raises(RuntimeError, match="forward"):
        torch.jit.script(torch.nn.Sequential(OnlyOutput(3, 5)))
