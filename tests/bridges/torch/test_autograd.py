# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of fastrnn.torch are PyTorch's in all that autograd does with a function."""

import threading

import pytest
from support.torch_modules import no_fallback, pair


@pytest.fixture(params=["small", "any"])
def way(request, torch, monkeypatch):
    """The way of small steps, and that of all others."""
    from fastrnn.torch import _small

    if request.param == "any":
        monkeypatch.setattr(_small, "forward", lambda *args: None)


@pytest.fixture
def case(kind, way, torch):
    """PyTorch's module, ours, x (T, N, I) and a state; all float64 and with gradients."""
    theirs, ours = pair(kind(3, 5, 2, bidirectional=True, dtype=torch.float64))
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    state = [torch.randn(4, 2, 5, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    return theirs, ours, x, tuple(state) if kind.__name__ == "LSTM" else state[0]


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def outputs(module, x, state):
    """y, and the arrays of the final state."""
    y, last = module(x, state)
    return y, *parts(last)


def close(torch, actual, expected):
    return all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in zip(actual, expected, strict=True))


def test_gradients_are_central_differences(case, torch, monkeypatch):
    """PyTorch's own check, of x, the state and all weights."""
    _, ours, x, state = case
    no_fallback(monkeypatch)
    names = [name for name, _ in ours.named_parameters()]
    many = len(parts(state))

    def function(x, *values):
        start = values[:many] if many > 1 else values[0]
        y, last = torch.func.functional_call(ours, dict(zip(names, values[many:], strict=True)), (x, start))
        return y, *parts(last)

    assert torch.autograd.gradcheck(function, (x, *parts(state), *ours.parameters()), fast_mode=True)


def test_gradients_that_nobody_wants_are_not_computed(case, torch, monkeypatch):
    """Of frozen weights, of x and of states: neither returned nor asked of the engine."""
    from fastrnn._engine import layers
    from fastrnn.torch import _small

    theirs, ours, x, state = case
    monkeypatch.setattr(_small, "CHEAP", 0)
    asked, backward = [], layers.backward
    monkeypatch.setattr(layers, "backward", lambda kept, up, down: asked.append(down) or backward(kept, up, down))
    for module in (theirs, ours):
        module.weight_hh_l0.requires_grad_(False)
        module.bias_ih_l1_reverse.requires_grad_(False)
        y, *_ = outputs(module, x.detach(), state if isinstance(state, tuple) else state.detach())
        y.sum().backward()
    (down,) = asked
    assert down.dx is None
    assert (down.dinitial[0][0] is None) == (not isinstance(state, tuple))
    assert [four[1] is None for four in down.grads] == [True, False, False, False]
    assert [four[2] is None for four in down.grads] == [False, False, False, True]
    for ours_, theirs_ in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert (ours_.grad is None) == (theirs_.grad is None) == (not theirs_.requires_grad)
        assert ours_.grad is None or torch.allclose(ours_.grad, theirs_.grad, atol=1e-12)


def test_only_one_output_has_a_gradient(case, torch, monkeypatch):
    """y, h or c alone; what does not depend on it gets zero."""
    theirs, ours, x, state = case
    inputs = [x, *parts(state)]
    expected = []
    for k in range(1 + len(parts(state))):
        out = outputs(theirs, x, state)[k]
        expected.append(torch.autograd.grad(out.square().sum(), [*inputs, *theirs.parameters()]))
    no_fallback(monkeypatch)
    for k, those in enumerate(expected):
        out = outputs(ours, x, state)[k]
        assert close(torch, torch.autograd.grad(out.square().sum(), [*inputs, *ours.parameters()]), those)


def test_a_retained_graph_serves_again(case, torch, monkeypatch):
    """The tape is used up by the first backward pass; the others have the same bits. A freed graph is refused."""
    _, ours, x, state = case
    no_fallback(monkeypatch)
    loss = sum(out.square().sum() for out in outputs(ours, x, state))
    wanted = [x, *parts(state), *ours.parameters()]
    first, second = (torch.autograd.grad(loss, wanted, retain_graph=True) for _ in range(2))
    third = torch.autograd.grad(loss, wanted)
    assert all((a == b).all() and (a == c).all() for a, b, c in zip(first, second, third, strict=True))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, wanted)


