# SPDX-License-Identifier: BSD-3-Clause
"""Layers, directions and layouts of a recurrent layer."""

import numpy as np
import pytest
from support.recurrent import as_state, as_tuple, make_layer, random_lengths, random_state, run_reference
from support.tolerance import assert_close

import fastrnn as fr


def assert_same_state(actual, expected):
    for ours, theirs in zip(as_tuple(actual), as_tuple(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [2, 3, 4])
def test_stacks_equal_the_reference(cell, num_layers, bidirectional, rng):
    layer = make_layer(cell, 4, 9, num_layers, bidirectional=bidirectional, dtype=np.float64, seed=3)
    x, lengths = rng.standard_normal((6, 5, 4)), random_lengths(6, 5, rng)
    state = random_state(layer, 5, rng)
    y, final = layer(x, state, lengths)
    expected, expected_final = run_reference(cell, layer, x, state, lengths)
    sizes = {"bidirectional": bidirectional, "terms": 18, "steps": 6 * num_layers}
    assert_close(y, expected, np.float64, **sizes)
    for ours, theirs in zip(as_tuple(final), as_tuple(expected_final), strict=True):
        assert_close(ours, theirs, np.float64, **sizes)


@pytest.mark.parametrize("lengths", [None, [9, 0, 4]])
def test_batch_first_is_the_same_sequence_transposed(cell, lengths, rng):
    plain = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    transposed = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4, batch_first=True)
    x = rng.standard_normal((9, 3, 3)).astype(np.float32)
    y, state, tape = plain.forward(x, lengths=lengths)
    y_t, state_t, tape_t = transposed.forward(x.swapaxes(0, 1), lengths=lengths)
    np.testing.assert_array_equal(y_t, y.swapaxes(0, 1))
    assert_same_state(state_t, state)
    dx, dstate = plain.backward(tape, y)
    dx_t, dstate_t = transposed.backward(tape_t, y_t)
    np.testing.assert_array_equal(dx_t, dx.swapaxes(0, 1))
    assert_same_state(dstate_t, dstate)


def test_unbatched_is_a_batch_of_one(cell, rng):
    layer = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    x = rng.standard_normal((9, 3)).astype(np.float32)
    state = random_state(layer, 1, rng)
    y, final, tape = layer.forward(x, as_state(part[:, 0] for part in as_tuple(state)))
    y_1, final_1, tape_1 = layer.forward(x[:, None], state)
    np.testing.assert_array_equal(y, y_1[:, 0])
    assert_same_state(final, as_state(part[:, 0] for part in as_tuple(final_1)))
    dx, dstate = layer.backward(tape, y, final)
    dx_1, dstate_1 = layer.backward(tape_1, y_1, final_1)
    np.testing.assert_array_equal(dx, dx_1[:, 0])
    assert_same_state(dstate, as_state(part[:, 0] for part in as_tuple(dstate_1)))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("layout", ["time first", "batch first", "unbatched", "strided"])
@pytest.mark.parametrize("provided", [False, True])
def test_a_small_call_on_the_fast_path_has_the_same_bits(
    cell, dtype, num_layers, bidirectional, layout, provided, rng
):  # fmt: skip
    """A call with lengths, even if every row is full, never takes the fast path."""
    options = {"bidirectional": bidirectional, "batch_first": layout == "batch first", "dtype": dtype}
    layer = make_layer(cell, 5, 18, num_layers, seed=0, **options)
    x = rng.standard_normal((7, 3, 10)).astype(dtype)
    x = {"strided": x[::-2, ::2, 5:], "unbatched": x[:, 0, 5:]}.get(layout, x[:, :, :5].copy())
    N = 1 if layout == "unbatched" else x.shape[1] if layout != "batch first" else x.shape[0]
    T = x.shape[1 if layout == "batch first" else 0]
    state = random_state(layer, N, rng) if provided else None
    if provided and layout == "unbatched":
        state = as_state(part[:, 0] for part in as_tuple(state))
    y, final = layer(x, state)
    assert layer._fast_path(x, state) is not None
    expected, expected_final = layer(x, state, lengths=[T] * N)
    assert y.dtype == expected.dtype and y.shape == expected.shape and y.flags.c_contiguous
    np.testing.assert_array_equal(y, expected)
    assert_same_state(final, expected_final)


def test_unusual_arguments_leave_the_fast_path(rng):
    """Nothing has been computed then, and a call takes them as before."""
    layer = fr.LSTM(3, 4, seed=0)
    x = rng.standard_normal((5, 2, 3)).astype(np.float32)
    h = np.zeros((1, 2, 4), np.float32)
    unusual = [
        (x.tolist(), None), (x.astype(">f4"), None), (x[:0], None), (x[:, :0], None), (np.asfortranarray(x), None),
        (x[..., :2], None), (x[0, 0], None), (x.astype(np.float64), None), (np.ma.asarray(x), None),
        (x, [h, h]), (x, (h, None)), (x, (h, h[:, :1])), (x, (h, np.asfortranarray(h))), (x, h),
    ]  # fmt: skip
    assert [layer._fast_path(*arguments) for arguments in unusual] == [None] * len(unusual)
    np.testing.assert_array_equal(layer(np.asfortranarray(x), [h, h])[0], layer(x)[0])
    large = np.ones((1 << 14, 2, 3), np.float32)
    assert layer._fast_path(large, None) is None


def test_a_length_of_zero_keeps_the_initial_state_and_gives_zeros(cell, rng):
    layer = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    x, state = rng.standard_normal((5, 4, 3)).astype(np.float32), random_state(layer, 4, rng)
    y, final, tape = layer.forward(x, state, lengths=[0, 5, 0, 2])
    assert not y[:, [0, 2]].any() and not y[2:, 3].any() and y[:2, 3].any()
    for ours, before in zip(as_tuple(final), as_tuple(state), strict=True):
        np.testing.assert_array_equal(ours[:, [0, 2]], before[:, [0, 2]])
    dx, dstate = layer.backward(tape, np.ones_like(y), final)
    assert not dx[:, [0, 2]].any() and not dx[2:, 3].any() and dx[:2, 3].any()
    for ours, upstream in zip(as_tuple(dstate), as_tuple(final), strict=True):
        np.testing.assert_array_equal(ours[:, [0, 2]], upstream[:, [0, 2]])


def test_inputs_are_not_written_to(cell, rng):
    layer = make_layer(cell, 3, 7, 2, bidirectional=True, seed=4)
    x, state = rng.standard_normal((5, 4, 3)).astype(np.float32), random_state(layer, 4, rng)
    lengths, dy = random_lengths(5, 4, rng), rng.standard_normal((5, 4, 14)).astype(np.float32)
    provided = [x, *as_tuple(state), lengths, dy]
    before = [array.copy() for array in provided]
    layer(x, state, lengths)
    layer.backward(layer.forward(x, state, lengths)[2], dy, state)
    for array, copied in zip(provided, before, strict=True):
        np.testing.assert_array_equal(array, copied)
