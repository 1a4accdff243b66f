# SPDX-License-Identifier: BSD-3-Clause
"""Bytes between two processes: of any size, both at once, and an error when the other has ended."""

import copy
import pickle
import socket

import pytest
from support.ranks import in_threads

from fastrnn.distributed import Processes, _processes
from fastrnn.distributed._processes import pairs


@pytest.mark.parametrize("sizes", [(0, 1), (3, 0), (1 << 23, 1 << 23), (1, 1 << 23)])
def test_both_send_before_they_have_received(sizes):
    """More than sockets hold, too."""
    sent = [bytes([rank + 1]) * size for rank, size in enumerate(sizes)]
    received = in_threads(2, lambda c: bytes(c.exchange(sent[c.rank], 1 - c.rank)))
    assert received == sent[::-1]


def test_pairs_differ_in_one_bit_or_are_any():
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)]
    assert pairs(1) == [] and pairs(2) == [(0, 1)]
    assert sorted(pairs(4)) == [(0, 1), (0, 2), (1, 3), (2, 3)]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_that_has_ended(rank):
    """Whoever is to send first."""
    ours, theirs = socket.socketpair()
    with ours:
        communicator = Processes(rank, 2, {1 - rank: ours})
        theirs.close()
        with pytest.raises(ConnectionError, match=f"rank {1 - rank} has ended, or failed; rank {rank} cannot"):
            communicator.exchange(bytes(10), 1 - rank)


def test_an_abort_reaches_the_others():
    """Also those that do not exchange with the rank itself."""

    def work(communicator):
        if communicator.rank == 3:
            raise KeyError("three")
        return communicator.gather(0)

    results = in_threads(4, work)
    assert isinstance(results.pop(), KeyError)
    assert [type(result) for result in results] == [ConnectionError] * 3
    assert [str(result) for result in results] == [
        f"rank 3 failed: KeyError: 'three'; rank {rank} cannot go on alone" for rank in range(3)
    ]


@pytest.mark.parametrize("failing", [0, 1])
def test_the_reason_stays(failing):
    """Whoever is to send first, and for every later exchange; a long one is cut."""

    def work(communicator):
        if communicator.rank == failing:
            raise ValueError("long " * 1000)
        texts = []
        for _ in range(2):
            with pytest.raises(ConnectionError) as caught:
                communicator.gather(bytes(1 << 24))
            texts.append(str(caught.value))
        return texts

    results = in_threads(2, work)
    assert isinstance(results.pop(failing), ValueError)
    (texts,) = results
    assert texts[0] == texts[1] and len(texts[0]) < 2100
    assert texts[0].startswith(f"rank {failing} failed: ValueError: long long ")


@pytest.mark.parametrize("rank", [0, 1])
def test_an_exchange_that_is_broken_off(rank):
    """The other rank waits for the rest of it, and would read a text as a part of that."""
    ours, theirs = socket.socketpair()
    with theirs:
        communicator, seen = Processes(rank, 2, {1 - rank: ours}), []

        class Interrupted:
            """A socket during whose first call Ctrl-C comes."""

            def sendall(self, data):
                ours.sendall(bytes(data)[:4])
                raise KeyboardInterrupt

            recv_into = sendall

            def close(self):
                seen.append("closed")
                ours.close()

        communicator._links = {1 - rank: Interrupted()}
        with pytest.raises(KeyboardInterrupt):
            communicator.exchange(bytes(10), 1 - rank)
        communicator.abort(KeyboardInterrupt())
        assert seen == ["closed"] and len(theirs.recv(100)) == 4 and theirs.recv(100) == b""


def test_an_abort_waits_for_nobody(monkeypatch):
    """A rank that reads nothing is left behind, and those after it are told."""
    monkeypatch.setattr(_processes, "PATIENCE", 0.01)
    pair, other = socket.socketpair(), socket.socketpair()
    with pair[1], other[1]:
        pair[0].setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                pair[0].send(bytes(1 << 16))
        Processes(0, 4, {1: pair[0], 2: other[0]}).abort(ValueError("text"))
        assert other[1].recv(100)[8:] == b"rank 0 failed: ValueError: text"


def test_connections_that_are_missing():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(ValueError, match=r"links: expected one with each of the ranks \[1, 2\], got none with 2"):
            Processes(0, 4, {1: ours})
        with pytest.raises(ValueError, match="peer: expected one of 1, got 0"):
            Processes(0, 2, {1: ours}).exchange(b"", 0)


@pytest.mark.parametrize("way", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_stays_in_its_process(way):
    with pytest.raises(
        TypeError, match=r"expected to stay in the process of its rank, got Processes\(rank=0, size=1\) to"
    ):
        way(Processes(0, 1, {}))
