# SPDX-License-Identifier: BSD-3-Clause
"""Losses of the engine as the package calls them: any memory layout, any threads."""

import numpy as np
import pytest
from support.child import needs_openmp

import fastrnn as fr
from fastrnn._engine import losses

M, V = 40, 7


def rows(rng, dtype):
    spread = rng.random((M, V)).astype(dtype)
    return rng.standard_normal((M, V)).astype(dtype), rng.integers(0, V, M), np.ones(M), spread, rng.random(M)


def strided(array):
    """The same numbers with a step between them."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)[..., ::2]
    wide[...] = array
    return wide


def unaligned(array):
    moved = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


layouts = pytest.mark.parametrize("layout", [np.asfortranarray, strided, unaligned, frozen])


@layouts
def test_cross_entropy_takes_any_layout(layout, dtype, rng):
    z, target, peak, spread, scale = rows(rng, dtype)
    expected = losses.cross_entropy(z, target, peak, spread, scale)
    result = losses.cross_entropy(layout(z), target, peak, layout(spread), scale)
    for ours, theirs in zip(result, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs, strict=True)
        assert ours.flags.c_contiguous


@needs_openmp
@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_same_bits_on_any_number_of_threads(n, dtype, rng):
    """Of the losses that the package offers, of a batch that is divided."""
    logits, classes = rng.standard_normal((70, 30, 50)).astype(dtype), rng.integers(1, 50, (70, 30))

    def everything():
        yield fr.cross_entropy(logits, classes, label_smoothing=0.1, lengths=[*range(30, 60)])
        yield fr.cross_entropy(logits, rng_free_probabilities(logits), sample_weight=np.arange(30))

    with fr.threads(1):
        expected = [*everything()]
    with fr.threads(n):
        for (loss, slope), (expected_loss, expected_slope) in zip(everything(), expected, strict=True):
            assert loss == expected_loss and slope.tobytes() == expected_slope.tobytes()


def rng_free_probabilities(logits):
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))[::-1]
    return p / p.sum(axis=-1, keepdims=True)
