# SPDX-License-Identifier: BSD-3-Clause
"""Many streams of one model: each has the bits of a stream alone, whatever the others do."""

import copy
import os
import pickle
import threading

import numpy as np
import pytest
from support.cells import ReferenceCell
from support.layers import argument_refused, assert_same_bits, flat, refused
from support.recurrent import RECURRENT_CELLS, make_layer

import fastrnn as fr
from fastrnn.nn._streams import pool as pools

I, H, O = 5, 9, 4

MODELS = {
    "stack": lambda: fr.LSTM(I, H, num_layers=2, seed=0),
    "model": lambda: fr.Sequential(fr.LSTM(I, H, 2, seed=0), fr.Linear(H, O, seed=1)),
    "mixed": lambda: fr.Sequential(
        fr.Linear(I, H, seed=0),
        fr.LayerNorm(H),
        fr.Residual(fr.GRU(H, H, seed=1)),
        fr.Activation("relu"),
        fr.Dropout(0.5),
    ),
    "learned": lambda: fr.GRU(I, H, learn_initial_state=True, seed=0),
}


def run_alone(model, inputs):
    stream = model.stream()
    return [stream.step(x[None])[0] for x in inputs]


def run_pooled(pool, streams, rng):
    """Streams that begin, step and end at random: the outputs of each."""
    waiting, open_, outputs = list(range(len(streams))), {}, [[] for _ in streams]
    while waiting or open_:
        while waiting and len(pool) < pool.capacity and rng.random() < 0.7:
            open_[pool.open()] = waiting.pop(0)
        keys = [key for key in open_ if rng.random() < 0.6]
        rng.shuffle(keys)
        y = pool.step({key: streams[open_[key]][len(outputs[open_[key]])] for key in keys})
        assert list(y) == keys
        for key in keys:
            outputs[open_[key]].append(y[key])
            if len(outputs[open_[key]]) == len(streams[open_[key]]):
                pool.close(key)
                del open_[key]
    return outputs


@pytest.mark.parametrize("name", MODELS)
def test_every_stream_has_the_bits_of_one_alone(isa, rng, name):
    model = MODELS[name]()
    if name == "learned":
        model.params["h0"][...] = rng.standard_normal(model.params["h0"].shape)
    streams = [rng.standard_normal((rng.integers(1, 12), I)).astype(np.float32) for _ in range(17)]
    for inputs, outputs in zip(streams, run_pooled(fr.StreamPool(model, 5), streams, rng), strict=True):
        assert_same_bits(outputs, run_alone(model, inputs))


@pytest.mark.parametrize("cell", RECURRENT_CELLS)
def test_every_cell(rng, cell):
    layer = make_layer(cell, I, H, zoneout=0.2, seed=0)
    streams = [rng.standard_normal((6, I)).astype(np.float32) for _ in range(4)]
    for inputs, outputs in zip(streams, run_pooled(fr.StreamPool(layer, 3), streams, rng), strict=True):
        assert_same_bits(outputs, run_alone(layer, inputs))


def test_tokens_and_a_cell_of_ones_own(rng):
    model = fr.Sequential(fr.Embedding(7, I, seed=0), fr.Recurrent(ReferenceCell(I, H, "lstm", seed=1)))
    streams = [rng.integers(0, 7, 6) for _ in range(3)]
    for tokens, outputs in zip(streams, run_pooled(fr.StreamPool(model, 2), streams, rng), strict=True):
        stream = model.stream()
        np.testing.assert_allclose(outputs, [stream.step(token[None])[0] for token in tokens], rtol=1e-5)


def test_states_move_between_pools_and_streams(rng):
    model, x = MODELS["model"](), rng.standard_normal((8, I)).astype(np.float32)
    expected = run_alone(model, x)
    first, second, stream = fr.StreamPool(model, 3), fr.StreamPool(model, 2), model.stream()
    first.open()
    key = first.open()
    for x_t in x[:3]:
        first.step({key: x_t})
    moved = second.open(first.state(key))
    y = [second.step({moved: x_t})[moved] for x_t in x[3:6]]
    stream.state = second.state(moved)
    assert_same_bits([*y, *(stream.step(x_t[None])[0] for x_t in x[6:])], expected[3:])
    assert all(part.shape[1] == 1 for part in flat(first.state(key)))


def test_many_threads(rng):
    """Threads that open, step and close as they like: each stream is still a stream alone."""
    model = MODELS["model"]()
    pool, wrong = fr.StreamPool(model, 8), []
    streams = [rng.standard_normal((20, I)).astype(np.float32) for _ in range(8)]
    expected = [run_alone(model, inputs) for inputs in streams]

    def client(n):
        for _ in range(3):
            key = pool.open()
            if any((pool.step({key: x})[key] != y).any() for x, y in zip(streams[n], expected[n], strict=True)):
                wrong.append(n)
            pool.close(key)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(pool) == 0


