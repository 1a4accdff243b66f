# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of shards as flat arrays, added in a binary tree."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._engine.arguments import Array
from ...distributed import Communicator
from ...nn._parameters import distinct


class Flat:
    """The gradients of all parameters, one after another in one array for each dtype.

    Parameters
    ----------
    grads : mapping of str to ndarray
        Of which it has the shapes.
    """

    def __init__(self, grads: Any) -> None:
        arrays = distinct(grads)
        self.parts: list[Array] = []  # one for each dtype
        self.views: dict[str, Array] = {}  # into them, by the name of the parameter
        for dtype in sorted({a.dtype for a in arrays.values()}, key=str):
            own = {name: a for name, a in arrays.items() if a.dtype == dtype}
            part, begin = np.zeros(sum(a.size for a in own.values()), dtype), 0
            self.parts.append(part)
            for name, a in own.items():
                self.views[name] = part[begin : begin + a.size].reshape(a.shape)
                begin += a.size

    def take(self, grads: Any, weight: float | None) -> None:
        """Become these gradients times a weight; 0 without a weight."""
        arrays = distinct(grads)
        with np.errstate(all="ignore"):  # the sum is checked
            for name, view in self.views.items():
                if weight is None:
                    view.fill(0)
                else:
                    np.multiply(arrays[name], weight, out=view)

    def add(self, other: "Flat") -> None:
        """Add those of later shards."""
        with np.errstate(all="ignore"):
            for mine, theirs in zip(self.parts, other.parts, strict=True):
                np.add(mine, theirs, out=mine)

    def give(self, grads: Any, divisor: float) -> None:
        """Write these gradients, divided by a number."""
        arrays = distinct(grads)
        for name, view in self.views.items():
            np.divide(view, divisor, out=arrays[name])


class Tree:
    """The sum over all shards, of which this rank has consecutive ones, a subtree.

    Parameters
    ----------
    model : object with ``grads``
    communicator : Communicator
    shards : int
        A power of two, at least the number of ranks.
    """

    def __init__(self, model: Any, communicator: Communicator, shards: int) -> None:
        own = shards // communicator.size
        self.model, self.communicator = model, communicator
        self.own = range(own * communicator.rank, own * (communicator.rank + 1))
        self._flats = [Flat(model.grads) for _ in range(own.bit_length())]  # one for each level of the subtree

    def compute(self, gradients: Callable[[int], float | None]) -> None:
        """Add up the shards of this rank.

        Parameters
        ----------
        gradients : callable
            It leaves the gradients of a shard in ``model.grads`` and returns their weight, or None for none.
        """
        self._subtree(self.own.start, self.own.stop, 0, gradients)

    def _subtree(self, begin: int, end: int, level: int, gradients: Callable[[int], float | None]) -> None:
        if end - begin == 1:
            self._flats[level].take(self.model.grads, gradients(begin))
            return
        middle = (begin + end) // 2
        self._subtree(begin, middle, level, gradients)  # it needs the arrays of the levels below, too, before the other
        self._subtree(middle, end, level + 1, gradients)
        self._flats[level].add(self._flats[level + 1])

    def sum(self, divisor: float) -> None:
        """Add up those of all ranks, and leave the sum, divided by a number, in ``model.grads``."""
        total = self._flats[0]
        with np.errstate(all="ignore"):
            for part in total.parts:
                self.communicator.add(part)
            total.give(self.model.grads, divisor)
