# SPDX-License-Identifier: BSD-3-Clause
"""Modules of fastrnn.torch compute what PyTorch's compute: outputs, states and every gradient; and are its modules."""

import copy
import io
import pickle

import numpy as np
import pytest
from support.torch_cases import GATES, LENGTHS, LIVE, SMALL, Case, draw, run_torch
from support.torch_modules import no_fallback, our_module, pair
from support.torch_runs import compare

import fastrnn as fr


@pytest.mark.parametrize("case", LIVE, ids=lambda case: case.name)
def test_every_case_is_what_pytorch_computes(case, torch, monkeypatch):
    """Cells, layers, directions, biases, packed sequences, layouts, dtypes, with and without states."""
    given = draw(case)
    expected = run_torch(case, given)
    no_fallback(monkeypatch)
    actual = run_torch(case, given, case.dtype, our_module)
    assert {value.dtype for value in actual.values()} == {np.dtype(case.dtype)}
    compare(case, actual, expected)


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("lengths", [None, LENGTHS[SMALL]])
@pytest.mark.parametrize("big", [False, True])
def test_inference_has_the_bits_of_training_and_of_fastrnn(cell, lengths, big, torch, monkeypatch):
    """On small arrays, which take a shorter way, and on large ones."""
    no_fallback(monkeypatch)
    case = Case(cell, (300, 4, 30, 64) if big else SMALL, 2, True, dtype="float32", batch_first=True)
    module, given = our_module(case, "float32"), draw(case)
    names = {"lstm": fr.LSTM, "gru": fr.GRU}
    options = {} if cell in names else {"nonlinearity": cell.removeprefix("rnn_")}
    layer = names.get(cell, fr.RNN)(*case.size[2:], num_layers=2, bidirectional=True, batch_first=True, **options)
    layer.load_state_dict({name: value.numpy() for name, value in module.state_dict().items()})
    x = torch.tensor(given["x"])
    y, state = layer(given["x"], lengths=lengths)
    if lengths:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first=True, enforce_sorted=False)
    trained = module(x)
    with torch.no_grad():
        inferred = module(x)
    for result in (trained, inferred):
        out, last = result
        if lengths:
            out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=case.size[0])
        assert (out.detach().numpy() == y).all()
        last, expected = (last, state) if cell == "lstm" else ((last,), (state,))
        assert all((a.detach().numpy() == b).all() for a, b in zip(last, expected, strict=True))


@pytest.mark.parametrize("p", [0.4, 1.0])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_dropout_is_drawn_as_pytorch_draws_it(kind, p, training, grad, packed, torch, monkeypatch):
    """The same seed gives the same masks, also where no gradient is wanted; without training there are none."""
    both = [
        module.train(training) for module in pair(kind(3, 5, 3, dropout=p, bidirectional=True, dtype=torch.float64))
    ]
    x, results = torch.randn(6, 4, 3, dtype=torch.float64, requires_grad=grad), []
    if packed:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, [6, 4, 2, 1])
    for module in both:
        torch.manual_seed(1)
        with torch.set_grad_enabled(grad):
            y = module(x)[0]
        y = y.data if packed else y
        results.append([y.detach(), torch.rand(1)])
        if grad:
            results[-1] += torch.autograd.grad(y.square().sum(), list(module.parameters()))
        no_fallback(monkeypatch)
    assert all(torch.allclose(a, b, rtol=0, atol=1e-11) for a, b in zip(*results, strict=True))


# -- modules of PyTorch ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.5, 1.0])
def test_dropout_is_drawn_where_the_input_lies(kind, p, torch, monkeypatch):
    """Whatever device new tensors have by default."""
    theirs, ours = pair(kind(3, 5, 2, dropout=p))
    x, results = torch.randn(4, 2, 3), []
    for module in (theirs, ours):
        torch.manual_seed(3)
        with torch.device("meta"):
            results.append(module(x)[0])
        no_fallback(monkeypatch)
    assert torch.allclose(*results, atol=1e-6)


def test_they_are_modules_of_pytorch(kind, torch):
    """isinstance, repr, parameters and state_dict, strictly both ways."""
    import fastrnn.torch

    ours = getattr(fastrnn.torch, kind.__name__)(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    theirs = kind(3, 5, num_layers=2, bidirectional=True, batch_first=True)
    assert isinstance(ours, kind) and repr(ours) == repr(theirs)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 4, 3)
    assert torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6)


def test_parameters_that_are_loaded_are_seen(kind, torch, monkeypatch):
    """After a call, too, whose copies of the weights are stale then."""
    ours, other = (pair(kind(3, 5))[1] for _ in range(2))
    x = torch.randn(4, 2, 3)
    no_fallback(monkeypatch)
    before = ours(x)[0]
    ours.load_state_dict(other.state_dict())
    assert (ours(x)[0] == other(x)[0]).all() and not (ours(x)[0] == before).all()


