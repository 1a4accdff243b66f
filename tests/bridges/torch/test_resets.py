# SPDX-License-Identifier: BSD-3-Clause
"""Steps that begin with a state of zero: as PyTorch's modules with the state set to zero between calls."""

import pytest
from support.torch_modules import counted, no_fallback, pair


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def as_state(arrays):
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


def begin(torch, kind, *shape):
    """An initial state."""
    return as_state([torch.randn(shape, dtype=torch.float64) for _ in range(2 if kind.__name__ == "LSTM" else 1)])


def step_by_step(torch, module, x, state, resets):
    """PyTorch's module, one call for each step of x (T, N, I), with zeros for the state of rows at their resets."""
    ys = []
    for one, fresh in zip(x, resets, strict=True):
        state = as_state([part * ~fresh[:, None] for part in parts(state)])
        y, state = module(one[None], state)
        ys.append(y)
    return torch.cat(ys), state


def part_by_part(torch, module, x, state, resets):
    """PyTorch's module in both directions: one call for each part of a row of x (T, N, I) between resets."""
    T, N, _ = x.shape
    ys, lasts = [], []
    for n in range(N):
        cuts = sorted({0, T, *torch.nonzero(resets[:, n])[:, 0].tolist()})
        outer = [part[:, n : n + 1] for part in parts(state)]
        rows, last = [], [torch.zeros_like(part) for part in outer]
        for start, stop in zip(cuts, cuts[1:], strict=False):
            own = [torch.zeros_like(part) for part in outer]
            enters, leaves = slice(0, None, 2), slice(1, None, 2)
            for part, whole in zip(own, outer, strict=True):
                if start == 0 and not resets[0, n]:
                    part[enters] = whole[enters]
                if stop == T:
                    part[leaves] = whole[leaves]
            y, final = module(x[start:stop, n : n + 1], as_state(own))
            rows.append(y)
            for k, part in enumerate(parts(final)):
                ends = torch.zeros(len(part), 1, 1, dtype=torch.bool)
                ends[enters], ends[leaves] = stop == T, start == 0 and not resets[0, n]
                last[k] = torch.where(ends, part, last[k])
        ys.append(torch.cat(rows))
        lasts.append(last)
    return torch.cat(ys, 1), as_state([torch.cat([last[k] for last in lasts], 1) for k in range(len(lasts[0]))])


def close(torch, actual, expected):
    pairs = zip(actual, expected, strict=True)
    return all(torch.allclose(a, b, rtol=1e-10, atol=1e-12) for a, b in pairs)


def values_and_gradients(torch, run, module, x, state, resets):
    """y, the final state, and the gradients of x, the initial state and the weights."""
    inputs = [x.clone().requires_grad_(), *(part.clone().requires_grad_() for part in parts(state))]
    y, last = run(module, inputs[0], as_state(inputs[1:]), resets)
    outputs = [y, *parts(last)]
    loss = sum((k + 1) * out.square().sum() for k, out in enumerate(outputs))
    return [*outputs, *torch.autograd.grad(loss, [*inputs, *module.parameters()])]


def ours_run(module, x, state, resets):
    return module(x, state, resets=resets)


@pytest.fixture(params=["some", "first steps", "none", "all"])
def resets(request, torch):
    """(T, N) = (6, 4)"""
    table = torch.zeros(6, 4, dtype=torch.bool)
    if request.param == "some":
        table[0, 1] = table[3, 1] = table[2, 2] = table[5, 2] = table[4, 3] = True
    elif request.param == "first steps":
        table[0, 1:3] = True
    elif request.param == "all":
        table[:] = True
    return table


@pytest.mark.parametrize("D", [1, 2])
def test_values_and_gradients(kind, D, resets, torch, monkeypatch):
    """Of two layers, with the state given; by the engine."""
    theirs, ours = pair(kind(3, 5, 2, bidirectional=D == 2, dtype=torch.float64))
    x, state = torch.randn(6, 4, 3, dtype=torch.float64), begin(torch, kind, 2 * D, 4, 5)
    run = step_by_step if D == 1 else part_by_part
    expected = values_and_gradients(torch, lambda *args: run(torch, *args), theirs, x, state, resets)
    no_fallback(monkeypatch)
    assert close(torch, values_and_gradients(torch, ours_run, ours, x, state, resets), expected)
    with torch.no_grad():
        y, last = ours(x, state, resets=resets)
    assert close(torch, [y, *parts(last)], expected[: 1 + len(parts(last))])


