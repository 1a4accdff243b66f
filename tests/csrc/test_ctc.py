# SPDX-License-Identifier: BSD-3-Clause
"""CTC in C, on every engine: against the lattice in logarithms, for any threads and strides, with extreme logits."""

import itertools

import numpy as np
import pytest
from support import softmax_losses
from support.losses import CTC_RTOL

from fastrnn import _core


def problem(T, N, V, S, dtype, rng, blank=0, scale=2.0):
    """Logits, labels, how many, steps that suffice for them, and scales; labels are few, so that some repeat."""
    others = [k for k in range(V) if k != blank][:3] or [blank]
    labels = np.array(rng.choice(others, (N, S)), np.intp)
    counts = np.array(rng.integers(0, S + 1, N), np.intp)
    counts[:1] = S
    needed = [n + sum(a == b for a, b in itertools.pairwise(row[:n])) for row, n in zip(labels, counts, strict=True)]
    steps = np.array(rng.integers(np.minimum(needed, T), T + 1), np.intp)
    z = (scale * rng.standard_normal((T, N, V))).astype(dtype)
    z[np.arange(T)[:, None] >= steps] = np.nan
    return z, labels, counts, steps, rng.random(N) + 0.5


def run(z, labels, counts, steps, scale, blank=0, zero_infinity=False, threads=1):
    dz, losses = np.full(z.shape, 7, z.dtype), np.full(z.shape[1], 7.0)
    _core.ctc(z, (labels, counts, steps), blank, zero_infinity, scale, dz, losses, threads)
    return losses, dz


def oracle(z, labels, counts, steps, scale, blank=0, zero_infinity=False):
    return softmax_losses.ctc(z, labels, counts, steps, blank, scale, zero_infinity)


def assert_close(result, expected, dtype, scale=1):
    """Both lattices round logarithms, which grow with the scale of the logits."""
    rtol = max(CTC_RTOL[dtype.type], CTC_RTOL[np.float64] * scale)
    for ours, theirs in zip(result, expected, strict=True):
        finite = np.isfinite(theirs)
        np.testing.assert_array_equal(ours[~finite], theirs[~finite])
        limit = rtol * np.abs(theirs[finite]).max(initial=0)
        np.testing.assert_allclose(ours[finite], theirs[finite], rtol=0, atol=limit)


