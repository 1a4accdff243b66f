# SPDX-License-Identifier: BSD-3-Clause
"""The memory of large arrays goes to the next ones, and to nobody while anything still reads it."""

import gc
import sys
import threading

import numpy as np
import pytest

import fastrnn as fr
from fastrnn._engine import recycled

LARGE = (recycled.LEAST // 4,)  # of float32


@pytest.fixture(autouse=True)
def nothing_waits():
    """Each test begins without memory from the tests before."""
    gc.collect()
    recycled._waiting.clear()


def waiting():
    gc.collect()
    return sum(memory.nbytes for memory in recycled._waiting.values())


@pytest.mark.parametrize("shape", [(), (3,), (0, 5), LARGE, (LARGE[0] // 8, 2, 5)])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.dtype(np.intp)])
def test_arrays_are_those_of_numpy(shape, kind):
    """Shape, dtype, layout and use; zeros are 0 in memory that has held other numbers, too."""
    for make in (recycled.empty, recycled.zeros, recycled.zeros):
        array = make(shape, kind)
        assert (array.shape, array.dtype) == (shape, np.dtype(kind))
        assert array.flags.c_contiguous
        assert array.flags.aligned
        assert array.flags.writeable
        assert make is recycled.empty or not array.any()
        array[...] = 7


def address(array):
    return array.__array_interface__["data"][0]


def waiting_addresses():
    """Where arrays in the memory that waits would begin."""
    starts = map(address, recycled._waiting.values())
    return {start + -start % recycled.ALIGNMENT for start in starts}


def test_the_next_array_gets_the_memory():
    """One of the same size or a little smaller, not one that is larger or much smaller; aligned for vectors."""
    array = recycled.empty(LARGE, np.float64)
    at = address(array)
    assert at % recycled.ALIGNMENT == 0
    del array
    others = [recycled.empty((size,), np.float64) for size in (LARGE[0] + 1, LARGE[0] // 2)]
    assert at not in map(address, others)
    assert waiting_addresses() == {at}
    smaller = recycled.empty((2, LARGE[0] // 2 - 10), np.float64)
    assert address(smaller) == at
    assert not recycled._waiting


@pytest.mark.parametrize(
    "view",
    [
        lambda array: array[5:],
        lambda array: array.reshape(2, -1)[1, ::3].view(np.uint32),
        lambda array: memoryview(array)[3:],
        lambda array: np.frombuffer(array),
        lambda array: np.asarray(memoryview(array)).T,
    ],
    ids=["slice", "view of views", "memoryview", "buffer", "array of memoryview"],
)
def test_memory_that_is_still_read_is_not_given_away(view):
    array = recycled.zeros(LARGE, np.float32)
    kept = view(array)
    del array
    assert waiting() == 0
    recycled.empty(LARGE, np.float32).fill(np.nan)
    assert not np.asarray(kept).any()
    before = waiting()
    del kept
    assert waiting() > before


def test_small_arrays_are_left_to_numpy():
    array = recycled.empty((LARGE[0] - 1,), np.float32)
    assert array.flags.owndata
    assert array.base is None


def test_no_more_than_the_limit_waits():
    """However many arrays are freed, and however large they are; the latest stay."""
    arrays = [recycled.empty((recycled.MOST // 4,), np.float32) for _ in range(4)]
    last = address(arrays[-1])
    while arrays:
        del arrays[0]
        assert waiting() <= recycled.LIMIT
    assert last in waiting_addresses()
    del arrays
    too_large = recycled.empty((recycled.MOST // 4 + 1,), np.float32)
    assert too_large.flags.owndata


def test_a_training_step_reuses_the_memory_of_the_one_before(rng):
    """With the same bits, and without changing what a caller keeps of it."""
    layer, x = fr.Linear(300, 400, seed=0), rng.standard_normal((200, 5, 300)).astype(np.float32)
    y, tape = layer.forward(x)
    first, dx = y.copy(), layer.backward(tape, y)
    del tape
    kept = dx.copy()
    again, tape = layer.forward(x + 1)
    layer.backward(tape, again)
    assert np.array_equal(y, first)
    assert np.array_equal(dx, kept)
    at = address(again)
    del again, tape
    gc.collect()
    last, _ = layer.forward(x)
    assert address(last) == at
    assert np.array_equal(last, first)


def test_no_two_threads_get_the_same_memory():
    """Each fills its arrays with its own number and finds it there."""
    wrong = []

    def use(number):
        for _ in range(300):
            array = recycled.empty((LARGE[0],), np.float32)
            array.fill(number)
            if (array != number).any():
                wrong.append(number)
            del array

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=use, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_memory_that_cannot_be_had_is_refused_before_it_is_filled():
    with pytest.raises(MemoryError, match=r"^W: the parameters would need \d+ bytes$"):
        recycled.check_memory(2**62, "W")
    recycled.check_memory(2**10, "W")
