# SPDX-License-Identifier: BSD-3-Clause
"""The rules of optimizers and sums of squares, for arrays of any layout. What C computes: tests/csrc."""

import numpy as np
import pytest

from fastrnn._engine import elementwise
from fastrnn._engine.elementwise import Rule


def update(rule, p, g, m=None, s=None, v=None, **numbers):
    """One step of one parameter."""
    elementwise.update([(Rule(rule, **numbers), p, g, m, s, v)])


LAYOUTS = {
    "C": lambda a: a.copy(),
    "Fortran": np.asfortranarray,
    "every other": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "unaligned": lambda a: np.frombuffer(bytearray(b"x" + a.tobytes()), a.dtype, offset=1).reshape(a.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_any_layout_is_updated_in_place(layout, dtype, rng):
    p, g = rng.standard_normal((2, 6, 5)).astype(dtype)
    plain, odd = p.copy(), layout(p)
    update("plain", plain, g, rate=0.5)
    update("plain", odd, layout(g), rate=0.5)
    np.testing.assert_array_equal(odd, plain)
    np.testing.assert_array_equal(plain, p - g * dtype.type(0.5))
    assert elementwise.sum_of_squares(layout(g)) == elementwise.sum_of_squares(g)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_arrays_of_any_layout_are_set_to_zero(layout, dtype, rng):
    """Beside others; NumPy and C write the same 0, which has no sign."""
    arrays = [layout(rng.standard_normal((6, 5)).astype(dtype)), np.full(3, -1, dtype), np.ones((0, 2), dtype)]
    elementwise.set_to_zero(arrays)
    for array in arrays:
        assert np.ascontiguousarray(array).tobytes() == bytes(array.nbytes)


def test_what_lies_between_the_elements_stays(rng):
    whole = np.ones((4, 6))
    elementwise.set_to_zero([whole[:, ::2]])
    np.testing.assert_array_equal(whole, np.tile([0, 1], (4, 3)))


def test_a_read_only_array_is_not_set_to_zero():
    array = np.ones(8)
    array.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        elementwise.set_to_zero([array])
    np.testing.assert_array_equal(array, 1)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_blocks_cover_arrays_of_any_layout(layout, dtype, rng, monkeypatch):
    monkeypatch.setattr(elementwise, "BLOCK", 7)
    p, m, g = rng.standard_normal((3, 6, 5)).astype(dtype)
    odd_p, odd_m, odd_g = layout(p), layout(m), layout(g)
    sizes = []
    for part, mean, gradient in elementwise.blocks((odd_p, odd_m), odd_g):
        sizes.append(len(part))
        assert part.dtype == mean.dtype == gradient.dtype == dtype and not gradient.flags.writeable
        part -= gradient
        mean += part
    np.testing.assert_array_equal(odd_p, p - g)
    np.testing.assert_array_equal(odd_m, m + (p - g))
    assert max(sizes) <= 7 and sum(sizes) == 30


@pytest.mark.parametrize("shape", [(), (0, 3), (3,)])
def test_blocks_of_small_arrays(shape):
    p, g = np.zeros(shape), np.ones(shape)
    for part, gradient in elementwise.blocks((p,), g):
        part += gradient
    np.testing.assert_array_equal(p, g)
    assert sum(part.size for (part,) in elementwise.blocks((), g)) == g.size


def test_a_gradient_may_be_read_only(rng):
    p, g = rng.standard_normal((2, 8))
    g.flags.writeable = False
    update("plain", p, g, rate=1.0)
    with pytest.raises((ValueError, BufferError), match="read-only"):
        update("plain", g, p, rate=1.0)


WRONG = {
    "another shape": lambda a: a[:3],
    "the same size in another shape": lambda a: a.reshape(2, 4),
    "another float": lambda a: a.astype(np.float64),
    "half floats": lambda a: a.astype(np.float16),
    "integers": lambda a: a.astype(np.int32),
    "the other byte order": lambda a: a.astype(">f4"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("which", range(4))
def test_arrays_that_do_not_fit_do_not_get_to_c(which, wrong, rng):
    """It would read and write beyond their ends."""
    arrays = [rng.random(8, np.float32) for _ in range(4)]
    arrays[which] = wrong(arrays[which])
    before = [array.copy() for array in arrays]
    p, g, m, s = arrays
    with pytest.raises(ValueError, match=r"^[pgms]: expected floats of .*, as p, got "):
        update("adam", p, g, m=m, s=s, rate=0.5)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


@pytest.mark.parametrize("dtype", [np.float16, np.int32, np.float32, ">f8", np.longdouble])
def test_squares_of_any_numbers_are_summed(dtype):
    assert elementwise.sum_of_squares(np.full(7, 2, dtype)) == 28


def test_moments_of_any_layout_are_updated_in_place(rng):
    p, g = rng.random((2, 8))
    m, s = np.zeros(8), np.zeros(16)[::2]
    ways = [(p.copy(), m.copy(), m.copy()), (p.copy(), m, s)]
    for way in ways:
        update("adam", way[0], g, m=way[1], s=way[2], rate=0.5, beta1=0.5, beta2=0.5, eps=1e-3)
    for one, other in zip(*ways, strict=True):
        np.testing.assert_array_equal(one, other)
    assert s.all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_magnitude_is_finite(dtype):
    assert elementwise.largest_magnitude("x", np.array([1, -3, 2], dtype)) == 3.0
    assert elementwise.largest_magnitude("x", np.zeros((0, 3), dtype)) == 0.0
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(FloatingPointError, match=f"^x: expected finite values, got {abs(value)}$"):
            elementwise.largest_magnitude("x", np.array([1, value, 2], dtype))
