# SPDX-License-Identifier: BSD-3-Clause
"""Tensors and packed sequences are read where they lie, in any layout, and results are tensors of their own."""

import numpy as np
import pytest
from support.torch_modules import no_fallback, pair


@pytest.fixture
def modules(kind, torch):
    return pair(kind(3, 5, 2, bidirectional=True, dtype=torch.float64))


def everything(result):
    """The arrays of y and of the final state."""
    y, last = result
    return [y.data, *(last if isinstance(last, tuple) else (last,))]


def close(torch, actual, expected):
    return all(torch.allclose(a, b, atol=1e-12) for a, b in zip(everything(actual), everything(expected), strict=True))


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("ordered", [True, False])
def test_packed_sequences(modules, grad, ordered, torch, monkeypatch):
    """Sorted ones without indices and others with; states are in the caller's order."""
    theirs, ours = modules
    x = torch.randn(4, 3, 3, dtype=torch.float64)
    lengths = [4, 2, 1] if ordered else [2, 4, 1]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=ordered)
    h = torch.randn(4, 3, 5, dtype=torch.float64)
    state = (h, h + 1) if isinstance(ours, torch.nn.LSTM) else h
    expected = [theirs(packed), theirs(packed, state)]
    no_fallback(monkeypatch)
    with torch.set_grad_enabled(grad):
        actual = [ours(packed), ours(packed, state)]
    for mine, other in zip(actual, expected, strict=True):
        assert close(torch, mine, other) and mine[0].data.requires_grad == grad
        assert mine[0].batch_sizes is packed.batch_sizes and mine[0].sorted_indices is packed.sorted_indices


@pytest.mark.parametrize("grad", [True, False])
def test_views_of_every_kind(modules, grad, torch, monkeypatch):
    """Transposed, every other step, broadcast, reversed, shifted by one element, negated by a flag."""
    theirs, ours = modules
    x = torch.randn(8, 4, 6, dtype=torch.float64)
    views = [
        x[:, :, :3].transpose(0, 1),
        x[::2, :, 3:],
        x[:1, :1, :3].expand(5, 4, 3),
        x.flip(0)[:, :, ::2],
        x.reshape(-1)[1:97].reshape(8, 4, 3),
        torch.complex(x, x).conj().imag[:, :, :3],
    ]
    assert views[-1].is_neg()
    h = torch.randn(5, 4, 4, dtype=torch.float64).permute(1, 2, 0)
    for view in views:
        start = h[:, :1].expand(4, view.shape[1], 5)
        state = (start, start) if isinstance(ours, torch.nn.LSTM) else start
        expected = theirs(view, state)
        with monkeypatch.context() as patch, torch.set_grad_enabled(grad):
            no_fallback(patch)
            assert close(torch, ours(view, state), expected)


def test_gradients_of_every_kind(modules, torch, monkeypatch):
    """What comes from above may be a view as well."""
    theirs, ours = modules
    x = torch.randn(8, 4, 3, dtype=torch.float64, requires_grad=True)
    heads = [lambda y: y.sum(), lambda y: y.transpose(0, 1)[::2].square().sum(), lambda y: y.flip(0)[0].sum()]
    expected = [torch.autograd.grad(head(theirs(x)[0]), x) for head in heads]
    no_fallback(monkeypatch)
    for head, (dx,) in zip(heads, expected, strict=True):
        assert torch.allclose(torch.autograd.grad(head(ours(x)[0]), x)[0], dx, atol=1e-12)


@pytest.mark.parametrize("batch_first", [True, False])
def test_small_and_large_calls_have_the_layout_of_x(kind, batch_first, torch, monkeypatch):
    """(N, T, D*H) with batch_first, and C-ordered, however large; unbatched without N."""
    theirs, ours = pair(kind(3, 40, batch_first=batch_first))
    shapes = [(6, 4, 3), (600, 4, 3), (6, 3)]
    with torch.no_grad():
        expected = [theirs(torch.ones(shape)) for shape in shapes]
        no_fallback(monkeypatch)
        actual = [ours(torch.ones(shape)) for shape in shapes]
    for shape, mine, other in zip(shapes, actual, expected, strict=True):
        assert mine[0].shape == (*shape[:-1], 40) and mine[0].is_contiguous()
        assert [a.shape for a in everything(mine)] == [a.shape for a in everything(other)]
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(everything(mine), everything(other), strict=True))


