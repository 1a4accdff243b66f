# SPDX-License-Identifier: BSD-3-Clause
"""Poolings of packed rows: the bits of padded ones, alone and in a model."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits

import fastrnn as fr

LENGTHS, F = [4, 9, 1, 9, 6], 6
POOLS = {
    "last": fr.LastStep,
    "last of both": lambda **options: fr.LastStep(bidirectional=True, **options),
    "mean": fr.MeanPool,
    "max": fr.MaxPool,
}
each_pool = pytest.mark.parametrize("make", POOLS.values(), ids=POOLS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def rows(rng, dtype, features=F):
    """Sequences with ties, a nan and -inf in them."""
    sequences = [rng.integers(-3, 3, (T, features)).astype(dtype) for T in LENGTHS]
    sequences[1][3, 1], sequences[3][:, 2], sequences[4][:2, 0] = np.nan, -np.inf, np.nan
    return sequences


def padded(sequences, batch_first=False):
    array = np.full((max(LENGTHS), len(LENGTHS), sequences[0].shape[1]), np.nan, sequences[0].dtype)
    for n, one in enumerate(sequences):
        array[: len(one), n] = one
    return array.swapaxes(0, 1) if batch_first else array


@each_dtype
@pytest.mark.parametrize("batch_first", [False, True])
@each_pool
def test_the_bits_of_padded_rows(rng, make, batch_first, dtype):
    pool, x = make(batch_first=batch_first, dtype=dtype), rows(rng, dtype)
    expected, tape = pool.forward(padded(x, batch_first), LENGTHS)
    y, packed_tape = pool.forward(fr.pack_sequence(x))
    assert_same_bits((y, pool(fr.pack_sequence(x))), (expected, expected))
    dy = rng.standard_normal(y.shape).astype(dtype)
    dx = pool.backward(tape, dy)
    dx = dx.swapaxes(0, 1) if batch_first else dx
    packed_dx = fr.pack_sequence(x)._replace(data=pool.backward(packed_tape, dy))
    for n, one in enumerate(packed_dx.unpack()):
        assert_same_bits(one, np.ascontiguousarray(dx[: LENGTHS[n], n]))


@each_pool
def test_a_model_that_ends_with_one_gives_an_array(rng, make):
    pool = make()
    both = getattr(pool, "bidirectional", True)
    gru = fr.GRU(3, F // 2 if both else F, bidirectional=both, seed=0)
    model = fr.Sequential(gru, pool, fr.Linear(F, 2, seed=1))
    assert model.takes_packed
    x = [rng.standard_normal((T, 3)).astype(np.float32) for T in LENGTHS]
    y, state, tape = model.forward(fr.pack_sequence(x))
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dx, dstate = model.backward(tape, dy)
    grads = {name: grad.copy() for name, grad in model.grads.items()}
    model.zero_grad()
    expected, same, tape = model.forward(padded(x), lengths=LENGTHS)
    dx_padded, dstate_padded = model.backward(tape, dy)
    assert_same_bits((y, *state, *dstate), (expected, *same, *dstate_padded))
    for name, grad in grads.items():
        assert_same_bits(grad, model.grads[name], name)
    for n, one in enumerate(fr.pack_sequence(x)._replace(data=dx).unpack()):
        assert_same_bits(one, dx_padded[: LENGTHS[n], n])


def test_behind_one_no_layer_has_to_take_packed_rows(rng):
    own = fr.EchoState(F, 8, output_size=2, seed=0)
    model = fr.Sequential(fr.GRU(3, F, seed=0), fr.MeanPool(), fr.RepeatVector(4), own)
    assert model.takes_packed and not own.takes_packed
    assert not fr.Sequential(fr.GRU(3, F, seed=0), own).takes_packed
    x = [rng.standard_normal((T, 3)).astype(np.float32) for T in LENGTHS]
    assert_same_bits(model(fr.pack_sequence(x))[0], model(padded(x), lengths=LENGTHS)[0])


def test_bad_packed_rows():
    x = fr.pack_sequence([np.ones((2, 3), np.float32)])
    with argument_refused(ValueError, "x", "even number of features", "got 3"):
        fr.LastStep(bidirectional=True)(x)
    with argument_refused(ValueError, "x.data", "(R, F)", "(2, 3, 1)"):
        fr.MeanPool()(x._replace(data=x.data[..., None]))
    for name, value in (("lengths", [2]), ("mask", np.ones((2, 1), bool))):
        with argument_refused(TypeError, name, "packed"):
            fr.MaxPool()(x, **{name: value})
