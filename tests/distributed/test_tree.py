# SPDX-License-Identifier: BSD-3-Clause
"""The tree in which ranks add: its shape, who has what of it, and who meets whom."""

import pytest

from fastrnn.distributed._tree import Node, all_meetings, meetings, subtrees


def test_halves_of_halves():
    assert Node(0, 8).halves() == ((0, 4), (4, 8))
    assert Node(0, 5).halves() == ((0, 2), (2, 5)) and Node(3, 8).halves() == ((3, 5), (5, 8))  # wherever it begins


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_powers_of_two_meet_by_recursive_doubling(size):
    """At level k, r meets r XOR 2**k, for any number of leaves of each."""
    for own in 1, 2, 3, 4:
        assert [subtrees(Node(0, size * own), rank, own) for rank in range(size)] == [
            [(rank * own, (rank + 1) * own)] for rank in range(size)
        ]
        met = list(all_meetings(Node(0, size * own), own))
        for rank in range(size):
            peers = [low + high - rank for low, high in met if rank in (low, high)]
            assert peers == [rank ^ (1 << level) for level in range(size.bit_length() - 1)]


def test_a_rank_may_have_several_subtrees():
    assert subtrees(Node(0, 6), 1, 2) == [(2, 3), (3, 4)]
    assert subtrees(Node(0, 12), 1, 4) == [(4, 6), (6, 7), (7, 8)]
    assert meetings(Node(0, 6), 2) == [(0, 1), (1, 2)]  # of ranks 0, 1 and 1, 2: the second has both halves


@pytest.mark.parametrize("leaves", range(1, 25))
def test_all_have_the_sum_after_the_meetings(leaves):
    """Of each node in which they have a leaf; whoever meets another has its half."""
    for size in (size for size in range(1, leaves + 1) if leaves % size == 0):
        own = leaves // size
        has = [set(subtrees(Node(0, leaves), rank, own)) for rank in range(size)]
        assert sorted(k for nodes in has for node in nodes for k in range(*node)) == list(range(leaves))
        visit(Node(0, leaves), own, has)
        assert all(Node(0, leaves) in nodes for nodes in has)


def visit(node, own, has):
    if len(node.ranks(own)) > 1:
        left, right = node.halves()
        visit(left, own, has)
        visit(right, own, has)
        for low, high in meetings(node, own):
            assert left in has[low] and right in has[high]
            has[low].add(right)
            has[high].add(left)
        for rank in node.ranks(own):
            assert {left, right} <= has[rank]
            has[rank].add(node)
