# SPDX-License-Identifier: BSD-3-Clause
"""accelerate makes the recurrent modules of a model ours, in place, and says which and why not; restore undoes it."""

import copy

import pytest
from support.torch_modules import no_fallback


@pytest.fixture
def model(torch):
    """One of everything."""
    nn = torch.nn

    class Own(nn.LSTM):
        pass

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.gru, self.rnn = nn.LSTM(3, 4), nn.GRU(4, 4, bidirectional=True), nn.RNN(8, 4)
            self.inner = nn.ModuleList([nn.Linear(4, 4), nn.GRU(4, 4)])
            self.again = self.inner[1]
            self.own, self.projected, self.half = Own(3, 4), nn.LSTM(3, 4, proj_size=2), nn.GRU(3, 4).half()
            self.cell, self.attention = nn.GRUCell(3, 4), nn.MultiheadAttention(4, 2)

        def forward(self, x):
            y = self.rnn(self.gru(self.lstm(x)[0])[0])[0]
            return self.again(self.inner[0](y))[0]

    return Model()


SWAPPED = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "inner.1": "GRU"}
LEFT = {
    "own": ("Own", "a subclass"),
    "projected": ("LSTM", "proj_size"),
    "half": ("GRU", "weights of torch.float16"),
    "cell": ("GRUCell", "a single step"),
}


def test_what_is_swapped_and_what_is_not(model, torch):
    """Every recurrent module has a row, once; nothing else has."""
    import fastrnn.torch

    before = dict(model.named_parameters())
    types = {name: type(module) for name, module in model.named_modules()}
    table = fastrnn.torch.accelerate(model)
    expected = {(name, kind, True, "") for name, kind in SWAPPED.items()}
    expected |= {(name, kind, False, reason) for name, (kind, reason) in LEFT.items()}
    assert set(table) == expected and len(table) == len(expected)
    for name, module in model.named_modules():
        ours = getattr(fastrnn.torch, SWAPPED[name]) if name in SWAPPED else types[name]
        assert type(module) is ours
    after = dict(model.named_parameters())
    assert after.keys() == before.keys() and all(after[name] is before[name] for name in before)
    lines = str(table).splitlines()
    assert lines[0].split() == ["module", "class"] and len(lines) == 1 + len(table)
    assert "projected  LSTM     left: proj_size" in lines and "lstm       LSTM     swapped" in lines


def test_an_accelerated_model_trains_as_before(model, torch, monkeypatch):
    """Its optimizer and hooks go on; the losses are those of PyTorch's modules."""
    import fastrnn.torch

    twin, x, losses = copy.deepcopy(model), torch.randn(5, 2, 3), []
    fast = copy.deepcopy(model)
    for net in (twin, fast):
        adam, seen = torch.optim.Adam([p for p in net.parameters() if p.dtype is torch.float32], lr=0.01), []
        net.gru.register_forward_hook(lambda module, args, result, seen=seen: seen.append(1))
        for step in range(6):
            if step == 2 and net is fast:
                fastrnn.torch.accelerate(net)
                no_fallback(monkeypatch)
            loss = net(x).square().mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
        assert len(seen) == 6
    assert losses[:6] == pytest.approx(losses[6:], rel=1e-4) and losses[5] < losses[0]


def test_restore_undoes_it(model, torch):
    """Types, and what was kept with the modules."""
    import fastrnn.torch

    types = {name: type(module) for name, module in model.named_modules()}
    keys = {name: set(module.__dict__) for name, module in model.named_modules()}
    x = torch.randn(5, 2, 3)
    y = model(x)
    fastrnn.torch.accelerate(model)
    assert torch.allclose(model(x), y, atol=1e-6)
    table = fastrnn.torch.restore(model)
    assert {row.name for row in table if row.swapped} == set(SWAPPED)
    assert {row.reason for row in table if not row.swapped} == {"it is not fastrnn's"}
    assert {name: type(module) for name, module in model.named_modules()} == types
    assert {name: set(module.__dict__) for name, module in model.named_modules()} == keys
    assert torch.equal(model(x), y)


def test_twice(model):
    """The second time there is nothing left to do."""
    import fastrnn.torch

    fastrnn.torch.accelerate(model)
    assert {row.reason for row in fastrnn.torch.accelerate(model) if row.name in SWAPPED} == {"it is fastrnn's"}


def test_a_module_by_itself_and_a_model_without_any(torch):
    import fastrnn.torch

    gru = torch.nn.GRU(3, 4)
    assert "(the model)  GRU    swapped" in str(fastrnn.torch.accelerate(gru))
    assert type(gru) is fastrnn.torch.GRU
    assert str(fastrnn.torch.accelerate(torch.nn.Linear(3, 4))) == "no recurrent modules"


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_scripted_module_is_left(torch):
    import fastrnn.torch

    model = torch.jit.script(torch.nn.Sequential(torch.nn.GRU(3, 4)))
    ((name, _, swapped, reason),) = fastrnn.torch.accelerate(model)
    assert (name, swapped, reason) == ("0", False, "compiled by torch.jit")


@pytest.mark.parametrize("function", ["accelerate", "restore"])
def test_only_models(function, torch):
    import fastrnn.torch

    with pytest.raises(TypeError, match=r"model: expected a torch.nn.Module, got list"):
        getattr(fastrnn.torch, function)([])


def test_classes_that_are_left_are_named(torch):
    """A subclass of ours, and the class that a parametrization gives a module, are not said to be PyTorch's."""
    import fastrnn.torch

    class Own(fastrnn.torch.GRU):
        pass

    ours = fastrnn.torch.LSTM(3, 4)
    torch.nn.utils.parametrizations.weight_norm(ours, "weight_hh_l0")
    for change in (fastrnn.torch.accelerate, fastrnn.torch.restore):
        assert change(Own(3, 4))[0].reason == "a subclass"
        assert change(ours)[0].reason == "its class is that of a parametrization"
    torch.nn.utils.parametrize.remove_parametrizations(ours, "weight_hh_l0")
    assert fastrnn.torch.restore(ours)[0].swapped and type(ours) is torch.nn.LSTM


def test_a_module_with_a_forward_of_its_own_is_left(kind, torch):
    """Some packages put one on the object, which then runs in place of that of any class."""
    import fastrnn.torch

    module = kind(3, 4)
    forward = module.forward
    module.forward = lambda *args: forward(*args)
    assert fastrnn.torch.accelerate(module)[0].reason == "a forward of its own"
