# SPDX-License-Identifier: BSD-3-Clause
"""Blocks of steps, and layers of the engine run together: the bits of whole sequences, and no memory."""

import threading
import tracemalloc

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits, refused
from support.recurrent import make_layer, random_state

import fastrnn as fr
from fastrnn.nn._recurrent import stack


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_block_of_steps_has_the_bits_of_the_sequence(isa, dtype, cell, num_layers, batch, rng):
    """The state is carried from block to block, and between blocks and steps."""
    layer = make_layer(cell, 3, 21, num_layers, dtype=dtype, seed=1)
    x, state = rng.standard_normal((9, batch, 3)).astype(dtype), random_state(layer, batch, rng)
    y, final = layer(x, state)
    stream, out = layer.stream(batch), np.empty((4, batch, 21), dtype)
    stream.state = state
    assert_same_bits(stream.steps(x[:3]), y[:3])
    assert_same_bits(stream.step(x[3]), y[3])
    assert stream.steps(x[4:8], out=out) is out
    assert_same_bits(out, y[4:8])
    assert_same_bits(stream.steps(x[8:8]), y[8:8])
    assert_same_bits(stream.steps(x[8:]), y[8:])
    assert_same_bits(stream.state, final)


@pytest.mark.parametrize("options", [{"zoneout": 0.3}, {"recurrent_dropout": 0.4}, {"batch_first": True}])
def test_a_block_of_steps_is_inference(options, rng):
    """With the state update of inference; time first, whatever the layout of the layer."""
    layer = fr.LSTM(3, 5, 2, seed=1, **options)
    x = rng.standard_normal((6, 2, 3)).astype(np.float32)
    y = layer(x.swapaxes(0, 1))[0].swapaxes(0, 1) if layer.batch_first else layer(x)[0]
    assert_same_bits(layer.stream(2).steps(x), y)


def test_layers_run_a_part_of_the_steps_at_a_time(monkeypatch, rng):
    monkeypatch.setattr(stack, "BLOCK_ELEMENTS", 1)
    layer = fr.GRU(3, 5, 3, seed=1)
    x = rng.standard_normal((3 * stack.BLOCK_STEPS + 1, 2, 3)).astype(np.float32)
    assert_same_bits(layer.stream(2).steps(x), layer(x)[0])


def test_rows_of_a_block_may_lie_anywhere(rng):
    layer = fr.GRU(3, 5, seed=1)
    x = rng.standard_normal((12, 2, 6)).astype(np.float32)[::-2, :, ::2]
    assert_same_bits(layer.stream(2).steps(x), layer(np.ascontiguousarray(x))[0])
    assert_same_bits(layer.stream().steps(x[:, 0]), layer(x[:, 0])[0])


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_is_one_more_layer_of_the_engine(isa, dtype, batch, bias, rng):
    model = fr.Sequential(
        fr.Linear(3, 9, bias=bias, dtype=dtype, seed=1),
        fr.GRU(9, 17, 2, dtype=dtype, seed=2),
        fr.Linear(17, 2, bias=bias, dtype=dtype, seed=3),
        fr.LSTM(2, 6, dtype=dtype, seed=4),
    )
    stream = model.stream(batch)
    assert len(stream._stages) == 1
    x = rng.standard_normal((7, batch, 3)).astype(dtype)
    y, final = model(x)
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x[:4]]), y[:4])
    assert_same_bits(stream.steps(x[4:]), y[4:])
    assert_same_bits(stream.state, final)


def test_a_change_of_the_parameters_affects_the_next_step(rng):
    model = fr.Sequential(fr.GRU(3, 4, seed=1), fr.Linear(4, 2, seed=2))
    stream, x = model.stream(), rng.standard_normal((1, 3)).astype(np.float32)
    stream.step(x)
    state = stream.state
    model[1].params["weight"][...] *= 2
    assert_same_bits(stream.step(x), model(x[None], state)[0][0])


def recurrent_layers():
    return fr.GRU(3, 256, 3, seed=1)