@pytest.mark.parametrize("D", [1, 2])
def test_pytorch_s_own_code_takes_them_too(kind, D, resets, torch):
    """Where it has to run, as under autocast: the parts of rows are rows of a packed sequence."""
    from fastrnn.torch._resets import by_packing

    _, ours = pair(kind(3, 5, 2, bidirectional=D == 2, dtype=torch.float64))
    x, state = torch.randn(6, 4, 3, dtype=torch.float64), begin(torch, kind, 2 * D, 4, 5)
    expected = values_and_gradients(torch, ours_run, ours, x, state, resets)
    with counted(kind) as calls:
        assert close(torch, values_and_gradients(torch, by_packing, ours, x, state, resets), expected)
        assert len(calls) == 1
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.device("meta"):  # of new tensors; those of the call lie on the CPU
                ours.float()(x.float(), None, resets=resets)
        assert len(calls) == 2


@pytest.mark.parametrize("way", ["ours", "theirs"])
def test_layouts(kind, way, torch):
    """Batch first and unbatched, without a state."""
    from fastrnn.torch._resets import by_packing

    run = ours_run if way == "ours" else by_packing
    _, ours = pair(kind(3, 5, dtype=torch.float64, bidirectional=True))
    _, first = pair(kind(3, 5, dtype=torch.float64, bidirectional=True, batch_first=True))
    first.load_state_dict(ours.state_dict())
    x, resets = torch.randn(6, 4, 3, dtype=torch.float64), torch.rand(6, 4) < 0.4
    y, last = run(ours, x, None, resets)
    y_first, last_first = run(first, x.transpose(0, 1), None, resets.t())
    assert close(torch, [y_first.transpose(0, 1), *parts(last_first)], [y, *parts(last)])
    y_one, last_one = run(ours, x[:, 2], None, resets[:, 2])
    assert close(torch, [y_one, *parts(last_one)], [y[:, 2], *(part[:, 2] for part in parts(last))])


def test_dropout_between_layers_and_a_retained_graph(kind, torch, monkeypatch):
    """The masks are those of a call without resets; a second backward pass has the bits of the first."""
    _, ours = pair(kind(3, 5, 2, dropout=0.5, dtype=torch.float64))
    x, resets = torch.randn(6, 4, 3, dtype=torch.float64), torch.rand(6, 4) < 0.4
    resets[0, 0] = False
    no_fallback(monkeypatch)
    results = []
    for table in (resets, torch.zeros_like(resets), resets):
        torch.manual_seed(1)
        results.append(ours(x, resets=table)[0])
    assert torch.equal(results[0], results[2]) and torch.equal(results[0][0, 0], results[1][0, 0])
    first, second = (torch.autograd.grad(results[0].sum(), list(ours.parameters()), retain_graph=True) for _ in "ab")
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_no_steps_and_wrong_states_have_the_errors_of_pytorch(kind, torch):
    theirs, ours = pair(kind(3, 5))
    state = begin(torch, kind, 1, 3, 5)
    state = as_state([part.float() for part in parts(state)])
    for x, start in ((torch.zeros(4, 2, 3), state), (torch.zeros(0, 2, 3), None)):
        errors = []
        for module, more in ((theirs, {}), (ours, {"resets": torch.ones(x.shape[:-1], dtype=torch.bool)})):
            with pytest.raises(RuntimeError) as error:
                module(x, start, **more)
            errors.append(str(error.value))
        assert errors[0] == errors[1]


def test_wrong_resets(kind, torch):
    _, ours = pair(kind(3, 5))
    x = torch.zeros(4, 2, 3)
    with pytest.raises(TypeError, match="resets: expected bools.*got torch.float32"):
        ours(x, resets=torch.zeros(4, 2))
    with pytest.raises(TypeError, match="resets: expected a tensor of bools, got list"):
        ours(x, resets=[[True]])
    with pytest.raises(ValueError, match=r"resets: expected \(4, 2\), the steps of the input, got \(2, 4\)"):
        ours(x, resets=torch.zeros(2, 4, dtype=torch.bool))
    packed = torch.nn.utils.rnn.pack_sequence([x[:, 0]])
    with pytest.raises(TypeError, match="resets: expected None with a packed sequence"):
        ours(packed, resets=torch.zeros(4, 1, dtype=torch.bool))
