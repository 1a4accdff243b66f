# SPDX-License-Identifier: BSD-3-Clause
"""Lyapunov exponents against eigenvalues, determinants and diverging trajectories."""

import numpy as np
from support.inspection import linear_rnn
from support.layers import assert_same_bits
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.inspect import jacobian_norms, lyapunov_exponents, state_jacobians
from fastrnn.inspect._gradients.probes import run_recurrences

N, H = 3, 4


def test_exponents_of_a_linear_network_are_the_logarithms_of_its_eigenvalues(rng):
    """The largest is ln |lambda|max for any inputs; the eigenvalues go from 1.02 to 0.3, in a skew basis."""
    eigenvalues = np.array([1.02, -0.9, 0.6, 0.3])
    basis = rng.standard_normal((4, 4))
    rnn, x = linear_rnn(basis @ np.diag(eigenvalues) @ np.linalg.inv(basis)), rng.standard_normal((400, 2, 4))
    result = lyapunov_exponents(rnn, x, k=4, settle=200)["l0"]  # (0.9 / 1.02)**200 = 1e-11
    np.testing.assert_allclose(result, np.log(np.abs([eigenvalues] * 2)), atol=1e-8)
    np.testing.assert_allclose(lyapunov_exponents(rnn, x)["l0"][:, 0], np.log(1.02), atol=1e-3)


def test_a_pair_of_complex_eigenvalues_is_a_scaled_rotation(rng):
    turn = 0.95 * np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    result = lyapunov_exponents(linear_rnn(turn), rng.standard_normal((50, 2)), k=2)["l0"]
    np.testing.assert_allclose(result, [np.log(0.95)] * 2, rtol=1e-12)


def test_all_exponents_add_up_to_the_volume(cell, rng):
    """Their sum is the mean of ln |det J_t|, which needs no orthogonal directions."""
    layer = make_layer(cell, 3, H, dtype=np.float64, seed=0)
    if cell == "rnn_relu":
        layer.params["bias_ih_l0"][:] = 9  # no unit is at rest, where a determinant is 0
    x = rng.standard_normal((30, N, 3))
    lengths = [30, 7, 20]
    (J,), (recurrence,) = state_jacobians(layer, x, lengths).values(), run_recurrences(layer, x, lengths)
    (exponents,) = lyapunov_exponents(layer, x, lengths, k=recurrence.size, settle=0).values()
    for n, length in enumerate(lengths):
        volume = np.linalg.slogdet(J[:length, n])[1].mean()
        np.testing.assert_allclose(exponents[n].sum(), volume, rtol=1e-9)


def test_a_chaotic_network_against_two_diverging_trajectories():
    """Another method of Benettin: follow a small difference for a step and rescale it, 2000 times."""
    rng = np.random.default_rng(0)
    rnn = fr.RNN(1, 40, bias=False, dtype=np.float64, seed=0)
    rnn.params["weight_hh_l0"] = rng.standard_normal((40, 40)) * 3 / np.sqrt(40)
    x, start = np.zeros((2000, 1)), rng.standard_normal((1, 40))
    tiny, growth = 1e-8, []
    h, other = start, start + tiny / np.sqrt(40)
    for x_t in x:
        h, other = rnn(x_t[None], h)[1], rnn(x_t[None], other)[1]
        distance = np.linalg.norm(other - h)
        growth.append(np.log(distance / tiny))
        other = h + (other - h) * tiny / distance
    expected = np.mean(growth[200:])
    result = lyapunov_exponents(rnn, x, state=start)["l0"]
    assert expected > 0.2 and abs(result[0] - expected) < 0.01


def test_settling_steps_are_at_the_end(rng):
    """settle=s counts what is before the last s steps; the default is a tenth of each row."""
    layer, x = fr.GRU(3, H, dtype=np.float64, seed=0), rng.standard_normal((50, 2, 3))
    every = {s: lyapunov_exponents(layer, x, settle=s)["l0"] for s in (0, 5, 49, 50, 60)}
    assert_same_bits(lyapunov_exponents(layer, x)["l0"], every[5])
    norms = jacobian_norms(layer, x, k=1)["l0"]
    np.testing.assert_allclose(every[0][:, 0], np.log(norms[50]) / 50, rtol=1e-12)
    np.testing.assert_allclose(every[5][:, 0], np.log(norms[50] / norms[5]) / 45, rtol=1e-10)
    assert np.isnan(every[50]).all() and np.isnan(every[60]).all() and np.isfinite(every[49]).all()
