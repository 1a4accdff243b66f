# SPDX-License-Identifier: BSD-3-Clause
"""What the stepper takes, with the bits of a whole sequence, and what it leaves untouched for others to name."""

import array

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits
from support.recurrent import make_layer

import fastrnn as fr

T, N, I, H = 5, 2, 3, 4


class Subclass(np.ndarray):
    """An array that is not exactly an ndarray."""


def stream(dtype=np.float32, batch=N):
    return fr.LSTM(I, H, 2, dtype=dtype, seed=0).stream(batch)


def unaligned(x):
    """A copy that begins one byte behind a whole number of elements."""
    result = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    result[...] = x
    assert not result.flags.aligned
    return result


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


TAKEN = {
    "array": lambda x: x,
    "subclass": lambda x: x.view(Subclass),
    "memoryview": memoryview,
    "read_only": read_only,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "strided_rows": lambda x: np.repeat(x, 2, axis=-2)[..., ::2, :],
}
REFUSED = {
    "None": lambda x: None,
    "text": lambda x: "x",
    "list": lambda x: x.tolist(),
    "scalar": lambda x: x[0, 0].flat[0],
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder("S")),
    "double": lambda x: x.astype(np.float64),
    "integers": lambda x: x.astype(np.int32),
    "dates": lambda x: np.zeros(x.shape, "datetime64[s]"),  # NumPy has no buffer for them
    "released": lambda x: _released(memoryview(x)),
    "unaligned": unaligned,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "fewer features": lambda x: x[..., :-1].copy(),
    "more rows": lambda x: np.repeat(x, 2, axis=-2),
    "one row": lambda x: x[..., 0, :].copy(),
    "another axis": lambda x: x[None],
    "no steps": lambda x: x[:0],
}


def _released(view):
    view.release()
    return view


@pytest.mark.parametrize("block", [False, True], ids=["step", "steps"])
@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
def test_it_takes_whatever_lies_in_whole_rows(isa, dtype, make, block, rng):
    x = rng.standard_normal((T, N, I)).astype(dtype)
    expected, running = stream(dtype)._layer(x)[0], stream(dtype)
    out = np.full((T, N, H), np.nan, dtype)
    if block:
        assert running._stepper.steps(make(x), out)
    else:
        assert all(running._stepper.step(make(x_t), y_t) for x_t, y_t in zip(x, out, strict=True))
    assert_same_bits(out, expected)


@pytest.mark.parametrize("block", [False, True], ids=["step", "steps"])
def test_it_takes_an_array_of_the_standard_library(block, rng):
    """One row without an axis for the batch, from and into memory that is not NumPy's."""
    x = rng.standard_normal((T, I)).astype(np.float32)
    running, expected = stream(batch=1), stream(batch=1)._layer(x)[0]
    if block:
        out = memoryview(array.array("f", [0] * T * H)).cast("B").cast("f", (T, H))
        assert running._stepper.steps(memoryview(x), out)
        assert_same_bits(np.asarray(out), expected)
    else:
        out = array.array("f", [0] * H)
        for x_t, y_t in zip(x, expected, strict=True):
            assert running._stepper.step(array.array("f", x_t.tolist()), out)
            assert_same_bits(np.array(out, np.float32), y_t)


@pytest.mark.parametrize("which", ["x", "out"])
@pytest.mark.parametrize("block", [False, True], ids=["step", "steps"])
@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED)
def test_it_refuses_all_else_and_does_nothing(make, block, which):
    running, x, out = stream(), np.ones((T, N, I), np.float32), np.ones((T, N, H), np.float32)
    arrays = {"x": x if block else x[0], "out": out if block else out[0]}
    arrays[which] = make(arrays[which])
    take = running._stepper.steps if block else running._stepper.step
    assert take(arrays["x"], arrays["out"]) is False
    assert not running.state[0].any() and (out == 1).all()


def test_out_has_to_be_writable_and_that_of_a_block_whole():
    running, x = stream(), np.ones((T, N, I), np.float32)
    assert not running._stepper.step(x[0], read_only(np.ones((N, H), np.float32)))
    assert not running._stepper.steps(x, read_only(np.ones((T, N, H), np.float32)))
    assert not running._stepper.steps(x, np.ones((T, 2 * N, H), np.float32)[:, ::2])
    assert not running.state[0].any()


@pytest.mark.parametrize("way", [1, -1])
def test_memory_that_x_and_out_share_is_refused(way):
    """To the last element, whichever way the axes go."""
    running = fr.GRU(H, H, seed=0).stream(N)
    memory = np.ones(2 * T * N * H, np.float32)
    for first in range(0, T * N * H + 1, 5):
        x = memory[: T * N * H].reshape(T, N, H)[::way, ::way]
        out = memory[first : first + T * N * H].reshape(T, N, H)
        assert running._stepper.steps(x, out) == (not np.may_share_memory(x, out)) == (first == T * N * H)
        assert running._stepper.step(x[0], out[-1]) == (not np.may_share_memory(x[0], out[-1]))


def test_a_block_that_is_not_small_is_left_to_others_with_the_same_bits(rng):
    layer = fr.GRU(1, 1 << 12, seed=0)
    x = rng.standard_normal((17, 1, 1)).astype(np.float32)
    running, out = layer.stream(), np.empty((17, 1, 1 << 12), np.float32)
    assert not running._stepper.steps(x, out)
    assert_same_bits(running.steps(x), layer(x)[0])
    running.reset()
    assert running._stepper.steps(x[:16], out[:16])
    assert_same_bits(out[:16], layer(x)[0][:16])


@pytest.mark.parametrize("features", [17, 70, 200])
def test_the_way_through_the_weights_changes_no_bit(isa, cell, dtype, features, rng):
    """Calls read the weights from their beginning and from their end by turns; of 200 units, without the GIL."""
    layer = make_layer(cell, 2, features, dtype=dtype, seed=1)
    x = rng.standard_normal((7, 1, 2)).astype(dtype)
    y, final = layer(x)
    for blocks in ([1] * 7, [3, 1, 2, 1], [2, 5]):
        running, first = layer.stream(), 0
        for steps in blocks:
            assert_same_bits(running.steps(x[first : first + steps]), y[first : first + steps])
            first += steps
        assert_same_bits(running.state, final)
    for _ in range(2):
        assert_same_bits(layer(x[:1])[0], y[:1])


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.ones((N, I), ">f4"), TypeError, "expected float32"),
        (np.zeros((N, I), "datetime64[s]"), TypeError, "expected float32"),
        (np.ones((N, I + 1), np.float32), ValueError, "expected (2, 3), got (2, 4)"),
        (np.ones((0, I), np.float32), ValueError, "expected (2, 3), got (0, 3)"),
    ],
)
def test_a_stream_names_what_its_stepper_refused(x, error, words):
    with argument_refused(error, "x", words):
        stream().step(x, out=np.empty((N, H), np.float32))


def test_a_stream_takes_an_x_that_is_not_aligned(rng):
    x = rng.standard_normal((N, I)).astype(np.float32)
    assert_same_bits(stream().step(unaligned(x)), stream().step(x))