def test_a_retained_graph_of_dropout_has_its_masks(kind, torch, monkeypatch):
    _, ours = pair(kind(3, 5, 2, dropout=0.5, dtype=torch.float64))
    no_fallback(monkeypatch)
    loss = ours(torch.randn(4, 2, 3, dtype=torch.float64))[0].square().sum()
    first, second = (torch.autograd.grad(loss, list(ours.parameters()), retain_graph=True) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_a_retained_graph_of_a_packed_sequence(kind, torch, monkeypatch):
    _, ours = pair(kind(3, 5, 2, dtype=torch.float64))
    no_fallback(monkeypatch)
    x = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [2, 4, 1], enforce_sorted=False)
    loss = ours(packed)[0].data.square().sum()
    first, second = (torch.autograd.grad(loss, [x, *ours.parameters()], retain_graph=True) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_the_gradient_of_a_gradient_is_refused(case, torch, monkeypatch):
    """By name, when it is asked for; create_graph alone is not an error."""
    _, ours, x, state = case
    no_fallback(monkeypatch)
    y, *_ = outputs(ours, x, state)
    plain = torch.autograd.grad(y.square().sum(), [x], retain_graph=True)
    (dx,) = torch.autograd.grad(y.square().sum(), [x], create_graph=True)
    assert (dx == plain[0]).all()
    with pytest.raises(RuntimeError, match=r"first derivatives only.*fastrnn.torch.restore"):
        dx.sum().backward()


def test_what_is_written_in_between_is_noticed(case, torch, monkeypatch):
    """x and the state: an error, as of PyTorch's own modules."""
    _, ours, x, state = case
    no_fallback(monkeypatch)
    for which in range(1 + len(parts(state))):
        leaves = [x, *parts(state)]
        copies = [leaf.clone() for leaf in leaves]
        y, *_ = outputs(ours, copies[0], tuple(copies[1:]) if isinstance(state, tuple) else copies[1])
        with torch.no_grad():
            copies[which].add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_arguments_whose_memory_is_resized_are_read_where_they_are(case, torch, monkeypatch):
    """Between the passes, and where others have been allocated since. `data` does not count as a write."""
    _, ours, x, state = case
    given = [each.detach() for each in (x, *parts(state))]
    again = given[1] if len(given) == 2 else tuple(given[1:])
    gradients = []
    for resized in False, True:
        loss = outputs(ours, given[0], again)[0].square().sum()
        others = []
        for each in given if resized else ():
            values, storage = each.clone(), each.untyped_storage()
            nbytes = storage.nbytes()
            storage.resize_(0)
            others.append(torch.full((nbytes // 8,), 1e9, dtype=torch.float64))
            storage.resize_(nbytes)
            each.data.copy_(values)
        gradients.append(torch.autograd.grad(loss, ours.parameters()))
    assert all(map(torch.equal, *gradients))


def test_an_output_may_be_written(case, torch, monkeypatch):
    """Its gradients are then those of the values that it had."""
    theirs, ours, x, state = case
    wanted = [x, *theirs.parameters()]
    expected = torch.autograd.grad(outputs(theirs, x, state)[0].clone().relu_().square().sum(), wanted)
    no_fallback(monkeypatch)
    y = outputs(ours, x, state)[0].relu_()
    assert close(torch, torch.autograd.grad(y.square().sum(), [x, *ours.parameters()]), expected)


def test_the_gradients_are_those_of_the_weights_that_ran(case, torch, monkeypatch):
    """Also where weights have changed before the backward pass, and in a second one."""
    _, ours, x, state = case
    no_fallback(monkeypatch)
    wanted = [x, *ours.parameters()]
    expected = torch.autograd.grad(outputs(ours, x, state)[0].square().sum(), wanted)
    y = outputs(ours, x, state)[0]
    with torch.no_grad():
        for weight in ours.parameters():
            weight.add_(1)
    outputs(ours, x, state)
    for _ in range(2):
        assert close(torch, torch.autograd.grad(y.square().sum(), wanted, retain_graph=True), expected)


@pytest.mark.filterwarnings("ignore:.*autocast:FutureWarning")  # of itself, in older versions of PyTorch
@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints(case, reentrant, torch, monkeypatch):
    """torch.utils.checkpoint runs the forward pass again, with the same dropout."""
    from torch.utils.checkpoint import checkpoint

    _, ours, x, state = case
    no_fallback(monkeypatch)
    ours.dropout = 0.5
    results = []
    for run in (lambda *args: ours(*args)[0], lambda *args: checkpoint(ours, *args, use_reentrant=reentrant)[0]):
        torch.manual_seed(3)
        ours.zero_grad()
        run(x, state).square().sum().backward()
        results.append([weight.grad.clone() for weight in ours.parameters()])
    assert all((a == b).all() for a, b in zip(*results, strict=True))


def test_gradients_in_several_threads(case, torch, monkeypatch):
    """Each has its own results, of a module that they share."""
    _, ours, x, state = case
    no_fallback(monkeypatch)
    expected = torch.autograd.grad(outputs(ours, x, state)[0].square().sum(), list(ours.parameters()))
    wrong = []

    def work():
        for _ in range(20):
            found = torch.autograd.grad(outputs(ours, x, state)[0].square().sum(), list(ours.parameters()))
            if not all((a == b).all() for a, b in zip(found, expected, strict=True)):
                wrong.append(found)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_tape_is_freed_by_the_backward_pass(case, torch, monkeypatch):
    """Though the loss lives on; and all else if the graph is not retained."""
    _, ours, x, state = case
    no_fallback(monkeypatch)
    y, *_ = outputs(ours, x, state)
    node = y.grad_fn
    assert len(node.memory.tape) == 1
    loss = y.sum()
    loss.backward(retain_graph=True)
    assert not node.memory.tape
    loss.backward()
    if not hasattr(torch._C._autograd, "_get_current_graph_task_keep_graph"):
        pytest.skip("the tape is freed; this PyTorch does not say whether all else is still needed")
    assert node.memory is None