def test_copies_and_pickles(kind, torch, monkeypatch):
    """They compute the same, do not share parameters, and hold nothing of the engine."""
    _, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3)
    no_fallback(monkeypatch)
    y, file = ours(x)[0], io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    made = [copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), torch.load(file, weights_only=False)]
    for module in made:
        assert type(module) is type(ours) and "_fastrnn" not in module.__dict__
        assert (module(x)[0] == y).all()
        with torch.no_grad():
            module.weight_hh_l0.zero_()
        assert (ours(x)[0] == y).all() and not (module(x)[0] == y).all()


def test_hooks_run_and_an_optimizer_learns(kind, torch, monkeypatch):
    _, ours = pair(kind(3, 5, dtype=torch.float64))
    x, target = torch.randn(4, 2, 3, dtype=torch.float64), torch.zeros(4, 2, 5, dtype=torch.float64)
    no_fallback(monkeypatch)
    seen, adam, losses = [], torch.optim.Adam(ours.parameters(), lr=0.05), []
    ours.register_forward_hook(lambda module, args, result: seen.append(result[0].shape))
    ours.weight_hh_l0.register_hook(lambda gradient: seen.append(gradient.shape))
    for _ in range(30):
        loss = (ours(x)[0] - target).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert seen[:2] == [(4, 2, 5), ours.weight_hh_l0.shape] and len(seen) == 60


def test_weights_that_are_replaced_are_seen(kind, torch, monkeypatch):
    """By data, in place without autograd, through NumPy, by a parameter, by torch.func.functional_call."""
    theirs, ours = pair(kind(3, 5))
    x = torch.randn(4, 2, 3)
    new = torch.randn_like(theirs.weight_hh_l0)
    state = theirs.state_dict()
    expected = torch.func.functional_call(theirs, state | {"weight_hh_l0": new}, (x,))[0]
    no_fallback(monkeypatch)

    def write(module, way):
        weight = module.weight_hh_l0
        if way == "data":
            weight.data = new.clone()
        elif way == "in place":
            weight.data.copy_(new)
        elif way == "NumPy":
            weight.detach().numpy()[...] = new.numpy()
        elif way == "parameter":
            module.weight_hh_l0 = torch.nn.Parameter(new.clone())
        elif way == "transposed":
            weight.data = new.t().contiguous().t()

    for way in ("data", "in place", "NumPy", "parameter", "transposed"):
        module = copy.deepcopy(ours)
        for grad in (True, False):
            with torch.set_grad_enabled(grad):
                module(x)
        write(module, way)
        for grad in (True, False):
            with torch.set_grad_enabled(grad):
                assert torch.allclose(module(x)[0], expected, atol=1e-5), way
    assert torch.allclose(torch.func.functional_call(ours, state | {"weight_hh_l0": new}, (x,))[0], expected, atol=1e-5)


def test_a_square_weight_that_is_transposed_in_place_is_seen(torch, monkeypatch):
    """Its memory begins where it began."""
    theirs, ours = pair(torch.nn.RNN(5, 5))
    x = torch.randn(4, 2, 5)
    ours(x)
    for module in (theirs, ours):
        module.weight_hh_l0.data = module.weight_hh_l0.data.t()
    expected = theirs(x)[0]
    no_fallback(monkeypatch)
    assert torch.allclose(ours(x)[0], expected, atol=1e-6)


def test_parametrizations(kind, torch, monkeypatch):
    """Weights that are computed anew at every call, with gradients of what they are computed from."""
    from torch.nn.utils.parametrizations import weight_norm

    theirs, ours = pair(kind(3, 5, dtype=torch.float64))
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    results = []
    for module in (theirs, ours):
        if module is ours:
            no_fallback(monkeypatch)
        weight_norm(module, "weight_hh_l0")
        parts = module.parametrizations.weight_hh_l0
        for scale in (1.0, 2.0):
            with torch.no_grad():
                parts.original0.mul_(scale)
            y = module(x)[0]
            y.square().sum().backward()
            results.append([y, parts.original0.grad.clone(), parts.original1.grad.clone()])
    for expected, actual in zip(results[:2], results[2:], strict=True):
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(actual, expected, strict=True))


def test_threads_are_those_of_fastrnn(torch):
    """And every number of them gives the same bits."""
    case = Case("lstm", (40, 64, 64, 128), dtype="float32")
    module, x = our_module(case, "float32"), torch.tensor(draw(Case("lstm", case.size, dtype="float32"))["x"])
    with fr.threads(1):
        one = module(x)[0]
    with fr.threads(2):
        assert (module(x)[0] == one).all()
