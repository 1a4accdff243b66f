# SPDX-License-Identifier: BSD-3-Clause
"""The one table of tolerances, and comparing by it."""

import math

import numpy as np


def tolerance(dtype, *, backward=False, bidirectional=False, terms, steps):
    """How far a result may be from the exact one, relative to the largest magnitude in it.

    float64: 1e-12, some thousand roundings. float32: 4 (1 + backward) (1 + bidirectional) ceil(log2(terms steps)) eps,
    the threshold of oneDNN's tests for recurrent layers: rounding errors of a sum of `terms` products, carried through
    `steps` steps of a contraction, grow like the logarithm of their number; backward runs through twice as many
    operations.

    Parameters
    ----------
    terms : int
        Products in the longest sum: I + H forward, G * H or T * N backward.
    steps : int
        Steps that follow one another: T times the layers.
    """
    if np.dtype(dtype) == np.float64:
        return 1e-12
    eps = float(np.finfo(np.float32).eps)
    return 4 * (1 + backward) * (1 + bidirectional) * math.ceil(math.log2(max(2, terms * steps))) * eps


def assert_close(actual, expected, dtype, *, backward=False, bidirectional=False, terms, steps, what=""):
    """`actual` is within `tolerance` of `expected`; NaN and infinities are in the same places."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=what)
    if not finite.any():
        return
    limit = tolerance(dtype, backward=backward, bidirectional=bidirectional, terms=terms, steps=steps)
    scale = np.abs(expected[finite]).max()
    error = np.abs(actual[finite] - expected[finite]).max()
    assert error <= limit * scale, f"{what}: error {error:.3g}, allowed {limit:.3g} * {scale:.3g}"


def slopes_of(loss, array, step=1e-5):
    """The slope of loss() along every element of an array that it reads; errors of about 1e-11 of the loss."""
    slopes = np.zeros_like(array)
    for at in np.ndindex(array.shape):
        before = array[at]
        array[at] = before + step
        up = loss()
        array[at] = before - step
        slopes[at] = (up - loss()) / (2 * step)
        array[at] = before
    return slopes


def central_differences(function, x, step=1e-5):
    """The gradient of a number with respect to x (float64), which is not changed."""
    x = x.copy()
    return slopes_of(lambda: function(x), x, step)
