# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the reference share: its arguments, running it both ways, and comparing results."""

import numpy as np
import pytest

from fastrnn import reference
from fastrnn.reference import CELLS

# Largest error allowed, relative to the largest entry of what is expected (float64).
TOLERANCE = {
    "rounding": 1e-14,  # the same sums in another order, libm instead of NumPy; seen: 1e-15
    "complex step": 1e-12,  # no cancellation, only rounding of forward and backward; seen: 1e-15
    "central difference": 1e-6,  # step^2 and eps/step are 1e-10 at step 1e-5; seen: 1e-8
    "sigmoid, in eps of the dtype": 4,  # exp, a sum and a quotient, each within an ulp
}

T, N, I, H = 5, 4, 3, 2  # noqa: E741  all different, so that no axis can stand for another
LENGTHS = np.array([2, 0, T, 3])  # unsorted, with an empty and a full row
ARGUMENTS = ("x", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh")

each_cell = pytest.mark.parametrize("cell", CELLS)
each_direction = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def random_arrays(cell, T=T, N=N):
    """Arguments of forward and upstream gradients of backward, the same on every call."""
    G, has_c = CELLS[cell].gates, CELLS[cell].has_c
    draw = np.random.default_rng(1).uniform
    args = {
        "x": draw(-1, 1, (T, N, I)),
        "h0": draw(-1, 1, (N, H)),
        "c0": draw(-1, 1, (N, H)) if has_c else None,
        "w_ih": draw(-1, 1, (G * H, I)),
        "w_hh": draw(-1, 1, (G * H, H)),
        "b_ih": draw(-1, 1, G * H),
        "b_hh": draw(-1, 1, G * H),
    }
    upstream = {
        "dy": draw(-1, 1, (T, N, H)),
        "dhn": draw(-1, 1, (N, H)),
        "dcn": draw(-1, 1, (N, H)) if has_c else None,
    }
    return args, upstream


def forward(cell, args, **options):
    """Run the reference on a dict of its arrays."""
    return reference.forward(cell, *map(args.get, ARGUMENTS), **options)


def run(cell, args, upstream, **options):
    """Forward and backward; returns the dicts {y, hn, cn} and {x: dx, h0: dh0, ...}."""
    *out, tape = forward(cell, args, **options)
    gradients = reference.backward(cell, tape, **upstream)
    return (
        dict(zip(("y", "hn", "cn"), out, strict=True)),
        dict(zip(ARGUMENTS, gradients, strict=True)),
    )


def loss(cell, args, upstream, **options):
    """The scalar whose gradients backward returns: sum of dy*y + dhn*hn + dcn*cn."""
    y, hn, cn, _ = forward(cell, args, **options)
    total = (upstream["dy"] * y).sum() + (upstream["dhn"] * hn).sum()
    return total if cn is None else total + (upstream["dcn"] * cn).sum()


def assert_close(result, expected, kind):
    """Compare arrays by their largest difference, scaled by the largest expected entry."""
    result, expected = np.asarray(result), np.asarray(expected)
    assert result.shape == expected.shape
    largest_error, scale = np.abs(result - expected).max(initial=0), np.abs(expected).max(initial=0)
    assert largest_error <= TOLERANCE[kind] * scale


def assert_same(result, expected):
    """Compare two dicts of arrays (or None) bit by bit."""
    assert result.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(result[name], expected[name], err_msg=name, strict=True)
