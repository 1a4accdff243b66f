# SPDX-License-Identifier: BSD-3-Clause
"""sparse.h: recurrent products that skip weights of 0, beside the products of gemm with all of them."""

import numpy as np
import pytest
from support.c_library import CSRC, build_program, run
from support.layers import assert_same_bits
from support.recurrent import random_lengths
from support.tolerance import assert_close

import fastrnn as fr

ACTIVATIONS = ["tanh", "relu", "sigmoid", "selu", "identity"]
I = 3


def sparse_weights(H, most, rng):
    """(H, H), with up to `most` numbers in a row: none in the first, all in the second."""
    w_hh = np.zeros((H, H))
    for j, row in enumerate(w_hh):
        count = 0 if j == 0 else most if j == 1 else rng.integers(most + 1)
        row[rng.permutation(H)[:count]] = rng.uniform(-1, 1, count) / most**0.5
    return w_hh


def pair(H, most, rng, **options):
    """Two layers of the same weights; the first skips those that are 0."""
    options = {"seed": 1, "leak": 0.7} | options
    layers = [fr.RNN(I, H, **options) for _ in range(2)]
    for k in range(layers[0].num_layers):
        w_hh = sparse_weights(H, most, rng)
        for layer in layers:
            layer.params[f"weight_hh_l{k}"] = w_hh.astype(layer.dtype)
    layers[0].stack.allow_sparse()
    return layers


def skips(layer, H, dtype):
    """Is the first unit, which reads none, spared by an infinite state? 0 times infinity would be NaN."""
    h = np.zeros((1, H), dtype)
    h[0, H - 1] = np.inf
    return np.isfinite(layer(np.zeros((1, I), dtype), h)[0][0, 0])