def model_of_the_engine():
    return fr.Sequential(fr.LSTM(3, 256, 2, seed=1), fr.Dropout(0.5), fr.Linear(256, 64, seed=2))


@pytest.mark.parametrize("make", [recurrent_layers, model_of_the_engine])
def test_with_out_nothing_is_allocated(make):
    """No object outlives a step or a block; what is allocated meanwhile is smaller than any array of the model."""
    stream = make().stream()
    block = np.ones((40, 1, 3), np.float32)
    out = np.empty_like(stream.steps(block))
    stream.step(block[0], out=out[0])
    tracemalloc.start()
    try:
        stream.steps(block, out=out)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(20):
            stream.step(block[0], out=out[0])
            stream.steps(block, out=out)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1024 and peak - before < 8192 < block.shape[0] * 256 * 4


@pytest.mark.parametrize(
    ("block", "out", "error", "words"),
    [
        (np.ones((5, 2, 4)), None, TypeError, "expected float32"),
        (np.ones((5, 1, 3), np.float32), None, ValueError, "expected (T, 2, 3), got (5, 1, 3)"),
        (np.ones((5, 3), np.float32), None, ValueError, "expected (T, 2, 3), got (5, 3)"),
        (np.ones((5, 2, 3), np.float32), np.empty((4, 2, 4), np.float32), ValueError, "shape (5, 2, 4)"),
        (np.ones((5, 2, 3), np.float32), np.empty((5, 2, 4)), TypeError, "expected an ndarray of float32"),
        (np.ones((5, 2, 3), np.float32), np.empty((5, 2, 8), np.float32)[..., ::2], ValueError, "C-ordered"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(block, out, error, words):
    stream = fr.LSTM(3, 4, seed=0).stream(2)
    with argument_refused(error, "block" if out is None else "out", words):
        stream.steps(block, out=out)
    assert not stream.state[0].any()  # nothing happened


def test_a_block_of_one_row_may_lack_the_batch():
    stream = fr.LSTM(3, 4, seed=0).stream()
    with argument_refused(ValueError, "block", "expected (T, 1, 3) or (T, 3), got (3,)"):
        stream.steps(np.ones(3, np.float32))


def test_out_must_not_overlap_the_block():
    block = np.ones((5, 1, 4), np.float32)
    with argument_refused(ValueError, "out", "overlaps block"):
        fr.RNN(4, 4, seed=0).stream().steps(block, out=block)


USES = {
    "step": lambda stream, x: stream.step(x[0]),
    "steps": lambda stream, x: stream.steps(x),
    "state": lambda stream, x: stream.state,
    "set": lambda stream, x: setattr(stream, "state", None),
    "reset": lambda stream, x: stream.reset(),
    "rows": lambda stream, x: stream.reset([0]),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize(
    "model",
    [fr.GRU(3, 4, seed=0), fr.Sequential(fr.GRU(3, 4, seed=0), fr.Linear(4, 2, seed=0))],
    ids=["layer", "model"],
)
def test_a_stream_in_use_refuses_another_call(model, use):
    """Whatever it is, and afterwards it goes on."""
    stream, x = model.stream(), np.ones((5, 1, 3), np.float32)
    expected = model(x)[0]
    with (
        stream._exclusive,
        refused(RuntimeError, "stream: expected one call at a time", "make a stream for each thread"),
    ):
        use(stream, x)
    assert_same_bits(stream.steps(x), expected)


def test_threads_on_one_stream_take_turns_or_are_refused():
    """Each call either reads its steps alone or reads none."""
    model = fr.Sequential(fr.GRU(4, 128, 2, seed=0), fr.Linear(128, 4, seed=1))
    stream, x, done, faults = model.stream(), np.ones((1, 4), np.float32), [], []

    def work():
        for k in range(200):
            try:
                if k % 10:
                    stream.step(x)
                else:
                    stream.steps(np.ones((20, 1, 4), np.float32))
                done.append(1 if k % 10 else 20)
            except RuntimeError:
                pass
            except BaseException as error:
                faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == [] and done
    assert_same_bits(stream.state, model(np.ones((sum(done), 1, 4), np.float32))[1])
