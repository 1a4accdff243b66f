# SPDX-License-Identifier: BSD-3-Clause
"""Processes on one machine, connected by sockets."""

import socket
import struct
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from ._communicator import Communicator, not_to_be_copied

HEADER = struct.Struct("<q")  # the number of bytes that follow
BUFFER = 1 << 20  # bytes that a socket holds, if the system allows it: fewer changes between two processes


class Processes(Communicator):
    """The communicator of processes that `run` starts on one machine.

    Parameters
    ----------
    rank, size : int
        As of a `Communicator`.
    links : mapping of int to socket
        A connection with each rank that differs from this one in a single bit if `size` is a power of two, else with
        each other rank.

    Raises
    ------
    TypeError, ValueError
        As of a `Communicator`, or a connection is missing.
    """

    def __init__(self, rank: int, size: int, links: Mapping[int, socket.socket]) -> None:
        super().__init__(rank, size)
        peers = [low + high - rank for low, high in pairs(self.size) if rank in (low, high)]
        if missing := [peer for peer in peers if peer not in links]:
            raise ValueError(f"links: expected one with each of the ranks {peers}, got none with {missing[0]}")
        self._links = dict(links)

    def __reduce__(self) -> Any:
        raise not_to_be_copied(self)

    def exchange(self, data: Any, peer: int) -> Any:
        if peer not in self._links:
            raise ValueError(f"peer: expected one of {', '.join(map(str, self._links)) or 'no rank'}, got {peer}")
        link, view = self._links[peer], memoryview(data)
        view = view.cast("B") if view.nbytes else memoryview(b"")  # an empty array cannot be cast
        try:
            if self.rank < peer:  # one talks, the other listens: both would wait for room in the sockets
                _send(link, view)
                return _receive(link)
            received = _receive(link)
            _send(link, view)
        except (EOFError, OSError) as error:
            raise ConnectionError(f"rank {peer} has ended, or failed; rank {self.rank} cannot go on alone") from error
        return received

    def abort(self, error: BaseException) -> None:
        """Close the connections, so that the others fail at once."""
        for link in self._links.values():
            link.close()


def pairs(size: int) -> list[tuple[int, int]]:
    """The pairs of ranks that exchange data: those that differ in one bit, or all if their number is not a power of
    two."""
    everyone = combinations(range(size), 2)
    return [(low, high) for low, high in everyone if size & (size - 1) or (low ^ high).bit_count() == 1]


def connected(link: socket.socket) -> socket.socket:
    """A pair of sockets with large buffers."""
    for option in socket.SO_SNDBUF, socket.SO_RCVBUF:
        link.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    return link


def _send(link: socket.socket, view: memoryview) -> None:
    link.sendall(HEADER.pack(len(view)))
    link.sendall(view)


def _receive(link: socket.socket) -> memoryview:
    (count,) = HEADER.unpack(_exactly(link, HEADER.size))
    return _exactly(link, count)


def _exactly(link: socket.socket, count: int) -> memoryview:
    view = np.empty(count, np.uint8).data
    done = 0
    while done < count:
        got = link.recv_into(view[done:])
        if not got:
            raise EOFError("the connection is closed")
        done += got
    return view