def test_results_are_not_written_by_later_calls(modules, torch, monkeypatch):
    _, ours = modules
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    no_fallback(monkeypatch)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            before = everything(ours(x))
            copies = [array.clone() for array in before]
            ours(x + 1)
        assert all(torch.equal(a, b) for a, b in zip(before, copies, strict=True))


def test_inputs_are_not_written(modules, torch, monkeypatch):
    """They may be arrays that NumPy protects."""
    _, ours = modules
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    h = torch.randn(4, 2, 5, dtype=torch.float64, requires_grad=True)
    before = [x.detach().clone(), h.detach().clone()]
    no_fallback(monkeypatch)
    y, _ = ours(x, (h, h) if isinstance(ours, torch.nn.LSTM) else h)
    y.sum().backward()
    assert torch.equal(x, before[0]) and torch.equal(h, before[1])


def test_a_learned_initial_state(kind, torch, monkeypatch):
    """A parameter in place of a tensor."""
    theirs, ours = pair(kind(3, 5, dtype=torch.float64))
    h = torch.nn.Parameter(torch.randn(1, 2, 5, dtype=torch.float64))
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    state = (h, h) if kind.__name__ == "LSTM" else h
    expected = torch.autograd.grad(theirs(x, state)[0].sum(), h)[0]
    no_fallback(monkeypatch)
    assert torch.allclose(torch.autograd.grad(ours(x, state)[0].sum(), h)[0], expected, atol=1e-12)
    with torch.no_grad():
        assert np.isfinite(ours(x, state)[0].numpy()).all()


def test_in_inference_mode(modules, torch, monkeypatch):
    """Results are tensors of that mode, which are read again, too."""
    _, ours = modules
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    expected = ours(x)
    no_fallback(monkeypatch)
    with torch.inference_mode():
        y, state = ours(x)
        assert y.is_inference() and close(torch, (y, state), expected)
        ours(x, state)
        ours.dropout = 0.5
        assert not torch.equal(ours(x, state)[0], y)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("resets", [True, False])
def test_tensors_that_a_caller_has_can_be_resized(kind, grad, resets, torch, monkeypatch):
    """After the call, as where they are the `out` of another operation; packed ones, too."""
    _, ours = pair(kind(3, 5))
    x, h, which = torch.randn(4, 2, 3), torch.randn(1, 2, 5), torch.eye(4, 2, dtype=torch.bool)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, [4, 2])
    no_fallback(monkeypatch)
    hx = (h, h) if kind.__name__ == "LSTM" else h
    with torch.set_grad_enabled(grad):
        ours(packed, hx)
        y, _ = ours(x, hx, resets=which if resets else None)
        if grad:
            dy = torch.ones_like(y)
            y.backward(dy)
            dy.resize_(100)
    for tensor in (x, h, which, packed.data):
        assert tensor.resize_(100).shape == (100,)


@pytest.mark.parametrize("grad", [True, False])
def test_a_sparse_state_is_left_to_pytorch(grad, torch):
    """Whose RNN adds it to a dense one."""
    theirs, ours = pair(torch.nn.RNN(3, 5))
    x, h = torch.randn(4, 2, 3), torch.eye(5)[None, :2].to_sparse()
    with torch.set_grad_enabled(grad):
        assert torch.equal(ours(x, h)[0], theirs(x, h)[0])


@pytest.mark.parametrize("sizes", [[2, 3], [2, 2]])
def test_a_packed_sequence_that_is_none(kind, sizes, torch):
    """The error names the argument of the module."""
    _, ours = pair(kind(3, 5))
    packed = torch.nn.utils.rnn.PackedSequence(torch.zeros(5, 3), torch.tensor(sizes))
    for grad in (True, False):
        with torch.set_grad_enabled(grad), pytest.raises(ValueError, match=r"^input\.(batch_sizes|data): expected"):
            ours(packed)
