# SPDX-License-Identifier: BSD-3-Clause
"""Processes on one machine, connected by sockets."""

import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from itertools import combinations
from typing import Any

import numpy as np

from ._communicator import Communicator, not_to_be_copied

HEADER = struct.Struct("<q")  # the number of bytes that follow; below 0, of those that say why no others do
REASON = 2000  # characters of such a text, at most: the socket has room for them
PATIENCE = 1.0  # seconds for which a rank that goes no further waits for this room
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
        self._with: int | None = None  # the rank of an exchange that has begun and not ended
        self._reason: str | None = None  # why there can be no other

    def __reduce__(self) -> Any:
        raise not_to_be_copied(self)

    def exchange(self, data: Any, peer: int) -> Any:
        if peer not in self._links:
            raise ValueError(f"peer: expected one of {', '.join(map(str, self._links)) or 'no rank'}, got {peer}")
        link, view = self._links[peer], memoryview(data)
        view = view.cast("B") if view.nbytes else memoryview(b"")  # an empty array cannot be cast
        if self._reason is not None:
            raise self._error()
        self._with = peer
        try:
            if self.rank < peer:  # one talks, the other listens: both would wait for room in the sockets
                _send(link, view)
                received = _receive(link)
            else:
                received = _receive(link)
                _send(link, view)
        except (Failed, EOFError, OSError) as error:
            self._reason = str(error) if isinstance(error, Failed) else _reason_in(link, peer)
            raise self._error() from None if isinstance(error, Failed) else error
        self._with = None
        return received

    def _error(self) -> ConnectionError:
        return ConnectionError(f"{self._reason}; rank {self.rank} cannot go on alone")

    def abort(self, error: BaseException) -> None:
        """Tell the others which rank failed and with what error, and close the connections: they fail at once."""
        reason = self._reason or f"rank {self.rank} failed: {type(error).__name__}: {error}"
        said = reason[:REASON].encode(errors="replace")
        for peer, link in self._links.items():
            if peer != self._with:  # it would read the text as a part of what it waits for
                with suppress(OSError):  # it has ended, or is behind
                    link.settimeout(PATIENCE)
                    link.sendall(HEADER.pack(-len(said)) + said)
            link.close()


class Failed(Exception):
    """Another rank goes no further; the text says which, and why."""


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
    if count < 0:
        raise Failed(bytes(_exactly(link, -count)).decode())
    return _exactly(link, count)


def _reason_in(link: socket.socket, peer: int) -> str:
    """What a rank has said before it closed the connection, which may be noticed first by who sends to it."""
    try:
        _receive(link)
    except Failed as failed:
        return str(failed)
    except (EOFError, OSError):
        pass
    return f"rank {peer} has ended, or failed"


def _exactly(link: socket.socket, count: int) -> memoryview:
    view = np.empty(count, np.uint8).data
    done = 0
    while done < count:
        got = link.recv_into(view[done:])
        if not got:
            raise EOFError("the connection is closed")
        done += got
    return view
