# SPDX-License-Identifier: BSD-3-Clause
"""A binary tree over the leaves 0, 1, ..., n - 1, whose shape depends only on n.

Each rank has consecutive leaves, as many as the others. If the number of ranks is a power of two, each has one subtree,
and ranks meet as in recursive doubling: at level k, rank r meets ``r XOR 2**k``. Otherwise a rank may have several
subtrees, and two halves a rank in common.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Node(NamedTuple):
    """The leaves from `begin` to `end`."""

    begin: int
    end: int

    def halves(self) -> tuple["Node", "Node"]:
        """The left one has a leaf less if their number is odd."""
        middle = (self.begin + self.end) // 2
        return Node(self.begin, middle), Node(middle, self.end)

    def ranks(self, own: int) -> range:
        """The ranks that have a leaf of it, if each has `own` leaves."""
        return range(self.begin // own, (self.end - 1) // own + 1)


def subtrees(node: Node, rank: int, own: int) -> list[Node]:
    """The largest subtrees of which all leaves are of one rank."""
    if rank not in (ranks := node.ranks(own)):
        return []
    return [node] if len(ranks) == 1 else [each for half in node.halves() for each in subtrees(half, rank, own)]


def meetings(node: Node, own: int) -> list[tuple[int, int]]:
    """The pairs of ranks that exchange the sums of the left and right half of a node.

    Whoever has no leaf in a half meets one who has. All ranks go through all nodes in one order, the halves before the
    whole, and through these pairs in theirs: whatever comes first in this order has both ranks waiting.
    """
    left, right = (half.ranks(own) for half in node.halves())
    pairs = [(left[k % len(left)], right[k % len(right)]) for k in range(max(len(left), len(right)))]
    return [(low, high) for low, high in pairs if low != high]


def all_meetings(node: Node, own: int) -> Iterator[tuple[int, int]]:
    """The meetings of all nodes in which several ranks have leaves, in order."""
    if len(node.ranks(own)) > 1:
        for half in node.halves():
            yield from all_meetings(half, own)
        yield from meetings(node, own)
