# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of losses share: tolerances, comparing (loss, gradient), random batches, tables of losses."""

import itertools
from functools import partial

import numpy as np
import pytest

from fastrnn.losses import Mean, huber_loss, l1_loss, mse_loss

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

# Central differences with a step of 1e-5: truncation 1e-11, rounding 1e-16 / 1e-5 = 1e-11; of CTC 1e-15 / 1e-5 = 1e-10.
RTOL_DIFFERENCES = 1e-6


def assert_close(result, expected, dtype, rtol):
    """The loss, and the gradient relative to its largest entry, are within rtol[dtype]."""
    (loss, gradient), (expected_loss, expected_gradient) = result, expected
    assert isinstance(loss, Mean) and repr(loss) == repr(float(loss))
    assert gradient.dtype == dtype
    assert loss == pytest.approx(expected_loss, rel=rtol[dtype])
    scale = np.abs(expected_gradient).max()
    np.testing.assert_allclose(gradient, expected_gradient, rtol=0, atol=rtol[dtype] * scale)


def assert_same_bits(result, expected):
    assert result[0] == expected[0]
    np.testing.assert_array_equal(result[1], expected[1], strict=True)


# -- classification --------------------------------------------------------------------------------------------------

T, N, V = 5, 3, 7

# Relative. Loss and gradient take about ten roundings per element, with logits near 1: 64 eps.
RTOL = {np.float32: 64 * 2.0**-24, np.float64: 64 * 2.0**-53}

WEIGHT = np.array([0.5, 2.0, 0.0, 1.0, 3.0, 0.25, 1.0])  # one class does not count


def class_batch(dtype=np.float64, seed=0):
    """Logits (T, N, V) and a class for each position."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((T, N, V)).astype(dtype), rng.integers(0, V, (T, N))


LOGITS, TARGETS = class_batch()

# -- CTC -------------------------------------------------------------------------------------------------------------

# Relative to the loss and to the largest entry of the gradient. The lattice is float64 and knows the logits exactly, so
# float32 costs what softmax rounds: 64 eps. In float64 log-probabilities of about -100 are rounded at each step, and
# their errors are the relative ones of the shares: 1e-12, some thousand roundings.
CTC_RTOL = {np.float32: 64 * 2.0**-24, np.float64: 1e-12}


def ctc_batch(T=4, N=6, V=3, dtype=np.float64, seed=0):
    return (2 * np.random.default_rng(seed).standard_normal((T, N, V))).astype(dtype)


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def spelled(path, blank):
    """What remains of a path when repetitions are merged and blanks dropped."""
    return [k for k, _ in itertools.groupby(path) if k != blank]


def brute_force(logits, target, blank):
    """-log P of one row, logits (T, V), by the sum over all V**T paths; and its gradient."""
    T, V = logits.shape
    log_p = log_softmax(logits.astype(np.float64))
    P, through = 0.0, np.zeros((T, V))
    for path in itertools.product(range(V), repeat=T):
        if spelled(path, blank) == target:
            p = np.exp(log_p[np.arange(T), list(path)].sum())
            P += p
            through[np.arange(T), list(path)] += p
    return -np.log(P), np.exp(log_p) - through / P


# -- regression ------------------------------------------------------------------------------------------------------

F = 4

# Relative. A difference, a product and a division per element: 8 eps. In float64 the sum of 60 terms counts: 64 eps.
REGRESSION_RTOL = {np.float32: 8 * 2.0**-24, np.float64: 64 * 2.0**-53}

# Each loss, and the loss of one error as it is written on paper.
LOSSES = {
    "mse": (mse_loss, lambda d: d * d),
    "l1": (l1_loss, abs),
    "huber": (huber_loss, lambda d: d * d / 2 if abs(d) <= 1 else abs(d) - 0.5),
    "huber 0.3": (partial(huber_loss, delta=0.3), lambda d: d * d / 2 if abs(d) <= 0.3 else 0.3 * (abs(d) - 0.15)),
}
each_loss = pytest.mark.parametrize("loss_function, on_paper", LOSSES.values(), ids=LOSSES)


def regression_batch(dtype=np.float64, shape=(T, N, F), seed=0):
    """A prediction and a target; errors are on both sides of 0.3 and 1."""
    rng = np.random.default_rng(seed)
    return tuple(np.asarray(rng.standard_normal(shape), dtype) for _ in range(2))
