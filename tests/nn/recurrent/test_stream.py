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


def test_the_state_of_a_stream_is_a_copy_that_cannot_be_written(cell, rng):
    """Writing into it would change nothing. It is a state like any other: for a call, and to return to."""
    layer = make_layer(cell, 3, 6, 2, seed=1)
    x = rng.standard_normal((2, 3)).astype(np.float32)
    stream = layer.stream(2)
    stream.step(x)
    saved = stream.state
    for part in as_tuple(saved):
        with pytest.raises(ValueError, match="read-only"):
            part[:, 0] = 0
    y, _ = layer(x[None], saved)
    np.testing.assert_array_equal(stream.step(x), y[0])
    stream.state = saved
    np.testing.assert_array_equal(stream.step(x), y[0])


@pytest.mark.parametrize(
    "rows",
    [[0, 2], np.array([2, 0], np.uint8), [True, False, True, False], (2, 0, 0)],
    ids=["list", "uint8", "mask", "repeated"],
)
def test_rows_of_a_stream_begin_again(cell, rows, rng):
    """They have the bits of a new stream, the others those of the old one."""
    layer = make_layer(cell, 3, 6, 2, seed=1)
    before, after = rng.standard_normal((2, 4, 3)).astype(np.float32)
    stream, other, new = layer.stream(4), layer.stream(4), layer.stream(4)
    stream.step(before)
    other.step(before)
    stream.reset(rows)
    y, going_on, begun = stream.step(after), other.step(after), new.step(after)
    np.testing.assert_array_equal(y[[0, 2]], begun[[0, 2]])
    np.testing.assert_array_equal(y[[1, 3]], going_on[[1, 3]])


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([0, 4], ValueError, "rows: expected row numbers from 0 to 3, got 4"),
        (-1, ValueError, "rows: expected row numbers from 0 to 3, got -1"),
        ([True, False], ValueError, r"rows: expected a mask of shape \(4,\), one for each row, got \(2,\)"),
        (True, ValueError, r"rows: expected a mask of shape \(4,\), one for each row, got \(\)"),
        ([[0], [1]], ValueError, r"rows: expected row numbers of shape \(rows,\), got \(2, 1\)"),
        ([0.0, 1.0], TypeError, "rows: expected integers, got float64"),
        ("0", TypeError, "rows: expected integers, got <U1"),
        ([[0], [1, 2]], TypeError, "rows: expected a mask of bool or row numbers in CPU memory, got list"),
    ],
)
def test_wrong_rows_are_refused_and_change_nothing(rows, error, words):
    stream = fr.GRU(3, 6, seed=1).stream(4)
    stream.step(np.ones((4, 3), np.float32))
    before = stream.state
    with pytest.raises(error, match=words):
        stream.reset(rows)
    stream.reset([])
    assert_same_state(stream.state, before)


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
