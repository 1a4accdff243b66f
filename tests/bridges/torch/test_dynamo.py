# SPDX-License-Identifier: BSD-3-Clause
"""What torch.compile makes of modules that it does not look into by default: ours one graph, PyTorch's a break."""

import importlib
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest
from support.torch_modules import counted, pair

# Dynamo looks at .grad of what a graph continues with behind a break.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@pytest.fixture(autouse=True)
def empty(torch):
    """Dynamo with nothing compiled, before and after."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def compile(torch):
    """torch.compile by a backend that runs a graph as it is, and the graphs that it got."""
    graphs = []

    def backend(graph, inputs):
        graphs.append([str(node.target) for node in graph.graph.nodes if node.op.startswith("call")])
        return graph.forward

    return lambda function, **options: (torch.compile(function, backend=backend, **options), graphs)


def model_of(torch, module):
    """A model with something before and behind a module."""

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = module, torch.nn.Linear(5, 2)

        def forward(self, x):
            return torch.tanh(self.head(self.rnn(torch.relu(x))[0]))

    return Model()


def refused(torch):
    """The error of Dynamo where it would break a graph that is to be one."""
    return pytest.raises(torch._dynamo.exc.Unsupported)


def test_an_accelerated_model_is_one_graph(kind, compile, torch):
    """With nothing set; PyTorch's own module needs Dynamo's setting, which stays as it was."""
    import fastrnn.torch

    x, model = torch.randn(4, 2, 3), model_of(torch, kind(3, 5))
    compiled, graphs = compile(model, fullgraph=True)
    with refused(torch) as error:
        compiled(x)
    assert "RNN, GRU" in str(error.value)
    torch._dynamo.reset()
    fastrnn.torch.accelerate(model)
    compiled, graphs = compile(model, fullgraph=True)
    assert torch.equal(compiled(x), model(x)) and isinstance(model.rnn, kind)
    assert len(graphs) == 1 and sum("fastrnn.recurrence" in target for target in graphs[0]) == 1
    assert torch._dynamo.config.allow_rnn is False


def test_a_single_module(kind, compile, torch):
    """Is compiled itself."""
    _, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3)
    compiled, graphs = compile(ours, fullgraph=True)
    assert torch.equal(compiled(x)[0], ours(x)[0]) and len(graphs) == 1


def test_a_packed_sequence_breaks_the_graph(kind, compile, torch):
    """It runs on fastrnn; where there is to be one graph the error says why not."""
    _, ours = pair(kind(3, 5))
    packed = torch.nn.utils.rnn.pack_sequence([torch.randn(T, 3) for T in (4, 2)])

    def forward(packed):
        return torch.tanh(ours(packed)[0].data)

    compiled, graphs = compile(forward)
    with counted(kind) as calls:
        assert torch.equal(compiled(packed), forward(packed)) and not calls
    assert not any("fastrnn" in target for graph in graphs for target in graph)
    torch._dynamo.reset()
    with refused(torch) as error:
        compile(forward, fullgraph=True)[0](packed)
    if hasattr(torch.compiler, "is_exporting"):  # older versions give no reasons
        assert "a packed sequence" in str(error.value)


@pytest.mark.parametrize("what", ["autocast", "half", "projections"])
@pytest.mark.filterwarnings("ignore:fastrnn computes float32 and float64")
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_what_pytorch_computes_breaks_the_graph(what, compile, torch):
    """As it does at PyTorch's module, whose graph would be one of every step."""
    import fastrnn.torch

    ours = fastrnn.torch.LSTM(3, 5, proj_size=2 if what == "projections" else 0)
    x = torch.randn(4, 2, 3)
    if what == "half":
        ours.to(torch.bfloat16)
        x = x.bfloat16()

    def forward(x):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=what == "autocast"):
            return ours(torch.relu(x))[0]

    compiled, graphs = compile(forward)
    with counted(torch.nn.LSTM) as calls:
        assert torch.equal(compiled(x), forward(x)) and len(calls) == 2
    assert not any("lstm" in target or "fastrnn" in target for graph in graphs for target in graph)


