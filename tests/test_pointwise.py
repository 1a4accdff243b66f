# SPDX-License-Identifier: BSD-3-Clause
"""The way down to the rules of the optimizers, for arrays of any layout. What they compute: test_update, test_norm."""

import numpy as np
import pytest

from fastrnn import pointwise

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
    pointwise.update("plain", plain, g, rate=0.5)
    pointwise.update("plain", odd, layout(g), rate=0.5)
    np.testing.assert_array_equal(odd, plain)
    np.testing.assert_array_equal(plain, p - g * dtype.type(0.5))
    assert pointwise.sum_of_squares(layout(g)) == pointwise.sum_of_squares(g)


def test_a_gradient_may_be_read_only(rng):
    p, g = rng.standard_normal((2, 8))
    g.flags.writeable = False
    pointwise.update("plain", p, g, rate=1.0)
    with pytest.raises((ValueError, BufferError), match="read-only"):
        pointwise.update("plain", g, p, rate=1.0)
