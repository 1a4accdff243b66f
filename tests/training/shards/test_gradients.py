# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of shards, weighted and added in one binary tree, however many ranks have them."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.ranks import in_threads

from fastrnn.distributed import Local
from fastrnn.training._shards.gradients import Flat, Tree


def grads(rng=None):
    """Of both dtypes; one has two names, one no elements."""
    make = np.zeros if rng is None else lambda shape, dtype: rng.standard_normal(shape).astype(dtype)
    a = make((3, 2), np.float32)
    return {"a": a, "b": make(4, np.float64), "again": a, "c": make(2, np.float32), "none": make((0, 3), np.float32)}


def test_flat_arrays_hold_each_gradient_once(rng):
    source, target = grads(rng), grads()
    flat = Flat(target)
    assert [(part.dtype, part.size) for part in flat.parts] == [(np.float32, 8), (np.float64, 4)]
    flat.take(source, 3.0)
    flat.give(target, 2.0)
    for name in source:
        np.testing.assert_array_equal(target[name], source[name] * 3 / 2)
    flat.take(source, None)
    flat.give(target, 1.0)
    assert not any(np.any(g) for g in target.values())


def of_shard(k):
    """Gradients of many magnitudes and their weight; none of shard 2."""
    rng = np.random.default_rng(k)
    values = {name: (g * 10.0 ** rng.integers(-4, 5)).astype(g.dtype) for name, g in grads(rng).items()}
    return values, None if k == 2 else 1.0 + k / 3


def summed(communicator, shards):
    model = SimpleNamespace(grads=grads())

    def compute(k):
        values, weight = of_shard(k)
        for name in "a", "b", "c":
            model.grads[name][...] = values[name]
        return weight

    tree = Tree(model, communicator, shards)
    for _ in range(2):  # the arrays are used again
        tree.compute(compute)
        tree.sum(7.0)
    return model.grads


def tree(parts):
    """Halves of halves."""
    half = len(parts) // 2
    return tree(parts[:half]) + tree(parts[half:]) if half else parts[0]


@pytest.mark.parametrize("shards, ranks", [(8, 1), (8, 2), (8, 4), (8, 8), (6, 1), (6, 2), (6, 3), (6, 6), (12, 3)])
def test_the_tree_of_any_number_of_ranks(shards, ranks):
    expected = {}
    for name in "a", "b", "c":
        parts = []
        for k in range(shards):
            values, weight = of_shard(k)
            parts.append(np.zeros_like(values[name]) if weight is None else values[name] * weight)
        expected[name] = tree(parts) / 7
    for result in in_threads(ranks, summed, shards):
        for name, g in expected.items():
            np.testing.assert_array_equal(result[name], g, err_msg=name)
        np.testing.assert_array_equal(result["again"], result["a"])


def test_what_is_too_large_becomes_infinite_without_a_warning():
    """The training finds it, and says more."""
    model = SimpleNamespace(grads={"a": np.full(2, 3e38, np.float32)})
    tree = Tree(model, Local(), 2)
    tree.compute(lambda k: 1.0)
    tree.sum(1.0)
    assert np.isinf(model.grads["a"]).all()
