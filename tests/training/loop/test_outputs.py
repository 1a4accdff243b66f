# SPDX-License-Identifier: BSD-3-Clause
"""Outputs that are kept for metrics of all of them: those of rows, or the positions that count, in the same order."""

import tracemalloc

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.training._loop.outputs import Outputs, one_batch, stacked
from fastrnn.training._loop.whole import takes_rows

LENGTHS = np.array([5, 2, 0, 7, 7, 1, 3, 3])


def model_of(batch_first):
    """For rows of 3 features, 4 outputs."""
    return fr.Sequential(fr.GRU(3, 6, seed=0, batch_first=batch_first), fr.Linear(6, 4, seed=1))


def given(model, x, y, **options):
    """What a metric without lengths is given of all, and the same where another one needs rows."""
    seen = []

    def note(y, target):
        seen.append((y.copy(), target.copy()))
        return 1.0

    def of_rows(y, target, lengths=None):
        return 1.0

    for metrics in [note], [note, of_rows]:
        fr.evaluate(model, fr.cross_entropy, x, y, metrics=metrics, **options)
    return seen[1], seen[3]  # after a first batch each


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("chunk", [None, 2, 7])
@pytest.mark.parametrize("size", [1, 3, 8])
def test_the_same_bits_in_the_same_order(size, chunk, batch_first, rng):
    """Packed rows, padded ones, in pieces of time; full batches among them."""
    x = [rng.standard_normal((length, 3)).astype(np.float32) for length in LENGTHS]
    y = [rng.integers(0, 4, length) for length in LENGTHS]
    positions, rows = given(model_of(batch_first), x, y, batch_size=size, chunk=chunk)
    assert len(positions[0]) == LENGTHS.sum()
    for a, b in zip(positions, rows, strict=True):
        np.testing.assert_array_equal(a, b)


def test_full_rows_keep_their_shape(rng):
    x, y = rng.standard_normal((5, 8, 3)).astype(np.float32), rng.integers(0, 4, (5, 8))
    for found in given(model_of(False), x, y, batch_size=3, chunk=2):
        assert found[0].shape == (5, 8, 4)
        np.testing.assert_array_equal(found[1], y)


def test_padding_is_not_kept(rng):
    """Rows of which one in eight is long: little more than its positions, at the end twice."""
    T, N, F = 64, 8, 50
    lengths = np.array([T] + [4] * (N - 1))
    outputs = Outputs(False, of_rows=False)
    tracemalloc.start()
    for _ in range(20):
        outputs.add(np.ones((T, N, F)), np.ones((T, N)), lengths, continues=False)
    kept = 20 * lengths.sum() * (F + 1) * 8
    assert tracemalloc.get_traced_memory()[0] < 1.1 * kept
    y, target, none = outputs.joined(())
    assert tracemalloc.get_traced_memory()[0] < 1.1 * kept  # the parts have been freed
    assert tracemalloc.get_traced_memory()[1] < 2.2 * kept
    tracemalloc.stop()
    assert y.shape == (20 * lengths.sum(), F) and target.shape == y.shape[:1] and none is None
    assert outputs.joined(())[0] is y


def test_targets_that_are_not_of_each_step():
    outputs = Outputs(False, of_rows=False)
    with pytest.raises(ValueError, match=r"y: expected targets \(3, 2, '...'\), one for each step, got \(2,\)"):
        outputs.add(np.ones((3, 2, 1)), np.ones(2), [3, 1], continues=False)


def test_which_metrics_take_rows():
    """Losses of this package that have an argument `lengths` take positions as well."""

    def own(y, target, lengths=None):
        return 0.0

    assert [takes_rows(metric) for metric in (own, fr.ctc_loss, fr.cross_entropy, fr.training.accuracy, len)] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert [takes_rows(fr.training.FunctionOfMean(np.sqrt, mean)) for mean in (own, fr.mse_loss)] == [True, False]


def test_stacked_parts(rng):
    parts = [rng.standard_normal((n, 2)).astype(kind) for n, kind in ((3, np.float32), (0, np.float32), (2, float))]
    expected = np.concatenate(parts)
    found = stacked(parts)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype and parts == []


def test_one_batch_of_full_and_padded_rows(rng):
    """Without an argument for lengths, positions; with one, rows, padded with 0, and the lengths of all."""
    a, b = rng.standard_normal((3, 2, 1)), rng.standard_normal((5, 1, 1))
    batches = [(a, 2 * a, None), (b, 2 * b, np.array([4]))]
    y, target, lengths = one_batch(batches, False, ["y", "target"])
    np.testing.assert_array_equal(y, np.concatenate([a.reshape(6, 1), b[:4, 0]]))
    np.testing.assert_array_equal(target, 2 * y)
    assert lengths is None
    y, target, lengths = one_batch(batches, False, ["lengths"])
    assert y.shape == (5, 3, 1) and lengths.tolist() == [3, 3, 4] and not y[3:, :2].any()
    np.testing.assert_array_equal(target, 2 * y)
    np.testing.assert_array_equal(y[:3, :2], a)
    np.testing.assert_array_equal(y[:, 2:], b)