def test_keys():
    pool = fr.StreamPool(fr.GRU(I, H), 2)
    x = np.zeros(I, np.float32)
    first, second = pool.open(), pool.open()
    assert first != second and len(pool) == 2
    with refused(RuntimeError, "at most 2 open streams"):
        pool.open()
    pool.close(first)
    third = pool.open()
    assert third not in (first, second)
    for call in (pool.close, pool.state, lambda key: pool.step({key: x}), lambda key: pool.step_rows([key], x[None])):
        for key in (first, 99, "a", [1]):
            with refused(KeyError, "no open stream of key"):
                call(key) if not isinstance(key, list) or call in (pool.close, pool.state) else pool.step_rows(
                    [key], x[None]
                )
    assert pool.step({}) == {}
    assert pool.step_rows([], np.zeros((0, I), np.float32)).shape == (0, H)


def test_bad_inputs_leave_every_stream_as_it_is(rng):
    pool = fr.StreamPool(MODELS["model"](), 3)
    a, b = pool.open(), pool.open()
    x = rng.standard_normal(I).astype(np.float32)
    pool.step({a: x, b: x})
    before = [pool.state(a), pool.state(b)]
    for inputs, error, name in (
        ({a: x, b: x[:3]}, ValueError, f"inputs[{b}]"),
        ({a: x, b: x.astype(float)}, TypeError, f"inputs[{b}]"),
        ({a: x.astype(float)}, TypeError, f"inputs[{a}]"),
        ({a: x[:3]}, ValueError, "x"),
        ({a: x[None]}, ValueError, "x"),
    ):
        with argument_refused(error, name, "expected"):
            pool.step(inputs)
    with argument_refused(ValueError, "keys", "different"):
        pool.step_rows([a, a], np.stack([x, x]))
    with argument_refused(ValueError, "x", "2 keys"):
        pool.step_rows([a, b], x[None])
    assert_same_bits([pool.state(a), pool.state(b)], before)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (np.zeros((1, 1, H), np.float32), TypeError),
        ((np.zeros((2, 1, H), np.float32),) * 2, TypeError),
        (((np.zeros((2, 1, H), np.float32), np.zeros((2, 2, H), np.float32)),), ValueError),
        (((np.zeros((2, 1, H)), np.zeros((2, 1, H))),), TypeError),
    ],
)
def test_a_state_that_does_not_fit(state, error):
    pool = fr.StreamPool(MODELS["model"](), 3)
    with refused(error, "state"):
        pool.open(state)
    assert len(pool) == 0
    assert len({pool.open() for _ in range(3)}) == 3


def test_models_that_have_no_pool():
    class Own(fr.Linear):
        def stream(self, batch):
            return object()

    with refused(ValueError, "bidirectional"):
        fr.StreamPool(fr.GRU(I, H, bidirectional=True), 2)
    with refused(TypeError, "stream"):
        fr.StreamPool(fr.Sequential(fr.GRU(I, H), fr.MeanPool()), 2)
    for model in (Own(I, H), fr.Sequential(fr.GRU(I, I), Own(I, H)), fr.Residual(Own(I, I))):
        with argument_refused(TypeError, "model", "step some of their rows"):
            fr.StreamPool(model, 2)
    with argument_refused(ValueError, "capacity"):
        fr.StreamPool(fr.GRU(I, H), 0)


def test_a_pool_is_not_copied():
    pool = fr.StreamPool(fr.GRU(I, H), 2)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with refused(TypeError, "a pool cannot be copied"):
            copied(pool)


def test_inputs_are_a_dict_of_anything_like_an_array(rng):
    """Numbers without a dtype become the model's, as in a stream; what is no dict is named."""
    pool, x = fr.StreamPool(fr.GRU(I, H, seed=0), 2), rng.integers(-2, 3, I)
    first, second = pool.open(), pool.open()
    y = pool.step({first: x.tolist(), second: x.astype(np.float32)})
    assert_same_bits(y[first], y[second])
    for wrong in ([x], None, x):
        with argument_refused(TypeError, "inputs", "expected a dict"):
            pool.step(wrong)
    with argument_refused(TypeError, "inputs", "expected float32"):
        pool.step({first: x.astype(np.float64)})
    with argument_refused(TypeError, "keys", "expected several"):
        pool.step_rows(first, x[None])


def test_a_child_of_fork_has_a_lock_of_its_own():
    """Another thread may hold the lock at the time of the fork, and is not there to release it."""
    pool = fr.StreamPool(fr.GRU(I, H), 2)
    held = pool._lock
    with held:
        child = os.fork()
        if child == 0:
            os._exit(0 if pool.open() == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pool._lock is held and pool in pools._pools
