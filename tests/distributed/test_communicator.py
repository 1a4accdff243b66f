# SPDX-License-Identifier: BSD-3-Clause
"""What ranks do together: values gathered in the order of the ranks, sums in one binary tree of any size."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.ranks import in_threads

import fastrnn as fr
from fastrnn.distributed import Communicator, Local, Processes, _communicator
from fastrnn.distributed._tree import Node, subtrees


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8])
def test_values_come_in_the_order_of_the_ranks(size):
    everyone = in_threads(size, lambda c: (c.gather({"rank": c.rank}), c.first(["of", c.rank])))
    assert everyone == [([{"rank": rank} for rank in range(size)], ["of", 0])] * size


def tree(parts):
    """Halves of halves."""
    half = len(parts) // 2
    return tree(parts[:half]) + tree(parts[half:]) if half else parts[0]


def numbers(rng, leaves, count=1001):
    """Of many magnitudes, so that their sum depends on the order."""
    parts = (rng.standard_normal((leaves, count)) * 10.0 ** rng.integers(-6, 7, (leaves, count))).astype(np.float32)
    assert leaves == 1 or leaves == 2 or (tree(parts) != sum(parts[1:], parts[0])).any()
    return parts


@pytest.mark.parametrize("large", [False, True], ids=["doubling", "halving"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 8])
def test_a_sum_is_a_binary_tree(size, large, rng, monkeypatch):
    """Also one in pieces, of an odd number of elements."""
    monkeypatch.setattr(_communicator, "LARGE", 1 if large else 1 << 30)
    parts = numbers(rng, size)

    def add(communicator):
        communicator.add(array := parts[communicator.rank].copy())
        return array

    for array in in_threads(size, add):
        np.testing.assert_array_equal(array, tree(parts))


def test_pieces_are_less_to_send(rng, monkeypatch):
    """Of 8 ranks each sends 7/8 of the array twice, and not the array three times; 2 ranks exchange it whole."""
    sent = {}

    class Counting(Processes):
        def exchange(self, data, peer):
            sent[self.rank] = sent.get(self.rank, 0) + memoryview(data).nbytes
            return super().exchange(data, peer)

    def add(communicator):
        counting = Counting(communicator.rank, communicator.size, communicator._links)
        counting.add(np.zeros(1024, np.float32))

    for size, large, expected in (8, 1, 2 * 7 * 512), (8, 1 << 13, 3 * 4096), (2, 1, 4096):
        monkeypatch.setattr(_communicator, "LARGE", large)
        sent.clear()
        in_threads(size, add)
        assert sent == dict.fromkeys(range(size), expected)


@pytest.mark.parametrize(
    "leaves, sizes", [(6, (1, 2, 3, 6)), (12, (1, 2, 3, 4, 6, 12)), (8, (1, 2, 4, 8)), (9, (3, 9))]
)
def test_leaves_have_one_sum_on_any_number_of_ranks_that_divides_theirs(leaves, sizes, rng):
    parts = numbers(rng, leaves)

    def add(communicator):
        nodes = subtrees(Node(0, leaves), communicator.rank, leaves // communicator.size)
        return communicator.add_leaves({node: tree(parts[slice(*node)]).copy() for node in nodes}, leaves)

    for size in sizes:
        for total in in_threads(size, add):
            np.testing.assert_array_equal(total, tree(parts))


def test_arrays_without_elements_have_a_sum():
    assert in_threads(3, lambda c: c.add(np.zeros((0, 3), np.float32))) == [None] * 3


def test_one_process_talks_to_nobody():
    communicator = Local()
    assert communicator.gather("a") == ["a"] and communicator.first("a") == "a"
    with pytest.raises(ValueError, match="peer: expected another rank, got 1"):
        communicator.exchange(b"", 1)
    communicator.abort(ValueError())


@pytest.mark.parametrize(
    "numbers, message",
    [((0, 0), "size: "), ((2, 2), "rank: expected one below 2"), ((-1, 2), "rank: ")],
)
def test_numbers_that_do_not_fit(numbers, message):
    with pytest.raises(ValueError, match=message):
        fr.distributed.Processes(*numbers, {})


def test_what_a_communicator_has_to_define():
    with pytest.raises(TypeError, match="abort.*exchange"):
        Communicator(0, 1)  # type: ignore[abstract]


@pytest.mark.parametrize("sent", [b"no pickle", pickle.dumps(3), b""])
def test_values_that_another_rank_does_not_send(sent):
    """As from two trainings at once."""

    def work(communicator):
        return communicator.exchange(sent, 0) if communicator.rank else communicator.gather(0)

    error, _ = in_threads(2, work)
    assert isinstance(error, ValueError)
    assert str(error).startswith("communicator: expected the values of rank 1, got something else (")


def test_two_threads_of_one_rank():
    """The first waits for another rank, and has the answer in the end."""
    waiting, refused = threading.Event(), threading.Event()

    class Slow(Processes):
        def exchange(self, data, peer):
            waiting.set()
            return super().exchange(data, peer)

    def work(communicator):
        if communicator.rank:
            assert refused.wait(10)
            return communicator.gather("one")
        slow = Slow(0, 2, communicator._links)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(slow.gather, "zero")
            assert waiting.wait(10)
            with pytest.raises(RuntimeError, match="expected one thread to use it at a time, got a second one"):
                slow.gather("again")
            refused.set()
            return first.result()

    assert in_threads(2, work) == [["zero", "one"]] * 2
