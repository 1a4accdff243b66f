# SPDX-License-Identifier: BSD-3-Clause
"""Convolutions against PyTorch and against sums in plain Python; options that do not fit."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits
from support.parameter_writes import WRITES
from support.tolerance import assert_close

import fastrnn as fr

OPTIONS = [
    {"kernel_size": 1},
    {"kernel_size": 3},
    {"kernel_size": 4, "stride": 3, "padding": 2},
    {"kernel_size": 3, "dilation": 2, "padding": 4},
    {"kernel_size": 2, "groups": 3, "stride": 2},
    {"kernel_size": 5, "dilation": 3, "groups": 6, "padding": 6, "bias": False},
]


def by_hand(layer, x):
    """y (T', N, O) of x (T, N, I), from the equation."""
    w, b = layer.params["weight"], layer.params["bias"] if layer.bias else 0
    O, I, k = w.shape
    padded = np.pad(x, ((layer.padding, layer.padding), (0, 0), (0, 0)))
    steps = (len(padded) - layer.span) // layer.stride + 1
    y = np.zeros((max(steps, 0), x.shape[1], O)) + b
    for t in range(len(y)):
        for j in range(k):
            row = padded[t * layer.stride + j * layer.dilation]
            for o in range(O):
                group = o // (O // layer.groups)
                y[t, :, o] += row[:, group * I : (group + 1) * I] @ w[o, :, j]
    return y


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("steps", [0, 1, 5, 19])
def test_the_equation(isa, rng, options, steps):
    layer = fr.Conv1d(6, 12, **options, dtype=np.float64, seed=0)
    x = rng.standard_normal((steps, 4, 6))
    y, expected = layer(x), by_hand(layer, x)
    if steps == 0:
        assert y.shape == (0, 4, 12)
        return
    assert y.shape == expected.shape
    assert_close(y, expected, np.float64, terms=6 * layer.kernel_size, steps=1) if y.size else None


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_batch_without_rows(options):
    """Is as empty as its result, and its gradient."""
    layer = fr.Conv1d(6, 12, **options, seed=0)
    x = np.zeros((19, 0, 6), np.float32)
    y, tape = layer.forward(x)
    assert layer(x).shape == y.shape == (layer.steps_after(19), 0, 12)
    assert layer.backward(tape, y).shape == x.shape


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_values_and_gradients_of_pytorch(rng, options):
    torch = pytest.importorskip("torch")
    layer, theirs = fr.Conv1d(6, 12, **options, seed=0), torch.nn.Conv1d(6, 12, **options)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in layer.state_dict().items()})
    x = rng.standard_normal((19, 4, 6)).astype(np.float32)
    y, tape = layer.forward(x)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dx = layer.backward(tape, dy)
    t = torch.from_numpy(x.transpose(1, 2, 0).copy()).requires_grad_()  # (N, I, T)
    out = theirs(t)
    out.backward(torch.from_numpy(dy.transpose(1, 2, 0).copy()))
    grads = {name: parameter.grad.numpy() for name, parameter in theirs.named_parameters()}
    sizes = {"terms": 19 * 4 * layer.kernel_size, "steps": 1}
    assert_close(y, out.detach().numpy().transpose(2, 0, 1), np.float32, **sizes)
    assert_close(dx, t.grad.numpy().transpose(2, 0, 1), np.float32, backward=True, **sizes)
    for name, grad in layer.grads.items():
        assert_close(grad, grads[name], np.float32, backward=True, **sizes, what=name)


@pytest.mark.parametrize(
    ("arguments", "name", "words"),
    [
        ((6, 12, 0), "kernel_size", "at least 1"),
        ((0, 12, 1), "in_channels", "at least 1"),
        ((6, 12, 3, {"groups": 4}), "groups", "divisor of in_channels=6"),
        ((6, 4, 3, {"groups": 3}), "groups", "divisor of out_channels=4"),
        ((6, 12, 3, {"stride": 0}), "stride", "at least 1"),
        ((6, 12, 3, {"padding": -1}), "padding", "at least 0"),
        ((6, 12, 3, {"dilation": 0}), "dilation", "at least 1"),
    ],
)
def test_bad_options(arguments, name, words):
    *sizes, options = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with argument_refused(ValueError, name, words):
        fr.Conv1d(*sizes, **options)


