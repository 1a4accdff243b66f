# SPDX-License-Identifier: BSD-3-Clause
"""A stream: one step at a time has the bits of the whole sequence."""

import tracemalloc

import numpy as np
import pytest
from support.recurrent import as_tuple, make_layer, random_state

import fastrnn as fr


def assert_same_state(actual, expected):
    for ours, theirs in zip(as_tuple(actual), as_tuple(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_stream_has_the_bits_of_the_sequence(isa, dtype, cell, num_layers, batch, rng):
    layer = make_layer(cell, 3, 21, num_layers, dtype=dtype, seed=1)
    x, state = rng.standard_normal((9, batch, 3)).astype(dtype), random_state(layer, batch, rng)
    y, final = layer(x, state)
    stream = layer.stream(batch)
    stream.state = state
    out = np.empty((batch, 21), dtype)
    for t, x_t in enumerate(x):
        if t % 2:
            assert stream.step(x_t, out=out) is out
            np.testing.assert_array_equal(out, y[t])
        else:
            np.testing.assert_array_equal(stream.step(x_t), y[t])
    assert_same_state(stream.state, final)


def test_a_stream_of_one_row_takes_and_gives_vectors(cell, rng):
    layer = make_layer(cell, 3, 6, 2, seed=1)
    x = rng.standard_normal((4, 3)).astype(np.float32)
    stream = layer.stream()
    np.testing.assert_array_equal(np.stack([stream.step(x_t) for x_t in x]), layer(x)[0])


def test_reset_and_state_of_a_stream(cell, rng):
    layer = make_layer(cell, 3, 6, 2, seed=1)
    x = rng.standard_normal((1, 3)).astype(np.float32)
    stream = layer.stream()
    first = stream.step(x)
    saved = stream.state
    second = stream.step(x)
    stream.state = saved
    np.testing.assert_array_equal(stream.step(x), second)
    stream.reset()
    np.testing.assert_array_equal(stream.step(x), first)
    as_tuple(stream.state)[0][...] = 99  # a copy: nothing happens
    stream.reset()
    np.testing.assert_array_equal(stream.step(x), first)


def test_a_stream_allocates_nothing_with_out(cell):
    """No object outlives a step; what is allocated meanwhile is smaller than any array of the layer."""
    layer = make_layer(cell, 3, 256, 2, seed=1)
    stream, x, out = layer.stream(), np.ones((1, 3), np.float32), np.empty((1, 256), np.float32)
    for _ in range(3):
        stream.step(x, out=out)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(100):
        stream.step(x, out=out)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 512 and peak - before < 1024


@pytest.mark.parametrize(
    ("x", "out", "error", "message"),
    [
        (
            np.ones((2, 3), np.float32),
            None,
            ValueError,
            r"x: expected \(1, 3\) or \(3,\), got \(2, 3\)",
        ),
        (np.ones(3), None, TypeError, "x: expected float32"),
        (
            np.ones(3, np.float32),
            np.empty(4),
            TypeError,
            "out: expected an ndarray of float32, got float64",
        ),
        (
            np.ones(3, np.float32),
            np.empty(5, np.float32),
            ValueError,
            r"out: .* shape \(4,\), got shape \(5,\)",
        ),
        (
            np.ones(3, np.float32),
            np.empty(8, np.float32)[::2],
            ValueError,
            "out: expected a writable C-ordered",
        ),
        (
            np.ones(3, np.float32),
            [0.0] * 4,
            TypeError,
            "out: expected an ndarray of float32, got list",
        ),
    ],
)
def test_bad_arguments_of_a_step(x, out, error, message):
    stream = fr.LSTM(3, 4, seed=0).stream()
    with pytest.raises(error, match=message):
        stream.step(x, out=out)
    assert not stream.state[0].any()  # nothing happened


def test_out_must_not_overlap_x():
    stream = fr.RNN(4, 4, seed=0).stream()
    x = np.ones(4, np.float32)
    with pytest.raises(ValueError, match="overlaps x"):
        stream.step(x, out=x)


def test_a_bidirectional_layer_has_no_stream():
    with pytest.raises(ValueError, match="bidirectional"):
        fr.LSTM(3, 4, bidirectional=True).stream()
