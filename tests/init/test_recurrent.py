# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent weights: orthogonal matrices, all equally likely, and the identity."""

import math

import numpy as np
import pytest
from support.init import SIGMAS, VARIANCES, assert_distributed, blocks, fitting, layers

import fastrnn as fr
from fastrnn import init


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_orthogonal_recurrent_weights(gain):
    """Each gate's own, to rounding, and no two the same."""
    for layer in fitting((fr.RNN, fr.LSTM, fr.GRU), np.float64):
        init.orthogonal(layer, gain, seed=0)
        matrices = list(blocks(layer, "weight_hh").values())
        for block in matrices:
            np.testing.assert_allclose(block @ block.T, gain**2 * np.eye(30), rtol=0, atol=1e-12)
            np.testing.assert_allclose(block.T @ block, gain**2 * np.eye(30), rtol=0, atol=1e-12)
        assert not any(np.allclose(a, b) for k, a in enumerate(matrices) for b in matrices[:k])
        assert not any(block.any() for block in blocks(layer, "bias").values())


def test_orthogonal_is_xavier_uniform_where_weights_are_not_recurrent(dtype):
    """The gain is not theirs."""
    for layer in layers(dtype):
        init.orthogonal(layer, 3.0, seed=0)
        for key, block in blocks(layer, "weight" if not layer.stateful else "weight_ih").items():
            assert_distributed((layer, key), block, math.sqrt(VARIANCES["xavier"](*block.shape)), uniform=True)


def test_no_orthogonal_matrix_is_likelier_than_another():
    """Of size 1 there are two, 1 and -1; of size 2 a half are rotations and their angle is uniform.

    Q as LAPACK leaves it would always be 1 in size 1: the signs are what is tested.
    """
    lstm = init.orthogonal(fr.LSTM(1, 1, 100, bidirectional=True, dtype=np.float64), seed=0)
    signs = np.array([block.item() for block in blocks(lstm, "weight_hh").values()])
    assert signs.size == 800 and set(signs) == {-1.0, 1.0}
    assert abs(signs.mean()) <= SIGMAS / math.sqrt(signs.size)
    lstm = init.orthogonal(fr.LSTM(1, 2, 100, bidirectional=True, dtype=np.float64), seed=0)
    matrices = np.stack(list(blocks(lstm, "weight_hh").values()))
    determinants, columns = np.linalg.det(matrices), matrices[:, :, 0]
    assert abs(determinants.mean()) <= SIGMAS / math.sqrt(800)
    angles = np.arctan2(columns[:, 1], columns[:, 0])
    assert_distributed("angles", angles, math.pi / math.sqrt(3), uniform=True)


def test_identity_is_exact(dtype):
    (rnn,) = fitting((fr.RNN,), dtype)
    init.identity(rnn, 0.75, 0.5, seed=0)
    for block in blocks(rnn, "weight_hh").values():
        np.testing.assert_array_equal(block, 0.75 * np.eye(30))
    for key, block in blocks(rnn, "weight_ih").items():
        assert_distributed(key, block, 0.5, uniform=False)
    assert not any(block.any() for block in blocks(rnn, "bias").values())


def test_identity_by_default_is_the_paper_s():
    """Ones on the diagonal, 0.001 for the input; a relu network keeps its state while nothing comes in."""
    rnn = init.identity(fr.RNN(70, 30, nonlinearity="relu"), seed=0)
    assert_distributed("w_ih", rnn.params["weight_ih_l0"].astype(np.float64), 0.001, uniform=False)
    h = np.linspace(0, 1, 30, dtype=np.float32)[None, None]
    np.testing.assert_array_equal(rnn(np.zeros((9, 1, 70), np.float32), h)[1], h)
