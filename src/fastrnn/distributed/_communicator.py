# SPDX-License-Identifier: BSD-3-Clause
"""What ranks do together, built on an exchange of bytes between two of them."""

import pickle
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .._engine.arguments import Array, as_size


class Communicator(ABC):
    """The processes of a training as one of them, a rank, sees them.

    A communicator of your own defines `exchange` and `abort`, and calls this constructor.

    Parameters
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        How many there are: 1, 2, 4, 8, ...

    Attributes
    ----------
    rank, size : int

    Raises
    ------
    TypeError, ValueError
        They are not integers, `size` is no power of two, or `rank` is not below it.
    """

    def __init__(self, rank: int, size: int) -> None:
        self.rank: int = as_size("rank", rank, 0)
        self.size: int = as_size("size", size)
        if self.size & (self.size - 1):
            raise ValueError(f"size: expected a number of processes that is a power of two, got {self.size}")
        if self.rank >= self.size:
            raise ValueError(f"rank: expected one below {self.size}, the number of processes, got {self.rank}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rank={self.rank}, size={self.size})"

    @abstractmethod
    def exchange(self, data: Any, peer: int) -> Any:
        """Send bytes to another rank, and receive those that it sends by the same call.

        Parameters
        ----------
        data : contiguous buffer
        peer : int
            Its rank.

        Returns
        -------
        received : buffer
            As many bytes as the other rank sends, which may be another number.

        Raises
        ------
        ConnectionError
            The other rank has ended.
        """

    @abstractmethod
    def abort(self, error: BaseException) -> None:
        """End the exchanges of the other ranks with an error, since this one goes no further."""

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in their order, on every rank.

        Parameters
        ----------
        value : object
            It can be pickled.

        Returns
        -------
        values : list

        Raises
        ------
        ConnectionError
            A rank has ended.
        """
        values = [value]
        for peer in self._peers():
            others = pickle.loads(self.exchange(pickle.dumps(values, pickle.HIGHEST_PROTOCOL), peer))
            values = values + others if self.rank < peer else others + values
        return values

    def first(self, value: Any) -> Any:
        """The value of rank 0, on every rank; those of the others are not sent.

        Parameters
        ----------
        value : object
            It can be pickled.

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
        """Sum an array over the ranks, in place, in a binary tree: ((0 + 1) + (2 + 3)) + ...

        Parameters
        ----------
        array : ndarray
            Contiguous, of the same shape and dtype on every rank.

        Raises
        ------
        ConnectionError
            A rank has ended.
        """
        for peer in self._peers():
            other = np.frombuffer(self.exchange(array, peer), array.dtype).reshape(array.shape)
            np.add(*((array, other) if self.rank < peer else (other, array)), out=array)

    def _peers(self) -> list[int]:
        """The ranks with which this one exchanges, one for each level of the tree."""
        return [self.rank ^ (1 << level) for level in range(self.size.bit_length() - 1)]


class Local(Communicator):
    """One process, which computes all shards.

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
        """There is nobody to tell."""