@pytest.mark.parametrize("kind", [fr.Conv1d, fr.CausalConv1d])
@pytest.mark.parametrize("groups", [1, 3])
def test_few_steps_have_the_bits_of_many_and_of_training(isa, rng, kind, groups):
    """Though a call of few takes a shorter way; and x is never written, nor kept by a call."""
    layer = kind(6, 9, 3, groups=groups, seed=0)
    many = rng.standard_normal((6000, 3, 6)).astype(np.float32)  # more elements than the shorter way takes
    many.flags.writeable = False
    first = lambda result: result[0] if isinstance(result, tuple) else result  # noqa: E731
    y, few = first(layer(many)), first(layer(many[:10]))
    assert_same_bits(few, y[: len(few)])
    assert_same_bits(first(layer.forward(many[:10])), few)
    assert_same_bits(first(layer(many[:10, 1])), few[:, 1])


def test_changed_parameters_are_used(rng):
    layer, x = fr.Conv1d(3, 4, 2, seed=0), rng.standard_normal((5, 2, 3)).astype(np.float32)
    before = layer(x)
    layer.params["bias"][...] += 1
    assert_close(layer(x), before + 1, np.float32, terms=6, steps=1)
    layer.params["weight"].fill(0)
    np.testing.assert_array_equal(layer(x), np.broadcast_to(layer.params["bias"], before.shape))


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("name", ["weight", "bias"])
@pytest.mark.parametrize("groups", [1, 3])
def test_parameters_are_followed_however_they_are_written(rng, write, name, groups):
    layer = fr.Conv1d(3, 6, 2, groups=groups, seed=0)
    x = rng.standard_normal((4, 2, 3)).astype(np.float32)
    for _ in range(2):  # the second time, packed weights exist and are unchanged
        before = layer(x)
        write(layer, name)
        after, fresh = layer(x), copy.deepcopy(layer)
        assert (after != before).any()
        assert_same_bits(after, fresh(x))
        assert_same_bits(*(model.backward(model.forward(x)[1], after) for model in (layer, fresh)))


@pytest.mark.parametrize("groups", [1, 3])
def test_threads_that_find_a_written_parameter_at_once(rng, groups):
    """Each has the bits of one alone."""
    layer, x = fr.Conv1d(3, 6, 2, groups=groups, seed=0), rng.standard_normal((40, 2, 3)).astype(np.float32)
    barrier = threading.Barrier(4)

    def call(_):
        barrier.wait()
        return [layer(x) for _ in range(3)]

    with ThreadPoolExecutor(4) as threads:
        for _ in range(30):
            layer.params["weight"] = rng.standard_normal(layer.params["weight"].shape).astype(np.float32)
            expected = copy.deepcopy(layer)(x)
            for ys in threads.map(call, range(4)):
                for y in ys:
                    assert_same_bits(y, expected)


def test_unwritten_parameters_are_not_even_compared(rng):
    """As nobody has been given them; while somebody has one, they are."""
    layer, x = fr.Conv1d(3, 6, 2, seed=0), rng.standard_normal((4, 2, 3)).astype(np.float32)
    for _ in range(2):
        layer(x)
    stamp = layer._arrays.stamp()
    layer(x)
    assert layer._arrays.stamp() == stamp >= 0
    weight = layer.params["weight"]
    assert layer._arrays.stamp() == -1
    layer(x)
    del weight
    assert layer._arrays.stamp() > stamp + 1


def test_a_nan_is_followed_too(rng):
    """It differs from itself."""
    layer, x = fr.Conv1d(3, 6, 2, seed=0), rng.standard_normal((5, 2, 3)).astype(np.float32)
    for value, found in ((np.nan, True), (np.nan, True), (0, False)):
        layer.params["weight"][0, 0, 0] = value
        y = layer(x)
        assert np.isnan(y[..., 0]).all() == found and not np.isnan(y[..., 1:]).any()


def test_a_parameter_that_was_resized_by_force_is_named():
    layer, x = fr.Conv1d(3, 6, 2, seed=0), np.ones((5, 3), np.float32)
    layer(x)
    weight = layer.params["weight"]
    weight.resize((6, 3, 1), refcheck=False)
    with argument_refused(ValueError, "params", "expected a C-ordered (6, 3, 2) of float32"):
        layer(x)


def test_a_backward_pass_has_the_weights_of_its_forward_pass(rng):
    """Whatever was written, and called, in between."""
    layer, x = fr.Conv1d(3, 4, 2, seed=0), rng.standard_normal((5, 2, 3)).astype(np.float32)
    y, tape = layer.forward(x)
    expected = layer.backward(tape, np.ones_like(y))
    _, tape = layer.forward(x)
    layer.params["weight"] *= 2
    layer(x)
    assert_same_bits(layer.backward(tape, np.ones_like(y)), expected)