def test_where_the_user_lets_dynamo_look(torch):
    """It traces PyTorch's own code where that has to run, as under autocast."""
    theirs, ours = pair(torch.nn.GRU(3, 5))
    x = torch.randn(4, 2, 3)

    def forward(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return ours(x)[0]

    with torch._dynamo.config.patch(allow_rnn=True):
        try:
            torch.compile(lambda x: theirs(x)[0], fullgraph=True, backend="aot_eager")(x)
            compiled = torch.compile(forward, fullgraph=True, backend="aot_eager")(x)
        except torch._dynamo.exc.Unsupported as error:
            pytest.skip(f"this PyTorch does not trace its own forward: {error.msg}")
        assert torch.allclose(compiled.float(), ours(x)[0], atol=0.05)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch uses it
def test_transforms_break_the_graph(kind, compile, torch):
    """torch.func.grad and derivatives in forward mode, which the operator does not have."""
    _, ours = pair(kind(3, 5, dtype=torch.float64))
    x = torch.randn(4, 2, 3, dtype=torch.float64)

    def grad(x):
        return torch.func.grad(lambda part: ours(part)[0].square().sum())(x)

    def jvp(x):
        return torch.func.jvp(lambda part: ours(part)[0].square().sum(), (x,), (torch.ones_like(x),))[1]

    for function in (grad, jvp):
        torch._dynamo.reset()
        assert torch.allclose(compile(function)[0](x), function(x))


def test_a_subclass_keeps_its_own_forward(compile, torch):
    """And is in the graph with it."""
    import fastrnn.torch

    class Twice(fastrnn.torch.GRU):
        def forward(self, x):
            return 2 * super().forward(x)[0]

    ours, x = Twice(3, 5), torch.randn(4, 2, 3)
    compiled, graphs = compile(ours, fullgraph=True)
    assert torch.equal(compiled(x), ours(x)) and len(graphs) == 1


def test_a_call_after_an_import(tmp_path, monkeypatch):
    """By which Dynamo is told of our modules without being loaded: it comes once, and what makes it is gone."""
    from fastrnn.torch._dynamo import AfterImport

    (tmp_path / "told_later.py").write_text("value = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    told = []
    sys.meta_path.insert(0, AfterImport("told_later", lambda: told.append(sys.modules["told_later"].value)))
    importlib.import_module("told_later")
    assert told == [3] and not any(isinstance(finder, AfterImport) for finder in sys.meta_path)
    monkeypatch.delitem(sys.modules, "told_later")
    importlib.import_module("told_later")
    assert told == [3]


@pytest.mark.parametrize("first", [pytest.param("torch._dynamo", marks=pytest.mark.slow), "fastrnn.torch"])
def test_either_may_be_loaded_first(first, torch):
    """In a new process: Dynamo itself is loaded by torch.compile, not by fastrnn."""
    code = f"""
        import sys, torch
        import {first}
        import fastrnn.torch
        assert ("torch._dynamo" in sys.modules) == ({first!r} == "torch._dynamo")
        gru = fastrnn.torch.GRU(3, 5)
        torch.compile(gru, fullgraph=True, backend="eager")(torch.zeros(4, 2, 3))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize("lacks", ["builder", "wrap_module", "allow_rnn"])
def test_a_dynamo_without_the_names_is_left_as_it_is(lacks):
    """A version that wraps modules in another way, or that looks into all of them."""
    from fastrnn.torch._dynamo import admit

    def wrap(self, value):
        return value

    owner = SimpleNamespace() if lacks == "wrap_module" else SimpleNamespace(wrap_module=wrap)
    before = dict(vars(owner))
    builder = None if lacks == "builder" else SimpleNamespace(VariableBuilder=owner)
    admit((), builder, SimpleNamespace() if lacks == "allow_rnn" else SimpleNamespace(allow_rnn=False))
    assert vars(owner) == before
