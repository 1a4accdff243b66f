# SPDX-License-Identifier: BSD-3-Clause
"""The engine's view of a module's weights is kept while they lie where they lay, and made anew when they do not."""

import copy

import pytest
from support.torch_modules import no_fallback, pair


@pytest.fixture
def ours(kind, torch, monkeypatch):
    _, module = pair(kind(3, 5, 2))
    no_fallback(monkeypatch)
    return module


def call(torch, module):
    with torch.no_grad():
        return module(torch.ones(4, 2, 3))[0]


def test_it_is_kept(ours, torch):
    """Between calls, and while weights are written in place."""
    call(torch, ours)
    first = ours._fastrnn
    with torch.no_grad():
        ours.weight_hh_l1.mul_(2)
    call(torch, ours)
    ours(torch.ones(4, 2, 3))[0].sum().backward()
    assert ours._fastrnn is first


def test_it_is_made_anew(ours, torch):
    """For other memory; a copy of a module has its own."""
    before = call(torch, ours)
    first = ours._fastrnn
    ours.weight_hh_l1.data = ours.weight_hh_l1.data.clone()
    assert torch.equal(call(torch, ours), before) and ours._fastrnn is not first
    other = copy.deepcopy(ours)
    call(torch, other)
    assert other._fastrnn is not ours._fastrnn


def test_weights_in_shared_memory(ours, torch):
    """Which move there: Module.share_memory replaces the memory behind the same parameters."""
    before = call(torch, ours)
    ours.share_memory()
    assert torch.equal(call(torch, ours), before)
    with torch.no_grad():
        ours.weight_hh_l0.zero_()
    assert not torch.equal(call(torch, ours), before)


def test_other_dtypes_and_back(ours, torch):
    single = call(torch, ours)
    double = ours.double()(torch.ones(4, 2, 3, dtype=torch.float64))[0]
    assert double.dtype is torch.float64 and torch.allclose(double.float(), single, atol=1e-6)
    assert torch.equal(call(torch, ours.float()), single)


def test_weights_that_are_views(ours, torch):
    """Parts of one array, and transposed ones, of which the engine reads copies of now."""
    before = call(torch, ours)
    flat = torch.cat([weight.detach().reshape(-1) for weight in ours.parameters()])
    first = 0
    for weight in ours.parameters():
        weight.data = flat[first : first + weight.numel()].view_as(weight)
        first += weight.numel()
    assert torch.equal(call(torch, ours), before)
    flat.mul_(2)
    after = call(torch, ours)
    assert not torch.equal(after, before)
    turned = ours.weight_hh_l0.data.t().contiguous()
    ours.weight_hh_l0.data = turned.t()
    assert torch.equal(call(torch, ours), after)
    turned.zero_()
    assert not torch.equal(call(torch, ours), after)


def test_why_there_is_none(kind, torch):
    """In words, for `accelerate` and the warning."""
    from fastrnn.torch._binding import refusal_of, weights_of

    def refusal(module):
        return refusal_of(module, weights_of(module))

    assert refusal(kind(3, 5)) == refusal(kind(3, 5).double()) == ""
    assert refusal(kind(3, 5).half()) == "weights of torch.float16"
    assert refusal(kind(3, 5).to("meta")) == "weights on the device meta"
    mixed = kind(3, 5)
    mixed.weight_hh_l0.data = mixed.weight_hh_l0.data.double()
    assert refusal(mixed) == "weights of several dtypes"
    assert refusal(torch.nn.LSTM(3, 5, proj_size=2)) == "proj_size"


def test_a_weight_of_another_shape_is_refused(ours, torch):
    """By name: PyTorch does not look, and may read beyond its end."""
    ours.weight_ih_l0.data = ours.weight_ih_l0.data[:, :2]
    for grad in (True, False):
        with pytest.raises(ValueError, match=r"weight_ih_l0: expected shape \(\d+, 3\), got \(\d+, 2\)"):
            with torch.set_grad_enabled(grad):
                ours(torch.ones(4, 2, 3))


def test_a_layout_that_is_changed_later(kind, torch):
    """`batch_first` is an attribute, which small calls must not keep as it was."""
    theirs, ours = pair(kind(3, 5))
    x = torch.randn(4, 4, 3)
    for batch_first in (False, True, False):
        theirs.batch_first = ours.batch_first = batch_first
        with torch.no_grad():
            assert torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6)


def test_other_options_are_seen(torch):
    """PyTorch's forward reads them at every call."""
    theirs, ours = pair(torch.nn.RNN(3, 5))
    x = torch.randn(4, 2, 3)
    ours(x)
    theirs.mode = ours.mode = "RNN_RELU"
    assert torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6)


def test_a_shape_that_is_changed_later(ours, torch):
    """In the memory that was there before."""
    call(torch, ours)
    ours.bias_hh_l0.data = ours.bias_hh_l0.data[:2]
    with pytest.raises(ValueError, match=r"bias_hh_l0: expected shape \(\d+,\), got \(2,\)"):
        call(torch, ours)


@pytest.mark.parametrize("way", ["deleted", "None"])
def test_a_weight_that_is_gone(kind, way, torch):
    """PyTorch keeps one that was deleted, and says that None is none."""
    outcomes = []
    for module in pair(kind(3, 5)):
        call(torch, module)
        if way == "None":
            module.weight_hh_l0 = None
        else:
            del module.weight_hh_l0
        try:
            outcomes.append(call(torch, module))
        except TypeError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1] if way == "None" else torch.equal(*outcomes)


def test_the_memory_of_weights_can_be_resized(ours, torch):
    """FSDP frees that of weights between calls, and allocates it again."""
    before, storage = call(torch, ours), ours.weight_hh_l0.untyped_storage()
    values, nbytes = ours.weight_hh_l0.detach().clone(), storage.nbytes()
    storage.resize_(0)
    storage.resize_(nbytes)
    ours.weight_hh_l0.data.copy_(values)
    assert torch.equal(call(torch, ours), before)
