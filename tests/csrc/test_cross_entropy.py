# SPDX-License-Identifier: BSD-3-Clause
"""Cross-entropy of rows in C, on every engine: against NumPy in float64, for any threads, with numbers of any size."""

import numpy as np
import pytest
from support import softmax_losses
from support.losses import RTOL

from fastrnn import _core

SIZES = [(0, 3), (1, 1), (7, 1), (5, 2), (9, 7), (4, 16), (3, 17), (3, 63), (2, 64), (3, 65), (2, 1000)]  # M, V
SPREADS = ["none", "one", "each"]


def problem(M, V, dtype, rng, spread="none"):
    """Arguments of _core.cross_entropy but the results; every third row does not count."""
    target = rng.integers(0, V, M)
    target[1::3] = -1
    shape = {"none": None, "one": V, "each": (M, V)}[spread]
    q = None if shape is None else np.where(rng.random(shape) < 0.3, 0, rng.random(shape)).astype(dtype)
    z = (3 * rng.standard_normal((M, V))).astype(dtype)
    z[1::3] = np.nan
    return z, target, rng.random(M) * (rng.random(M) < 0.8), q, rng.random(M)


def run(z, target, peak, spread, scale, threads=1):
    losses, dz = np.full(len(z), 7.0), np.full_like(z, 7)
    _core.cross_entropy(z, target, peak, spread, scale, dz, losses, threads)
    return losses, dz


def assert_close(result, expected, dtype):
    """Losses and gradients relative to their largest entry, as in tests/losses; of one class they are differences of
    numbers up to 1."""
    for ours, theirs in zip(result, expected, strict=True):
        size = 1 if result[1].shape[1] == 1 else np.abs(theirs).max(initial=0)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=RTOL[dtype.type] * size)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize(("M", "V"), SIZES)
def test_matches_numpy(M, V, spread, isa, dtype, rng):
    given = problem(M, V, dtype, rng, spread)
    before = [None if array is None else array.copy() for array in given]
    result = run(*given)
    assert_close(result, softmax_losses.cross_entropy(*given), dtype)
    assert not result[0][1::3].any() and not result[1][1::3].any()
    for array, old in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize(("M", "V"), [(2003, 65), (37, 9001)])
def test_the_same_bits_on_any_number_of_threads(M, V, spread, isa, dtype, rng):
    """With more logits than a thread needs to be worth its while, and half of the rows ignored together."""
    given = problem(M, V, dtype, rng, spread)
    given[1][M // 2 :] = -1
    losses, dz = run(*given)
    for threads in (2, 3, 5):
        again = run(*given, threads=threads)
        assert again[0].tobytes() == losses.tobytes() and again[1].tobytes() == dz.tobytes()


def test_a_row_alone_has_its_bits(isa, dtype, rng):
    """Wherever it lies."""
    given = problem(31, 29, dtype, rng, "each")
    losses, dz = run(*given)
    for row in range(31):
        alone = run(*(array[row : row + 1] for array in given))
        assert alone[0].tobytes() == losses[row : row + 1].tobytes()
        assert alone[1].tobytes() == dz[row : row + 1].tobytes()


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize("V", [3, 40])
def test_extreme_logits(V, isa, dtype):
    """Right and wrong by 2e4 nats, the largest numbers, forbidden classes; NaN and infinity stay in their row."""
    large = float(np.finfo(dtype).max)
    rows = [[1e4, -1e4, -1e4], [-1e4, 1e4, -1e4], [large, -large, 0], [0, -INF, -INF], [-INF, 0, -INF], [-large] * 3]
    nans = [[NAN, 0, 0], [0, NAN, 0], [INF, 0, 0], [0, INF, 0], [-INF] * 3, [NAN] * 3, [INF, -INF, INF]]
    z = np.full((len(rows + nans), V), -INF, dtype)  # further classes are forbidden
    z[:, [0, V // 2, V - 1]] = rows + nans
    M = len(z)
    losses, dz = run(z, np.zeros(M, np.intp), np.ones(M), None, np.ones(M))
    expected = [0, 2e4, 0, 0, INF, np.log(3)]
    np.testing.assert_allclose(losses[: len(rows)], expected, rtol=RTOL[dtype.type])
    assert np.isnan(losses[len(rows) :]).all() and np.isnan(dz[len(rows) :]).all()
    slopes = np.zeros((len(rows), V))
    slopes[[1, 4], 0], slopes[[1, 4], V // 2] = -1, 1
    slopes[5, [0, V // 2, V - 1]] = -2 / 3, 1 / 3, 1 / 3
    np.testing.assert_allclose(dz[: len(rows)], slopes, rtol=0, atol=RTOL[dtype.type])


def test_what_has_no_part_in_the_target_costs_nothing(isa, dtype):
    """0 * -inf is 0, of the peak and of the spread."""
    z = np.array([[0, -INF, 0], [-INF, 0, 0]], dtype)
    spread = np.array([0.5, 0, 0.5], dtype)
    losses, _ = run(z[:1], np.array([1]), np.zeros(1), spread, np.ones(1))
    assert losses[0] == pytest.approx(np.log(2), rel=RTOL[dtype.type])
    losses, _ = run(z[1:], np.array([1]), np.zeros(1), spread, np.ones(1))
    assert losses[0] == INF
    losses, dz = run(z, np.array([1, 0]), np.zeros(2), None, np.ones(2))
    assert not losses.any() and not dz.any()


def test_nothing_beside_the_arrays_is_touched(isa, dtype, rng):
    for V in range(1, 36):
        given = problem(3, V, dtype, rng)
        buffer, losses = np.full(3 * V + 64, 7, dtype), np.full(3 + 16, 7.0)
        _core.cross_entropy(*given, buffer[32:-32].reshape(3, V), losses[8:-8], 1)
        assert (buffer[:32] == 7).all() and (buffer[-32:] == 7).all()
        assert (losses[:8] == 7).all() and (losses[-8:] == 7).all()


@pytest.mark.parametrize("target", [-2, 5])
def test_a_target_beyond_the_classes_is_refused(target):
    """C would read and write there."""
    given = np.ones((2, 5), np.float32), np.array([0, target]), np.ones(2), None, np.ones(2)
    with pytest.raises(ValueError, match=rf"^target: expected -1\.\.4, got {target}"):
        run(*given)


@pytest.mark.slow
def test_pieces_have_the_bits_of_the_rows_alone(rng):
    """More logits than are computed between two looks at Ctrl-C: 2^25."""
    M, V = 2**20 + 3, 33
    part = problem(97, V, np.dtype(np.float32), rng)
    given = [None if a is None else np.resize(a, (M, *a.shape[1:])) for a in part]
    losses, dz = run(*part)
    result = run(*given, threads=2)
    assert result[0].tobytes() == np.resize(losses, M).tobytes()
    assert result[1].tobytes() == np.resize(dz, (M, V)).tobytes()
