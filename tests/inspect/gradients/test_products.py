# SPDX-License-Identifier: BSD-3-Clause
"""Products of Jacobians: singular values, norms and exponents over many steps, in batches and at extremes."""

import functools

import numpy as np
from support.inspection import linear_rnn
from support.layers import assert_same_bits, mixed_model
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.inspect import jacobian_norms, lyapunov_exponents, memory_length, singular_values, state_jacobians
from fastrnn.inspect._gradients import recurrences

T, N, H = 5, 3, 4
LENGTHS = [4, 0, 5]


def test_the_product_of_the_jacobians(cell, rng):
    """Singular values and norms over every distance, against the product of single Jacobians."""
    layer = make_layer(cell, 3, H, dtype=np.float64, seed=0)
    x = rng.standard_normal((T, N, 3))
    (J,), (values,), (norms,) = (
        f(layer, x, LENGTHS).values() for f in (state_jacobians, singular_values, jacobian_norms)
    )
    for n, length in enumerate(LENGTHS):
        for d in range(length + 1):
            steps = [J[t, n] for t in range(length - 1, length - 1 - d, -1)]
            product = functools.reduce(np.matmul, steps, np.eye(J.shape[-1]))
            np.testing.assert_allclose(values[d, n], np.linalg.svd(product, compute_uv=False), rtol=1e-8, atol=1e-13)
            np.testing.assert_allclose(norms[d, n], np.linalg.norm(product) / np.sqrt(len(product)), rtol=1e-12)
        assert np.isnan(values[length + 1 :, n]).all() and np.isnan(norms[length + 1 :, n]).all()


def test_products_beyond_the_range_of_the_dtype(rng):
    """float32 holds 1e-38 to 1e38; 0.1 and 10 are multiplied 200 times."""
    for factor in (0.1, 10.0):
        rnn = fr.RNN(2, 2, nonlinearity="identity", seed=0)
        rnn.params["weight_hh_l0"] = factor * np.eye(2, dtype=np.float32)
        rnn.params["bias_ih_l0"][:] = rnn.params["bias_hh_l0"][:] = 0
        norms = jacobian_norms(rnn, np.zeros((200, 2), np.float32))["l0"]
        np.testing.assert_allclose(np.log(norms), np.arange(201) * np.log(factor), rtol=1e-5)


def test_few_gradients_estimate_the_norm(rng):
    """16 random directions out of 64: within a third of the exact norm, and equal for equal seeds."""
    layer, x = fr.GRU(3, 64, dtype=np.float64, seed=0), rng.standard_normal((20, 3))
    exact, few = jacobian_norms(layer, x, k=64)["l0"], jacobian_norms(layer, x)["l0"]
    assert np.abs(np.log(few / exact)).max() < np.log(4 / 3) and (few != exact).any()
    assert_same_bits(jacobian_norms(layer, x)["l0"], few)
    assert (jacobian_norms(layer, x, seed=1)["l0"] != few)[1:].all()


def test_a_network_without_memory():
    """W = 0: no gradient arrives, and that is not an error."""
    rnn, x = linear_rnn(np.zeros((2, 2))), np.ones((6, 2))
    norms = jacobian_norms(rnn, x)["l0"]
    assert norms.tolist() == [1, 0, 0, 0, 0, 0, 0] and memory_length(norms) == 0
    assert lyapunov_exponents(rnn, x)["l0"] == -np.inf
    assert not singular_values(rnn, x)["l0"][1:].any()


def test_rows_alone_and_in_a_batch(rng, monkeypatch):
    model, x = mixed_model(), rng.standard_normal((T, N, 3)).astype(np.float32)
    for function in (jacobian_norms, singular_values):
        for name, values in function(model, x, LENGTHS).items():
            for n, length in enumerate(LENGTHS):
                if length:
                    assert_same_bits(function(model, x[:length, n])[name], values[: length + 1, n].copy())
    exponents = lyapunov_exponents(model, x, LENGTHS, k=2)
    assert_same_bits(lyapunov_exponents(model, x[:4, 0], k=2)["2.0.l0"], exponents["2.0.l0"][0])
    whole = state_jacobians(model, x, LENGTHS)
    for n, length in enumerate(LENGTHS):
        if length:
            for name, J in state_jacobians(model, x[:length, n]).items():
                assert_same_bits(J, whole[name][:length, n].copy())
    monkeypatch.setattr(recurrences, "BLOCK_ROWS", 1)
    for name, J in state_jacobians(model, x, LENGTHS).items():
        assert_same_bits(J, whole[name])