# T, N, V, S: labels around the width of a vector, one class, nothing at all
SIZES = [(12, 3, 4, 1), (20, 3, 5, 3), (30, 4, 17, 7), (40, 2, 33, 8), (40, 3, 3, 15), (40, 2, 65, 16), (60, 2, 4, 33)]
SIZES += [(5, 2, 3, 0), (5, 2, 1, 0), (0, 2, 3, 0), (4, 0, 3, 2), (1, 2, 3, 1)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_matches_the_lattice_in_logarithms(size, isa, dtype, rng):
    for blank in {0, size[2] - 1}:
        given = problem(*size, dtype, rng, blank)
        result = run(*given, blank=blank)
        assert_close(result, oracle(*given, blank=blank), dtype)
        assert not result[1][np.arange(size[0])[:, None] >= given[3]].any()


@pytest.mark.parametrize("scale", [30, 1000, 3e4])
def test_extreme_logits(scale, isa, dtype, rng):
    """States of one step that are e^-100000 apart, of which the smaller become the larger: nothing underflows."""
    given = problem(40, 6, 5, 6, dtype, rng, scale=scale)
    assert_close(run(*given), oracle(*given), dtype, scale)


def test_logits_near_the_largest_number(isa, dtype):
    """The loss is their distance; beyond 1e250 below the maximum a class is forbidden."""
    large = 1e30
    z = np.zeros((2, 1, 3), dtype)
    z[:, 0, 2] = large
    losses, dz = run(z, np.array([[1]]), np.ones(1, np.intp), np.array([2]), np.ones(1))
    assert losses[0] == pytest.approx(2 * large, rel=1e-6) and np.isfinite(dz).all()
    if dtype == np.float64:
        z[:, 0, 2] = 1e300
        assert run(z, np.array([[1]]), np.ones(1, np.intp), np.array([2]), np.ones(1))[0][0] == np.inf


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_rows_without_a_path(zero_infinity, isa, dtype, rng):
    """Too few steps, none at all, a forbidden label; the others keep their bits."""
    given = problem(12, 6, 4, 3, dtype, rng)
    z, labels, counts, steps, scale = given
    counts[:4], steps[:] = 3, 12
    z = np.array(2 * rng.standard_normal(z.shape), dtype)
    clean = run(z, labels, counts, steps, scale)
    steps[:2] = 2, 0
    z[:, 2, labels[2, 1]] = -np.inf
    result = run(z, labels, counts, steps, scale, zero_infinity=zero_infinity)
    assert_close(result, oracle(z, labels, counts, steps, scale, 0, zero_infinity), dtype)
    assert (result[0][:3] == (0 if zero_infinity else np.inf)).all()
    assert not result[1][2:, 0].any() and not result[1][:, 1].any()  # behind their steps
    assert zero_infinity or np.isnan(result[1][:, 2]).all()
    np.testing.assert_array_equal(result[0][3:], clean[0][3:])
    np.testing.assert_array_equal(result[1][:, 3:], clean[1][:, 3:])


@pytest.mark.parametrize("values", [[np.nan, 0, 0, 0], [0, 0, 0, np.inf], [-np.inf] * 4], ids=str)
def test_nan_stays_in_its_row(values, isa, dtype, rng):
    z, labels, counts, steps, scale = problem(9, 3, 4, 3, dtype, rng)
    steps[:] = 9
    z = np.array(rng.standard_normal(z.shape), dtype)
    clean = run(z, labels, counts, steps, scale)
    z[4, 1] = values
    losses, dz = run(z, labels, counts, steps, scale, zero_infinity=True)
    assert np.isnan(losses[1]) and np.isnan(dz[:, 1]).all()
    np.testing.assert_array_equal(losses[::2], clean[0][::2])
    np.testing.assert_array_equal(dz[:, ::2], clean[1][:, ::2])


def test_the_same_bits_on_any_number_of_threads(isa, dtype, rng):
    given = problem(120, 23, 9, 20, dtype, rng)
    losses, dz = run(*given)
    for threads in (2, 3, 5):
        again = run(*given, threads=threads)
        assert again[0].tobytes() == losses.tobytes() and again[1].tobytes() == dz.tobytes()


def test_a_row_alone_has_its_bits(isa, dtype, rng):
    """Whatever the longest row and target of the batch are."""
    z, labels, counts, steps, scale = problem(50, 7, 6, 20, dtype, rng)
    losses, dz = run(z, labels, counts, steps, scale)
    for n in range(7):
        T, U = steps[n], counts[n]
        alone = run(z[:T, [n]], labels[[n], :U].copy(), counts[[n]], steps[[n]], scale[[n]])
        assert alone[0].tobytes() == losses[n : n + 1].tobytes()
        np.testing.assert_array_equal(alone[1][:, 0], dz[:T, n])


def test_any_strides_but_of_the_last_axis(isa, dtype, rng):
    """Batch first, backwards, inside of a larger array, which is not touched beside it."""
    z, *rows, scale = problem(11, 4, 9, 4, dtype, rng)
    expected = run(z, *rows, scale)
    for make in (lambda a: a.swapaxes(0, 1).copy().swapaxes(0, 1), lambda a: a[::-1].copy()[::-1]):
        dz, losses = make(z), np.zeros(4)
        _core.ctc(make(z), tuple(rows), 0, False, scale, dz, losses, 1)
        np.testing.assert_array_equal(dz, expected[1])
    big = np.full((11, 8, 30), 7, dtype)
    _core.ctc(z, tuple(rows), 0, False, scale, big[:, 2:6, 10:19], losses, 1)
    np.testing.assert_array_equal(big[:, 2:6, 10:19], expected[1])
    big[:, 2:6, 10:19] = 7
    assert (big == 7).all()


@pytest.mark.parametrize(
    ("name", "at", "value", "text"),
    [
        ("labels", (1, 2), 4, r"labels: expected 0\.\.3, got 4"),
        ("labels", (0, 0), -1, r"labels: expected 0\.\.3, got -1"),
        ("counts", 1, 4, r"counts: expected 0\.\.3, got 4"),
        ("steps", 0, 10, r"steps: expected 0\.\.9, got 10"),
        ("steps", 0, -1, r"steps: expected 0\.\.9, got -1"),
    ],
)
def test_numbers_that_lead_out_of_the_arrays_are_refused(name, at, value, text, rng):
    z, labels, counts, steps, scale = problem(9, 2, 4, 3, np.float32, rng)
    {"labels": labels, "counts": counts, "steps": steps}[name][at] = value
    with pytest.raises(ValueError, match=f"^{text}"):
        run(z, labels, counts, steps, scale)


@pytest.mark.parametrize("blank", [-1, 4])
def test_a_blank_beyond_the_classes_is_refused(blank, rng):
    with pytest.raises(ValueError, match="a size is out of range"):
        run(*problem(9, 2, 4, 3, np.float32, rng), blank=blank)
