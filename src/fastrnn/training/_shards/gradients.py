# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of shards as flat arrays, added in a binary tree."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._engine.arguments import Array
from ...distributed import Communicator
from ...distributed._tree import Node, subtrees
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
    """The sum over all shards, of which this rank has consecutive ones: a subtree, or several.

    Parameters
    ----------
    model : object with ``grads``
    communicator : Communicator
    shards : int
        A multiple of the number of ranks.
    """

    def __init__(self, model: Any, communicator: Communicator, shards: int) -> None:
        self.model, self.communicator, self.shards = model, communicator, shards
        own = shards // communicator.size
        self.own = range(own * communicator.rank, own * (communicator.rank + 1))
        nodes = subtrees(Node(0, shards), communicator.rank, own)
        self._sums = {node: Flat(model.grads) for node in nodes}
        levels = max(node.end - node.begin for node in nodes) - 1
        self._below = [Flat(model.grads) for _ in range(levels.bit_length())]  # one for each level of a subtree

    def compute(self, gradients: Callable[[int], float | None]) -> None:
        """Add up the shards of this rank.

        Parameters
        ----------
        gradients : callable
            It leaves the gradients of a shard in ``model.grads`` and returns their weight, or None for none.
        """
        for node, total in self._sums.items():
            self._add(node, total, self._below, gradients)

    def _add(self, node: Node, total: Flat, below: list[Flat], gradients: Callable[[int], float | None]) -> None:
        if node.end - node.begin == 1:
            total.take(self.model.grads, gradients(node.begin))
            return
        left, right = node.halves()
        self._add(left, total, below, gradients)  # it needs the arrays of the levels below, too, before the other
        self._add(right, below[0], below[1:], gradients)
        total.add(below[0])

    def sum(self, divisor: float) -> None:
        """Add up those of all ranks, and leave the sum, divided by a number, in ``model.grads``."""
        first = next(iter(self._sums.values()))
        with np.errstate(all="ignore"):
            for k, part in enumerate(first.parts):
                total = self.communicator.add_leaves({node: f.parts[k] for node, f in self._sums.items()}, self.shards)
                if total is not part:
                    part[...] = total
            first.give(self.model.grads, divisor)
