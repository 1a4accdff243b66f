# SPDX-License-Identifier: BSD-3-Clause
"""The product C += A B of every engine: exact where numbers allow it, bounded where they do not.

The sizes are the edges of the tiles: m around every height of a tile, n around one to five panels
of four vectors (one row takes several panels at once), k from nothing on.
"""

import numpy as np
import pytest
from support.engines import VECTOR_BYTES

from fastrnn import _core

ROWS = (*range(1, 21), 24, 31, 97)
MOST = max(ROWS)


@pytest.fixture
def VL(isa, dtype):
    return VECTOR_BYTES[isa] // dtype.itemsize


def around(VL, *multiples):
    """1 and the multiples of VL, and their neighbours."""
    near = {size + step for size in (k * VL for k in multiples) for step in (-1, 0, 1)}
    return sorted(near - {0} | {1})


def widths(VL):
    return around(VL, 1, 2, 4, 12, 20)


def depths(VL):
    return [0, 2, 3, *around(VL, 1, 2, 4)]


def normals(rng, dtype, *shapes):
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def gemm(a, b, c, vectors=4):
    """c + a b; the engine gets a and b as arrays that cannot be written to."""
    a, b, c = a.view(), b.view(), c.copy()
    a.flags.writeable = b.flags.writeable = False
    _core.gemm(a, b, c, vectors)
    return c


def gamma(n, dtype):
    """n u / (1 - n u), the bound on n roundings; u is the unit roundoff."""
    u = float(np.finfo(dtype).eps) / 2
    return n * u / (1 - n * u)


def test_integers_are_exact(isa, dtype, VL, rng):
    """Every m, n and k: with small integers no operation rounds, so every element is exact."""
    for n in widths(VL):
        for k in depths(VL):
            a, b, c = (rng.integers(-8, 9, shape) for shape in ((MOST, k), (k, n), (MOST, n)))
            wanted, (af, bf, cf) = c + a @ b, (array.astype(dtype) for array in (a, b, c))
            for m in ROWS:
                got = gemm(af[:m], bf, cf[:m])
                np.testing.assert_array_equal(got, wanted[:m], err_msg=f"m {m}, n {n}, k {k}")


def test_every_tile_exists_and_is_exact(isa, dtype, VL, rng):
    """Up to one row more than a tile has, every width of a panel, and one panel more than go together."""
    for vectors in range(1, 5):
        for panels in range(1, 6):
            for n in {panels * vectors * VL, panels * vectors * VL - 1}:
                a, b, c = (rng.integers(-8, 9, shape) for shape in ((9, 5), (5, n), (9, n)))
                wanted, (af, bf, cf) = c + a @ b, (array.astype(dtype) for array in (a, b, c))
                for m in range(1, 10):
                    got = gemm(af[:m], bf, cf[:m], vectors)
                    np.testing.assert_array_equal(got, wanted[:m], err_msg=f"m {m}, n {n}, {vectors} vectors")


def test_rounding_error_is_within_the_classical_bound(isa, dtype, VL, rng):
    """|error| <= gamma(k + 1) (|c| + |a| |b|), for any order of the sum, with or without fma.

    Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1: at most one
    rounding for the product and k for the sums stand between a term and the result. The oracle, a
    product in float64, obeys the same theorem with its own u.
    """
    for n in (1, VL + 1, 4 * VL, 21 * VL - 1):
        for k in (1, 2, VL, 4 * VL + 1, 300, 1000):
            a, b, c = normals(rng, dtype, (7, k), (k, n), (7, n))
            error = np.abs(gemm(a, b, c) - (c.astype(np.float64) + a.astype(np.float64) @ b))
            size = np.abs(c) + np.abs(a).astype(np.float64) @ np.abs(b)
            limit = (gamma(k + 1, dtype) + gamma(k + 1, np.float64)) * size
            assert (error <= limit).all(), f"n {n}, k {k}: {(error / limit).max():.3g} of the bound"


def test_a_row_has_the_same_bits_alone_and_among_any_others(isa, dtype, VL, rng):
    """Whatever tile a row falls into, at whatever place, its sum has one order."""
    for n in widths(VL):
        for k in (1, 4 * VL + 1, 77):
            a, b, c = normals(rng, dtype, (MOST, k), (k, n), (MOST, n))
            alone = np.concatenate([gemm(a[i : i + 1], b, c[i : i + 1]) for i in range(MOST)])
            for m in ROWS:
                at = MOST - m  # so that a row's place in its tile changes with m
                got = gemm(a[at:], b, c[at:])
                assert got.tobytes() == alone[at:].tobytes(), f"m {m}, n {n}, k {k}"


def test_a_column_has_the_same_bits_in_any_width(isa, dtype, VL, rng):
    """The first n columns do not depend on how many follow: not on panels nor on the remainder."""
    for m in (1, 2, 3, 8, 13):
        a, b, c = normals(rng, dtype, (m, 77), (77, 24 * VL), (m, 24 * VL))
        wide = gemm(a, b, c)
        for n in widths(VL):
            narrow = gemm(a, np.ascontiguousarray(b[:, :n]), np.ascontiguousarray(c[:, :n]))
            assert narrow.tobytes() == wide[:, :n].tobytes(), f"m {m}, n {n}"


def test_without_terms_c_keeps_its_bits(isa, dtype, VL, rng):
    """k = 0 adds nothing: -0, NaN and infinities in c stay what they were."""
    for m, n in ((1, 1), (2, 9 * VL), (5, 4 * VL + 1), (20, 17 * VL - 1)):
        (c,) = normals(rng, dtype, (m, n))
        special = c.reshape(-1)[::3]
        special[:] = np.resize([-0.0, np.nan, np.inf, -np.inf], special.size)
        got = gemm(np.empty((m, 0), dtype), np.empty((0, n), dtype), c)
        assert got.tobytes() == c.tobytes()


def test_only_c_is_written(isa, dtype, VL, rng):
    """a and b keep their bits, and so does what surrounds c in memory."""
    for m, n, k in ((1, 5 * VL - 1, 3), (3, VL + 1, 9), (13, 4 * VL + 1, 2 * VL)):
        a, b, c = normals(rng, dtype, (m, k), (k, n), (m + 2, n))
        before = [array.tobytes() for array in (a, b, c[0], c[-1])]
        _core.gemm(a, b, c[1:-1])
        assert [array.tobytes() for array in (a, b, c[0], c[-1])] == before


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_reach_their_own_row_and_column_only(isa, dtype, VL, rng, poison):
    """a[i, l] reaches row i, b[l, j] column j, c[i, j] itself; all else keeps its bits."""
    for m, n in ((1, 20 * VL + 1), (2, 9 * VL - 1), (3, 1), (13, 4 * VL + 1), (20, 6 * VL - 1)):
        k = 2 * VL + 1
        clean = normals(rng, dtype, (m, k), (k, n), (m, n))
        wanted = gemm(*clean)
        for _ in range(4):
            row, term, column = (int(rng.integers(size)) for size in (m, k, n))
            places = {"a": (row, term), "b": (term, column), "c": (row, column)}
            reached = {"a": np.s_[row], "b": np.s_[:, column], "c": (row, column)}
            for which, (name, at) in enumerate(places.items()):
                arrays = [array.copy() for array in clean]
                arrays[which][at] = poison
                got, hit, label = gemm(*arrays), np.zeros((m, n), bool), f"{name}{at} of {m}, {n}"
                hit[reached[name]] = True
                spread = np.isnan(got) if np.isnan(poison) else np.isinf(got)
                assert spread[hit].all(), label
                assert got[~hit].tobytes() == wanted[~hit].tobytes(), label
