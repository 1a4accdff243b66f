# SPDX-License-Identifier: BSD-3-Clause
"""What ranks do together: values gathered in the order of the ranks, sums in one binary tree."""

import numpy as np
import pytest
from support.ranks import in_threads

import fastrnn as fr
from fastrnn.distributed import Communicator, Local


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_values_come_in_the_order_of_the_ranks(size):
    everyone = in_threads(size, lambda c: (c.gather({"rank": c.rank}), c.first(["of", c.rank])))
    assert everyone == [([{"rank": rank} for rank in range(size)], ["of", 0])] * size


def tree(parts):
    """((0 + 1) + (2 + 3)) + ..."""
    while len(parts) > 1:
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_a_sum_is_a_binary_tree(size, rng):
    """Numbers of many magnitudes, whose sum depends on the order."""
    parts = (rng.standard_normal((8, 1000)) * 10.0 ** rng.integers(-6, 7, (8, 1000))).astype(np.float32)

    def add(communicator):
        own = 8 // communicator.size
        array = tree(list(parts[own * communicator.rank : own * (communicator.rank + 1)]))
        communicator.add(array := array.copy())
        return array

    assert (tree(list(parts)) != parts.sum(axis=0)).any()
    for array in in_threads(size, add):
        np.testing.assert_array_equal(array, tree(list(parts)))


def test_one_process_talks_to_nobody():
    communicator = Local()
    assert communicator.gather("a") == ["a"] and communicator.first("a") == "a"
    with pytest.raises(ValueError, match="peer: expected another rank, got 1"):
        communicator.exchange(b"", 1)
    communicator.abort(ValueError())


@pytest.mark.parametrize(
    "numbers, message",
    [((0, 3), "size: expected .* power of two, got 3"), ((2, 2), "rank: expected one below 2"), ((-1, 2), "rank: ")],
)
def test_numbers_that_do_not_fit(numbers, message):
    with pytest.raises(ValueError, match=message):
        fr.distributed.Processes(*numbers, {})


def test_what_a_communicator_has_to_define():
    with pytest.raises(TypeError, match="abort.*exchange"):
        Communicator(0, 1)  # type: ignore[abstract]
