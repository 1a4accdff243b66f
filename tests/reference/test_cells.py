# SPDX-License-Identifier: BSD-3-Clause
"""The cells against scalar arithmetic, their gradients against complex steps and central differences.

This is the first link of the chain of trust: everything else in the project is compared with fastrnn.reference, so here
it is compared with nothing but arithmetic.
"""

import math

import numpy as np
import pytest
from support.reference import (
    ARGUMENTS,
    LENGTHS,
    H,
    N,
    assert_close,
    assert_same,
    each_cell,
    each_direction,
    forward,
    loss,
    random_arrays,
    run,
)

from fastrnn.reference import CELLS

pytestmark = pytest.mark.filterwarnings("error")  # an overflow or a NaN that warns is a failure


each_lengths = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "ragged"])


# ---- forward: the equations once more, one number at a time


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def selu(a):
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * (a if a > 0 else alpha * (math.exp(a) - 1))


def affine(weight, bias):
    """The function (k, j, v) -> entry j of gate k of weight @ v + bias."""

    def entry(k, j, v):
        row = k * H + j
        return bias[row] + sum(weight[row][m] * v[m] for m in range(len(v)))

    return entry


# Unit j of the next state (h_j, c_j): x and the previous h and c are lists of floats, w(k, j, x) and u(k, j, h) are the
# input part and the recurrent part of gate k.


def scalar_rnn(act):
    return lambda j, x, h, c, w, u: (act(w(0, j, x) + u(0, j, h)), None)


def scalar_lstm(j, x, h, c, w, u):
    i = sigmoid(w(0, j, x) + u(0, j, h))
    f = sigmoid(w(1, j, x) + u(1, j, h))
    g = math.tanh(w(2, j, x) + u(2, j, h))
    o = sigmoid(w(3, j, x) + u(3, j, h))
    c_j = f * c[j] + i * g
    return o * math.tanh(c_j), c_j


def scalar_gru(j, x, h, c, w, u):
    r = sigmoid(w(0, j, x) + u(0, j, h))
    z = sigmoid(w(1, j, x) + u(1, j, h))
    n = math.tanh(w(2, j, x) + r * u(2, j, h))
    return (1 - z) * n + z * h[j], None


def scalar_gru_reset_before(j, x, h, c, w, u):
    rh = [sigmoid(w(0, k, x) + u(0, k, h)) * h[k] for k in range(H)]
    z = sigmoid(w(1, j, x) + u(1, j, h))
    n = math.tanh(w(2, j, x) + u(2, j, rh))
    return (1 - z) * n + z * h[j], None


SCALAR_STEP = {
    "rnn_tanh": scalar_rnn(math.tanh),
    "rnn_relu": scalar_rnn(lambda a: max(a, 0)),
    "rnn_sigmoid": scalar_rnn(sigmoid),
    "rnn_selu": scalar_rnn(selu),
    "rnn_identity": scalar_rnn(lambda a: a),
    "lstm": scalar_lstm,
    "gru": scalar_gru,
    "gru_reset_before": scalar_gru_reset_before,
}


@each_cell
def test_forward_equals_scalar_arithmetic(cell):
    """y, hn and cn of one row are what the equations give in Python floats, unit by unit."""
    args, _ = random_arrays(cell, N=1)
    y, hn, cn, _ = forward(cell, args)

    has_c = CELLS[cell].has_c
    h, c = args["h0"][0].tolist(), args["c0"][0].tolist() if has_c else None
    w = affine(args["w_ih"].tolist(), args["b_ih"].tolist())
    u = affine(args["w_hh"].tolist(), args["b_hh"].tolist())
    for t, x in enumerate(args["x"][:, 0].tolist()):
        units = [SCALAR_STEP[cell](j, x, h, c, w, u) for j in range(H)]
        h, c = [h_j for h_j, _ in units], [c_j for _, c_j in units]
        assert_close(y[t], [h], "rounding")
    assert_close(hn, [h], "rounding")
    if has_c:
        assert_close(cn, [c], "rounding")
    else:
        assert cn is None


# ---- backward: every gradient against two kinds of numerical derivative


@each_cell
@each_lengths
@each_direction
def test_gradients_equal_complex_step(cell, lengths, reverse):
    """Every entry of every gradient, with gradients coming from y, hn and cn at once."""
    options = {"lengths": lengths, "reverse": reverse}
    args, upstream = random_arrays(cell)
    _, gradients = run(cell, args, upstream, **options)
    step = 1e-30  # its square vanishes: f(a + i step) = f(a) + i step f'(a) to the last bit
    for name in ARGUMENTS:
        if args[name] is None:
            assert gradients[name] is None
            continue
        perturbed = args[name].astype(complex)
        expected = np.zeros(perturbed.shape)
        for k in np.ndindex(perturbed.shape):
            perturbed[k] += 1j * step
            expected[k] = loss(cell, {**args, name: perturbed}, upstream, **options).imag / step
            perturbed[k] -= 1j * step
        assert expected.any(), "nothing to compare"
        assert_close(gradients[name], expected, "complex step")


@each_cell
def test_gradients_equal_central_differences(cell):
    """The slope along one random direction per argument: independent of complex arithmetic."""
    args, upstream = random_arrays(cell)
    _, gradients = run(cell, args, upstream)
    rng, step = np.random.default_rng(2), 1e-5
    for name in ARGUMENTS:
        if args[name] is None:
            continue
        direction = rng.uniform(-1, 1, args[name].shape)
        up = loss(cell, {**args, name: args[name] + step * direction}, upstream)
        down = loss(cell, {**args, name: args[name] - step * direction}, upstream)
        expected = (up - down) / (2 * step)
        assert_close((gradients[name] * direction).sum(), expected, "central difference")


@each_cell
def test_missing_upstream_gradients_are_zero(cell):
    """Leaving out dhn and dcn is the same as giving zeros."""
    args, upstream = random_arrays(cell)
    zeros = {**upstream, "dhn": np.zeros((N, H)), "dcn": np.zeros((N, H))}
    assert_same(run(cell, args, {"dy": upstream["dy"]})[1], run(cell, args, zeros)[1])
