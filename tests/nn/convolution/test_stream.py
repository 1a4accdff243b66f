# SPDX-License-Identifier: BSD-3-Clause
"""Streams of causal convolutions, alone, in models and in pools."""

import copy
import pickle

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits

import fastrnn as fr

T, N, I = 11, 3, 4


@pytest.fixture(params=[False, True], ids=["time first", "batch first"])
def model(request):
    own = {"batch_first": request.param}
    return fr.Sequential(
        fr.CausalConv1d(I, 6, 3, dilation=2, groups=2, seed=0, **own),
        fr.Activation("relu"),
        fr.Residual(fr.CausalConv1d(6, 6, 2, seed=1, **own)),
        fr.GRU(6, 5, seed=2, **own),
    )


def whole(model, x):
    y = model(x.swapaxes(0, 1) if model.batch_first else x)[0]
    return y.swapaxes(0, 1) if model.batch_first else y


def test_its_steps_and_blocks_are_the_sequence(rng, model):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    expected, stream = whole(model, x), model.stream(N)
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x]), expected)
    stream.reset()
    assert_same_bits(np.concatenate([stream.steps(x[:4]), stream.steps(x[4:5]), stream.steps(x[5:])]), expected)


def test_copies_and_states_go_on_from_the_same_place(rng, model):
    x, stream = rng.standard_normal((T, N, I)).astype(np.float32), model.stream(N)
    stream.steps(x[:6])
    others = [copy.copy(stream), pickle.loads(pickle.dumps(stream)), model.stream(N)]
    others[2].state = stream.state
    expected = stream.steps(x[6:])
    for other in others:
        assert_same_bits(other.steps(x[6:]), expected)


def test_resets(rng):
    layer, x = fr.CausalConv1d(I, 2, 3, seed=0), rng.standard_normal((T, N, I)).astype(np.float32)
    stream = layer.stream(N)
    stream.steps(x[:5])
    stream.reset([1])
    y = stream.steps(x[5:])
    assert_same_bits(y[:, 1], layer(x[5:, 1])[0])
    assert_same_bits(y[:, 0], layer(x[:, 0])[0][5:])


def test_a_pool(rng, model):
    x, pool = rng.standard_normal((T, N, I)).astype(np.float32), fr.StreamPool(model, N)
    keys = [pool.open() for _ in range(N)]
    outputs = {key: [] for key in keys}
    for t in range(T):
        for n, key in enumerate(keys):
            if (t + n) % 2:
                continue
            outputs[key].append(pool.step({key: x[len(outputs[key]), n]})[key])
    for n, key in enumerate(keys):
        assert_same_bits(np.stack(outputs[key]), whole(model, x[: len(outputs[key]), n : n + 1])[:, 0])


def test_bad_input():
    stream = fr.CausalConv1d(I, 2, 3).stream(N)
    with argument_refused(ValueError, "x", f"({N}, {I})"):
        stream.step(np.ones((N, I + 1), np.float32))
    with argument_refused(ValueError, "block", f"(T, {N}, {I})"):
        stream.steps(np.ones((2, N + 1, I), np.float32))
    with argument_refused(ValueError, "state", f"(2, {N}, {I})"):
        stream.state = np.ones((3, N, I), np.float32)
    with argument_refused(TypeError, "stream", "Conv1d"):
        fr.Sequential(fr.Conv1d(I, 2, 3)).stream()


def test_an_out_that_does_not_fit_is_refused_before_the_step(rng):
    stream, x = fr.CausalConv1d(I, 2, 3, seed=0).stream(N), rng.standard_normal((4, N, I)).astype(np.float32)
    stream.steps(x)
    before = stream.state
    for step, argument, shape in ((stream.step, x[0], (N, 2)), (stream.steps, x, (4, N, 2))):
        with argument_refused(TypeError, "out", "float32"):
            step(argument, out=np.empty(shape))
        with argument_refused(ValueError, "out", str(shape)):
            step(argument, out=np.empty((*shape[:-1], 3), np.float32))
        assert_same_bits(stream.state, before)


def test_a_block_of_no_steps():
    for layer in (fr.CausalConv1d(I, 2, 3), fr.CausalConv1d(I, 2, 1)):
        stream = layer.stream(N)
        assert stream.steps(np.empty((0, N, I), np.float32)).shape == (0, N, 2)
        assert stream.steps(np.empty((0, N, I), np.float32), resets=np.empty((0, N), bool)).shape == (0, N, 2)
