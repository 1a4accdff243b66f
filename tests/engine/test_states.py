# SPDX-License-Identifier: BSD-3-Clause
"""States: h, or h and c, of every layer and direction."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits
from support.recurrent import random_state, sequence

import fastrnn as fr
from fastrnn._engine.layout import as_state, h_and_c, select_rows, state_arrays

T, N, I, H = 5, 2, 3, 4


BAD_STATES = [(2, N, H), (1, N + 1, H), (1, N, H + 1), (N, H), (1, 1, N, H), ()]


@pytest.mark.parametrize("shape", BAD_STATES, ids=str)
def test_a_state_of_the_wrong_shape_is_refused(kind, shape):
    layer = kind(I, H)
    state = np.zeros(shape, np.float32)
    with argument_refused(ValueError, "state", f"expected {(1, N, H)}", f"got {shape}"):
        layer(np.ones((T, N, I), np.float32), (state, state) if kind is fr.LSTM else state)


def test_the_state_of_an_unbatched_sequence_has_no_batch_axis(kind):
    layer, state = kind(I, H), np.zeros((1, 1, H), np.float32)
    with argument_refused(ValueError, "state", f"expected {(1, H)}", f"got {(1, 1, H)}"):
        layer(np.ones((T, I), np.float32), (state, state) if kind is fr.LSTM else state)


@pytest.mark.parametrize(("own", "other"), [("float32", "float64"), ("float64", "float32")])
def test_x_and_state_of_different_dtypes_are_refused(kind, own, other):
    layer, state = kind(I, H, dtype=own), np.zeros((1, N, H), other)
    with argument_refused(TypeError, "state", f"expected {own}", f"got {other}", f"np.{own}"):
        layer(np.ones((T, N, I), own), (state, state) if kind is fr.LSTM else state)


@pytest.mark.parametrize(
    ("state", "came"),
    [
        (np.zeros((1, N, H), np.float32), "ndarray"),
        (np.zeros((2, 1, N, H), np.float32), "ndarray"),
        ([np.zeros((1, N, H), np.float32)] * 3, "3"),
        ((np.zeros((1, N, H), np.float32),), "1"),
        ((), "0"),
        ({"h": 0, "c": 0}, "dict"),
        ("hc", "str"),
    ],
    ids=["array", "stacked", "three", "one", "none", "dict", "str"],
)
def test_a_state_of_the_lstm_that_is_no_pair_is_refused(state, came):
    with argument_refused(TypeError, "state", "(h, c)", f"got {came}"):
        fr.LSTM(I, H)(np.ones((T, N, I), np.float32), state)


def test_the_part_of_a_state_that_is_wrong_is_named():
    layer, x, good = fr.LSTM(I, H), np.ones((T, N, I), np.float32), np.zeros((1, N, H), np.float32)
    with argument_refused(ValueError, "state[c]", f"expected {(1, N, H)}", f"got {(1, N, 9)}"):
        layer(x, (good, np.zeros((1, N, 9), np.float32)))
    with argument_refused(TypeError, "state[h]", "expected float32", "got None"):
        layer(x, (None, good))


@pytest.mark.parametrize("kind", [fr.RNN, fr.GRU])
def test_the_pair_of_an_lstm_is_refused_by_layers_without_c(kind):
    state = np.zeros((1, N, H), np.float32)
    with argument_refused(TypeError, "state", "expected (1, 2, 4)", "got a tuple of 2 arrays, as (h, c) of an LSTM"):
        kind(I, H)(np.ones((T, N, I), np.float32), (state, state))


def test_a_list_is_a_state_too(rng):
    """h and c in a list, as some frameworks store them, and numbers in nested lists."""
    layer, x = fr.LSTM(I, H, seed=0), sequence(rng, T, N, I)
    h, c = random_state(layer, N, rng)
    expected = layer(x, (h, c))
    for state in ([h, c], [h.tolist(), c.tolist()]):
        y, final = layer(x, state)
        assert_same_bits(y, expected[0])
        assert_same_bits(final, expected[1])


def test_the_dstate_of_an_lstm_is_a_pair(rng):
    layer = fr.LSTM(I, H, seed=0)
    y, _, tape = layer.forward(sequence(rng, T, N, I))
    for dstate in (np.ones((1, N, H), np.float32), [np.ones((1, N, H), np.float32)] * 3):
        with argument_refused(TypeError, "dstate", "(h, c)"):
            layer.backward(tape, np.ones_like(y), dstate)
    layer.backward(tape, np.ones_like(y))


def test_a_state_is_one_array_or_a_pair(rng):
    h, c = rng.standard_normal((2, 1, N, H))
    assert as_state([h]) is h and state_arrays(h) == (h,)
    assert as_state(iter([h, c])) == state_arrays((h, c)) == (h, c)
    assert h_and_c((h,), 0)[1] is None and h_and_c((None, c), 0)[0] is None
    assert_same_bits(h_and_c((h, c), 0), (h[0], c[0]))


def test_rows_of_a_nested_state_are_selected_in_any_order(rng):
    h, c = rng.standard_normal((2, 1, 4, H))
    rows = np.array([2, 0, 2])
    assert_same_bits(select_rows(((h, c), [h]), rows), ((h[:, rows], c[:, rows]), (h[:, rows],)))
    assert select_rows((None, ()), rows) == (None, ())