@pytest.mark.parametrize(("H", "most"), [(9, 1), (40, 4), (71, 5), (200, 19)])
@pytest.mark.parametrize("N", [1, 2, 3, 4, 5, 16, 19, 97])
def test_it_gives_the_bits_of_the_product_with_all_weights(isa, dtype, N, H, most, rng):
    """Rows in vectors, the few that remain, and units of no weight: the terms that are left out are 0."""
    sparse, dense = pair(H, most, rng, dtype=dtype)
    assert skips(sparse, H, dtype) and not skips(dense, H, dtype)
    x, h = rng.standard_normal((6, N, I)).astype(dtype), rng.uniform(-1, 1, (1, N, H)).astype(dtype)
    for lengths in (None, random_lengths(6, N, rng)):
        for ours, theirs in zip(sparse(x, h, lengths), dense(x, h, lengths), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("nonlinearity", ACTIVATIONS)
def test_every_activation_in_two_layers_and_directions(isa, dtype, nonlinearity, rng):
    sparse, dense = pair(40, 3, rng, dtype=dtype, nonlinearity=nonlinearity, num_layers=2)
    x = rng.standard_normal((8, 5, I)).astype(dtype)
    for ours, theirs in zip(sparse(x), dense(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_row_has_the_same_bits_alone_on_any_threads_and_in_a_stream(isa, dtype, rng):
    """So large that a second thread would pay, by units and by rows."""
    sparse, _ = pair(700, 60, rng, dtype=dtype)
    x = rng.standard_normal((40, 37, I)).astype(dtype)
    y, h = sparse(x)
    with fr.threads(2):
        y_2, h_2 = sparse(x)
        alone_2 = sparse(x[:, 36:].copy())[0]
    assert_same_bits(y_2, y)
    assert_same_bits(h_2, h)
    assert_same_bits(alone_2, y[:, 36:].copy())
    stream = sparse.stream(37)
    for t in range(5):
        assert_same_bits(stream.step(x[t]), y[t])
    first, state = sparse(x[:17])
    assert_same_bits(sparse(x[17:], state)[0], y[17:])
    assert_same_bits(first, y[:17])


def test_training_has_the_gradients_of_all_weights(isa, dtype, rng):
    """The tape is that of inference; the pass back through it multiplies by all weights."""
    layers = pair(40, 4, rng, dtype=dtype)
    x, dy = rng.standard_normal((2, 7, 5, I)).astype(dtype), rng.standard_normal((7, 5, 40)).astype(dtype)
    results = []
    for layer in layers:
        y, _, tape = layer.forward(x[0])
        np.testing.assert_array_equal(y, layer(x[0])[0])
        dx, dh = layer.backward(tape, dy)
        results.append([dx, dh, *(layer.grads[name] for name in sorted(layer.grads))])
    assert results[1][-1].any()
    for ours, theirs in zip(*results, strict=True):
        assert_close(ours, theirs, dtype, terms=40, steps=7)


def test_dropout_of_the_state_is_applied_before_the_product(isa, dtype, rng):
    """A sparse product reads the state through the mask, too."""
    sparse, dense = pair(40, 4, rng, dtype=dtype, recurrent_dropout=0.4)
    x = rng.standard_normal((6, 5, I)).astype(dtype)
    np.testing.assert_array_equal(sparse.forward(x)[0], dense.forward(x)[0])


def test_it_follows_weights_that_become_dense_and_sparse_again(dtype, rng):
    """Also a stream that runs meanwhile, and in memory that was large enough for fewer weights."""
    H = 40
    sparse, dense = pair(H, 2, rng, dtype=dtype)
    ours, theirs = sparse.stream(4), dense.stream(4)
    x = rng.standard_normal((4, I)).astype(dtype)
    for most in (2, 4, H, 3, 1, H, 4):
        w_hh = sparse_weights(H, most, rng).astype(dtype)
        for layer in (sparse, dense):
            layer.params["weight_hh_l0"] = w_hh
        assert skips(sparse, H, dtype) == (most < H)
        np.testing.assert_array_equal(ours.step(x), theirs.step(x))


def test_nothing_is_skipped_where_that_would_not_pay(isa, rng):
    """With vectors of 16 numbers from a density of 1/9 on, of 8 from 1/5, of 2 and 4 from 1/4."""
    H, width = 180, {"avx512": 16, "avx2": 8}.get(isa, 4)
    most = H // (9 if width > 8 else 5 if width > 4 else 4)
    for count, expected in ((most, True), (most + 1, False)):
        assert skips(pair(H, count, rng, dtype=np.float32)[0], H, np.float32) == expected


def test_only_plain_cells_skip_weights(rng):
    """An LSTM that is asked for it runs as before."""
    x, layers = rng.standard_normal((5, 2, I)).astype(np.float32), [fr.LSTM(I, 40, seed=0) for _ in range(2)]
    for layer in layers:
        layer.params["weight_hh_l0"] *= rng.random((160, 40)) < 0.05 if layer is layers[0] else 1
    layers[1].params["weight_hh_l0"] = layers[0].params["weight_hh_l0"]
    layers[0].stack.allow_sparse()
    assert_same_bits(layers[0](x)[0], layers[1](x)[0])


def test_the_fast_path_leaves_sparse_layers_to_the_general_one(rng):
    """It has a description of the call that several threads share."""
    sparse, dense = pair(40, 4, rng, dtype=np.float32)
    x = rng.standard_normal((1, 1, I)).astype(np.float32)
    assert sparse._fast_path(x, None) is None and dense._fast_path(x, None) is not None


PROGRAM = """\
#include "fastrnn.h"

static float w_ih[9], w_hh[81];
static double memory[4096] __attribute__((aligned(64)));

static int packed(fr_desc d, fr_pass pass) { return fr_pack(&d, pass, w_ih, w_hh, NULL, NULL, memory); }

int main(void)
{
    fr_desc d = {.cell = FR_RNN_RELU, .dtype = FR_F32, .n_threads = 1, .T = 1, .N = 1, .I = 1, .H = 9};
    fr_idx nonzeros = -1;
    size_t bytes, dense;
    while (!fr_isa_usable(d.isa))
        d.isa++;
    w_hh[20] = w_hh[25] = 1;                                                   /* two in a row */
    if (fr_nonzeros(&d, w_hh, &nonzeros) != FR_OK || nonzeros != 2 || fr_pack_bytes(&d, FR_FORWARD, &dense) != FR_OK)
        return 1;
    d.nonzeros = 1;
    if (packed(d, FR_FORWARD) != FR_ESIZE || packed(d, FR_BACKWARD) != FR_OK)  /* more than said */
        return 2;
    d.nonzeros = 2;
    if (packed(d, FR_FORWARD) != FR_OK || fr_pack_bytes(&d, FR_FORWARD, &bytes) != FR_OK || bytes >= dense)
        return 3;
    for (int k = 0; k < 9; k++)
        w_hh[k] = 1;
    if (fr_nonzeros(&d, w_hh, &nonzeros) != FR_OK || nonzeros != 0)            /* all of the first row */
        return 4;
    for (d.nonzeros = -1; d.nonzeros <= 10; d.nonzeros += 11)
        if (packed(d, FR_FORWARD) != FR_ESIZE)
            return 5;
    d.nonzeros = 1, d.cell = FR_LSTM;                                          /* not a plain cell */
    return fr_pack_bytes(&d, FR_FORWARD, &bytes) == FR_ESIZE ? 0 : 6;
}
"""


def test_the_c_api_refuses_weights_with_more_numbers_than_they_are_said_to_have(baseline_library, tmp_path):
    """And counts them itself; numbers out of range, and other cells, are refused, too."""
    source = tmp_path / "main.c"
    source.write_text(PROGRAM)
    run(build_program(tmp_path, [source], f"-I{CSRC}", baseline_library, "-lm"))
