# SPDX-License-Identifier: BSD-3-Clause
"""Resets in containers and in layers that are not the engine's: every part as if it were alone."""

import numpy as np
import pytest
from support.cells import ReferenceCell
from support.layers import assert_same_bits
from support.resets import parts_of_row, random_resets
from support.tolerance import assert_close

import fastrnn as fr

T, N, F = 19, 4, 6


MODELS = {
    "Sequential": lambda: fr.Sequential(fr.Linear(F, 8, seed=0), fr.LSTM(8, 7, 2, seed=1), fr.Linear(7, F, seed=2)),
    "Residual": lambda: fr.Residual(fr.GRU(F, F, seed=0)),
    "nested": lambda: fr.Sequential(
        fr.Residual(fr.Sequential(fr.GRU(F, F, seed=0), fr.LayerNorm(F))), fr.RNN(F, 5, seed=1)
    ),
    "EchoState": lambda: fr.EchoState(F, 20, 2, output_size=3, seed=0),
    "Recurrent": lambda: fr.Recurrent(
        ReferenceCell(F, 5, "lstm", seed=0), reverse_cell=ReferenceCell(F, 5, "lstm", seed=1)
    ),
}


def assert_alike(model, actual, expected):
    """The same bits from the engine; NumPy's products depend on how many rows there are."""
    if not isinstance(model, fr.Recurrent):
        return assert_same_bits(actual, expected)
    return assert_close(actual, expected, actual.dtype, backward=True, terms=4 * F, steps=T)


@pytest.fixture(params=MODELS)
def model(request, rng):
    model = MODELS[request.param]()
    for _, array in model.params.items():
        array[...] += rng.normal(0, 0.05, array.shape)
    return model


def test_every_part_alone(model, rng):
    x, resets = rng.standard_normal((T, N, F)).astype(model.dtype), random_resets(T, N, rng)
    lengths = rng.integers(1, T + 1, N)
    y, _, tape = model.forward(x, lengths=lengths, resets=resets)
    dy = rng.standard_normal(y.shape) * (np.arange(T)[:, None, None] < lengths[:, None])
    dy = dy.astype(y.dtype)
    dx, _ = model.backward(tape, dy)
    assert_same_bits(model(x, lengths=lengths, resets=resets)[0], y)
    for n, length in enumerate(lengths):
        for part in parts_of_row(resets[:, n], length):
            alone, _, tape = model.forward(x[part, n : n + 1])
            assert_alike(model, y[part, n : n + 1], alone)
            assert_alike(model, dx[part, n : n + 1], model.backward(tape, dy[part, n : n + 1])[0])


def test_the_gradients_of_the_parameters_add_up(model, rng):
    """Those of the parts alone, to rounding: they are summed in another order."""
    x, resets = rng.standard_normal((T, N, F)).astype(model.dtype), random_resets(T, N, rng)
    y, _, tape = model.forward(x, resets=resets)
    dy = rng.standard_normal(y.shape).astype(y.dtype)
    model.zero_grad()
    model.backward(tape, dy)
    whole = {name: grad.copy() for name, grad in model.grads.items()}
    model.zero_grad()
    for n in range(N):
        for part in parts_of_row(resets[:, n], T):
            _, _, tape = model.forward(x[part, n : n + 1])
            model.backward(tape, dy[part, n : n + 1])
    for name, grad in model.grads.items():
        assert_close(
            whole[name], grad, grad.dtype, backward=True, bidirectional=True, terms=T * N, steps=2 * T, what=name
        )
