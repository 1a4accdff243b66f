# SPDX-License-Identifier: BSD-3-Clause
"""Collective operations, built on an exchange of bytes between two ranks."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._engine.arguments import Array, as_size
from ._tree import Node, all_meetings, meetings

LARGE = 1 << 18  # bytes from which less to send is worth more messages


class Communicator(ABC):
    """Base class of communicators: the processes of a training, as seen by one of them.

    A custom communicator defines `exchange` and `abort`, and calls this constructor.

    Parameters
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        How many there are.

    Attributes
    ----------
    rank, size : int

    Raises
    ------
    TypeError, ValueError
        They are not integers, or `rank` is not below `size`.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank: int = as_size("rank", rank, 0)
        self.size: int = as_size("size", size)
        if self.rank >= self.size:
            raise ValueError(f"rank: expected one below {self.size}, the number of processes, got {self.rank}")
        self._busy = False
        met = all_meetings(Node(0, self.size), 1)
        self._peers = [low + high - self.rank for low, high in met if self.rank in (low, high)]  # in their order

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rank={self.rank}, size={self.size})"

    @abstractmethod
    def exchange(self, data: Any, peer: int) -> Any:
        """Send bytes to another rank, and receive the bytes that it sends in the same call.

        Parameters
        ----------
        data : contiguous buffer
        peer : int
            Its rank.

        Returns
        -------
        received : buffer
            The bytes that the other rank sends; their number may differ.

        Raises
        ------
        ConnectionError
            The other rank has ended.
        """

    @abstractmethod
    def abort(self, error: BaseException) -> None:
        """Make the other ranks fail, because this one cannot continue."""

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in their order, on every rank.

        Parameters
        ----------
        value : object
            Any picklable object.

        Returns
        -------
        values : list

        Raises
        ------
        ConnectionError
            A rank has ended.
        ValueError
            Another rank made a different call.
        """
        values = {self.rank: value}
        for peer in self._peers:
            received = self._swapped(pickle.dumps(values, pickle.HIGHEST_PROTOCOL), peer)
            try:
                values |= pickle.loads(received)
            except Exception as error:
                raise ValueError(
                    f"communicator: expected the values of rank {peer}, got something else ({error}): all ranks make "
                    "the same calls in one order, of one training at a time"
                ) from error
        return [values[rank] for rank in range(self.size)]

    def first(self, value: Any) -> Any:
        """Broadcast the value of rank 0 to every rank.

        Parameters
        ----------
        value : object
            Any picklable object.

        Returns
        -------
        object

        Raises
        ------
        ConnectionError
            A rank has ended.
        """
        return self.gather(value if self.rank == 0 else None)[0]

    def add(self, array: Array) -> None:
        """Sum an array over the ranks, in place, in a fixed binary tree; for 4 ranks, (0 + 1) + (2 + 3).

        Parameters
        ----------
        array : ndarray
            Contiguous, of the same shape and dtype on every rank.

        Raises
        ------
        ConnectionError
            A rank has ended.
        """
        self.add_leaves({(self.rank, self.rank + 1): array}, self.size)

    def add_leaves(self, sums: Mapping[tuple[int, int], Array], leaves: int) -> Array:
        """Sum arrays, the leaves of a fixed binary tree, of which each rank has the same number.

        Parameters
        ----------
        sums : mapping of (int, int) to ndarray
            The sums over the largest subtrees whose leaves are all on this rank, keyed by the first leaf and the one
            after the last. Contiguous, of the same shape and dtype on every rank; they are overwritten.
        leaves : int
            The number of leaves, a multiple of the number of ranks.

        Returns
        -------
        total : ndarray
            One of `sums`: the sum over all leaves, bit-identical on any number of ranks.

        Raises
        ------
        ConnectionError
            A rank has ended.
        """
        (first, *others) = sums.values()
        if not others and not self.size & (self.size - 1) and self.size > 2 and first.nbytes >= LARGE:
            self._add_in_pieces(first.reshape(-1))
            return first
        return self._total(Node(0, leaves), sums, leaves // self.size)

    def _total(self, node: Node, sums: Mapping[tuple[int, int], Array], own: int) -> Array:
        """The sum over a node of the tree, on every rank that has a leaf of it."""
        if node in sums:
            return sums[node]
        halves: dict[int, Array] = {}  # the sums over the left one, 0, and the right one, 1
        for k, half in enumerate(node.halves()):
            if self.rank in half.ranks(own):
                halves[k] = self._total(half, sums, own)
        mine = next(iter(halves.values()))
        for pair in meetings(node, own):
            if self.rank in pair:
                k = pair.index(self.rank)
                halves.setdefault(1 - k, self._received(halves[k], pair[1 - k]))
        return np.add(halves[0], halves[1], out=mine)

    def _add_in_pieces(self, array: Array) -> None:
        """The sum over a power of two of ranks, by recursive halving and doubling: each rank sums one part.

        Every element is added in the order of `_total`, with fewer bytes sent: twice those of the array on any number
        of ranks, instead of those of the array for each level of the tree.
        """
        begin, end, pieces = 0, array.size, []
        for peer in self._peers:
            pieces.append((begin, end))
            middle = (begin + end) // 2
            kept, sent = (begin, middle), (middle, end)
            if self.rank > peer:
                kept, sent = sent, kept
            mine, other = array[slice(*kept)], self._received(array[slice(*sent)], peer)
            np.add(*((mine, other) if self.rank < peer else (other, mine)), out=mine)
            begin, end = kept
        for peer, (first, last) in zip(reversed(self._peers), reversed(pieces), strict=True):
            other = self._received(array[begin:end], peer)
            array[slice(end, last) if self.rank < peer else slice(first, begin)] = other
            begin, end = first, last

    def _swapped(self, data: Any, peer: int) -> Any:
        """Exchange bytes with another rank. Concurrent calls would mix up messages."""
        if self._busy:
            raise RuntimeError("communicator: expected one thread to use it at a time, got a second one")
        self._busy = True
        try:
            return self.exchange(data, peer)
        finally:
            self._busy = False

    def _received(self, array: Any, peer: int) -> Array:
        """The array of another rank, for this one."""
        received = np.frombuffer(self._swapped(array, peer), array.dtype)
        return received.reshape(array.shape) if received.size == array.size else received


class Local(Communicator):
    """A single process, which computes all shards.

    Examples
    --------
    >>> import fastrnn as fr
    >>> fr.distributed.Local()
    Local(rank=0, size=1)
    """

    def __init__(self) -> None:
        super().__init__(0, 1)

    def exchange(self, data: Any, peer: int) -> Any:
        raise ValueError(f"peer: expected another rank, got {peer}: there is one process")

    def abort(self, error: BaseException) -> None:
        """Do nothing: there are no other ranks."""


def not_to_be_copied(communicator: Communicator) -> TypeError:
    """Raise an error, because communicators cannot be pickled or copied."""
    return TypeError(f"communicator: expected to stay in the process of its rank, got {communicator} to pickle or copy")
