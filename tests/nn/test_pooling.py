# SPDX-License-Identifier: BSD-3-Clause
"""LastStep, MeanPool and MaxPool. What it shares with every layer is in test_layer.py."""

import numpy as np
import pytest
from support.layers import assert_same_bits, assert_slopes, pooled_model, refused
from support.recurrent import make_layer, random_lengths
from support.tolerance import assert_close

import fastrnn as fr

POOLS = {
    "LastStep": fr.LastStep,
    "LastStep, both": lambda **options: fr.LastStep(bidirectional=True, **options),
    "MeanPool": fr.MeanPool,
    "MaxPool": fr.MaxPool,
}
# T, N, F; some where NumPy would add up along the time axis in blocks
SIZES = [(1, 1, 2), (5, 3, 4), (30, 1, 2), (9, 40, 6), (20, 2, 2)]


@pytest.fixture(params=POOLS.values(), ids=POOLS)
def pool(request):
    """Make one of the layers."""
    return request.param


def expected(layer, row):
    """The output of a layer for the steps of one row, (length, F)."""
    half = row.shape[1] // 2
    if not len(row):
        return np.zeros(row.shape[1])
    if isinstance(layer, fr.MeanPool):
        return sum(step.astype(np.float64) for step in row) / len(row)
    if isinstance(layer, fr.MaxPool):
        return np.array([max(column) for column in row.T])
    return np.concatenate([row[-1][:half], row[0][half:]]) if layer.bidirectional else row[-1]


@pytest.mark.parametrize(("T", "N", "F"), SIZES)
@pytest.mark.parametrize("ragged", [False, True])
def test_each_row_gives_that_of_its_own_steps(pool, T, N, F, ragged, dtype, rng):
    layer, x = pool(dtype=dtype), rng.standard_normal((T, N, F)).astype(dtype)
    lengths = random_lengths(T, N, rng) if ragged else None
    y = layer(x, lengths)
    assert y.dtype == dtype
    ends = np.full(N, T) if lengths is None else lengths
    rows = [expected(layer, x[:end, n]) for n, end in enumerate(ends)]
    assert_same_bits(y, np.array(rows).astype(dtype))
    assert_same_bits(layer.forward(x, lengths)[0], y)


@pytest.mark.parametrize("lengths", [None, [4, 0, 2, 1]], ids=["full", "ragged"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_gradients_match_central_differences(pool, lengths, batch_first, rng):
    layer = pool(batch_first=batch_first, dtype=np.float64)
    x, dy = rng.standard_normal((4, 4, 6)), rng.standard_normal((4, 6))
    dx = layer.backward(layer.forward(x, lengths)[1], dy)
    assert_slopes(dx, lambda: (layer(x, lengths) * dy).sum(), x, "x")


@pytest.mark.parametrize("lengths", [None, [4, 3, 2, 1]], ids=["full", "ragged"])
def test_pytorch_has_the_same_gradients(pool, lengths, dtype, rng):
    """Each row by itself, as PyTorch requires."""
    torch = pytest.importorskip("torch")
    layer = pool(dtype=dtype)
    x, dy = rng.standard_normal((4, 4, 6)).astype(dtype), rng.standard_normal((4, 6)).astype(dtype)
    provided, rows = torch.from_numpy(x).requires_grad_(), []
    for n, length in enumerate(lengths or [4] * 4):
        row = provided[:length, n]
        if isinstance(layer, fr.MeanPool):
            rows.append(row.mean(0))
        elif isinstance(layer, fr.MaxPool):
            rows.append(row.max(0).values)
        else:
            rows.append(torch.cat([row[-1, :3], row[0, 3:]]) if layer.bidirectional else row[-1])
    theirs = torch.stack(rows)
    theirs.backward(torch.from_numpy(dy))
    y, tape = layer.forward(x, lengths)
    assert_close(y, theirs.detach().numpy(), dtype, terms=4, steps=1)
    assert_close(layer.backward(tape, dy), provided.grad.numpy(), dtype, terms=4, steps=1)


@pytest.mark.parametrize(("T", "N", "F"), SIZES)
def test_a_row_alone_is_the_row_in_a_batch(pool, T, N, F, dtype, rng):
    """Bit for bit, in y and dx: in either layout, padded or cut at its end, unbatched, from any strides."""
    layer, turned = pool(dtype=dtype), pool(batch_first=True, dtype=dtype)
    x, dy = rng.standard_normal((T, N, F)).astype(dtype), rng.standard_normal((N, F)).astype(dtype)
    lengths = random_lengths(T, N, rng)
    y, tape = layer.forward(x, lengths)
    dx = layer.backward(tape, dy)
    y_turned, tape = turned.forward(np.ascontiguousarray(x.swapaxes(0, 1)), lengths)
    assert_same_bits(y_turned, y)
    assert_same_bits(turned.backward(tape, dy).swapaxes(0, 1), dx)
    assert_same_bits(layer(np.asfortranarray(x), lengths), y)
    for n, end in enumerate(lengths):
        alone, tape = layer.forward(x[:end, n])
        assert_same_bits(alone, y[n])
        assert_same_bits(layer.backward(tape, dy[n]), dx[:end, n])
        assert not dx[end:, n].any()


def test_what_lies_beyond_a_row_s_end_is_not_read(pool):
    """It may be NaN or infinite; nothing warns. The gradient there is 0, and all of it for a row of length 0."""
    layer, lengths = pool(), [2, 0, 3]
    x = np.ones((4, 3, 2), np.float32)
    for n, end in enumerate(lengths):
        x[end:, n] = np.nan
        x[end + 1 :, n] = np.inf
    y, tape = layer.forward(x, lengths)
    np.testing.assert_array_equal(y, [[1, 1], [0, 0], [1, 1]])
    dx = layer.backward(tape, np.full((3, 2), 6, np.float32))
    for n, end in enumerate(lengths):
        assert not dx[end:, n].any()
        np.testing.assert_array_equal(dx[:, n].sum(axis=0), [6 * (end > 0)] * 2)


def test_a_sequence_without_steps_gives_zeros(pool):
    """As does a batch without rows, and both have gradients of their shape."""
    for shape in [(0, 3, 2), (4, 0, 2), (0, 0, 2), (0, 2)]:
        layer = pool()
        y, tape = layer.forward(np.ones(shape, np.float32))
        assert y.shape == shape[1:] and not y.any()
        assert layer.backward(tape, np.ones_like(y)).shape == shape


def test_what_is_not_finite_stays_in_its_row(pool):
    """NaN is the largest, and infinities of both signs have no mean; nothing warns."""
    x = np.ones((3, 3, 2), np.float32)
    x[:, 0], x[0, 1], x[2, 1] = np.nan, np.inf, -np.inf
    y = pool()(x)
    assert np.isnan(y[0]).all() and (y[2] == 1).all()
    one_nan = np.array([[1, 1], [np.nan, 3], [2, 2]], np.float32)
    if pool is fr.MaxPool:
        np.testing.assert_array_equal(y[1], [np.inf] * 2)
        np.testing.assert_array_equal(pool()(one_nan), [np.nan, 3])
        assert_same_bits(pool()(np.full((2, 1), -np.inf, np.float32)), np.array([-np.inf], np.float32))
    if pool is fr.MeanPool:
        assert np.isnan(y[1]).all()
        np.testing.assert_array_equal(pool()(one_nan), [np.nan, 2])


def test_among_equal_values_the_first_gets_the_gradient():
    layer, x = fr.MaxPool(), np.array([[1, 0.0], [2, -0.0], [2, 0.0]], np.float32)
    y, tape = layer.forward(x)
    assert_same_bits(y, np.array([2, 0.0], np.float32))
    np.testing.assert_array_equal(layer.backward(tape, np.ones_like(y)), [[0, 1], [1, 0], [0, 0]])


def test_the_mean_of_many_steps_is_accurate(rng):
    """Summed in float32, they would lose digits on the way."""
    x = rng.uniform(1, 2, (100_000, 2)).astype(np.float32)
    np.testing.assert_array_max_ulp(fr.MeanPool()(x), x.astype(np.float64).mean(axis=0).astype(np.float32), 1)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [None, [6, 2, 1]], ids=["full", "ragged"])
def test_the_last_step_is_the_state_of_a_recurrent_layer(cell, batch_first, lengths, rng):
    """The h of its last layer; of both directions side by side."""
    x = rng.standard_normal((3, 6, 3) if batch_first else (6, 3, 3)).astype(np.float32)
    for both in (False, True):
        layer = make_layer(cell, 3, 5, 2, bidirectional=both, batch_first=batch_first, seed=0)
        last = fr.LastStep(bidirectional=both, batch_first=batch_first)
        y, state = layer(x, None, lengths)
        h = state[0] if isinstance(state, tuple) else state
        assert_same_bits(last(y, lengths), np.concatenate([h[-2], h[-1]], axis=-1) if both else h[-1])


def test_half_of_an_odd_number_of_features_is_refused():
    layer = fr.LastStep(bidirectional=True)
    for method in (layer, layer.forward):
        with refused(ValueError, "x: expected an even number of features", "got 3"):
            method(np.ones((4, 2, 3), np.float32))


BAD_INPUT = {
    "double": (np.ones((2, 3, 4)), None, TypeError, ["x: expected float32", "got float64"]),
    "None": (None, None, TypeError, ["x: expected float32", "got None"]),
    "vector": (np.ones(3, np.float32), None, ValueError, ["x: expected (T, N, F) or (T, F)", "got (3,)"]),
    "too many": (
        np.ones((2, 3, 4), np.float32),
        [1, 2],
        ValueError,
        ["lengths: expected (3,), one for each row of the batch, got (2,)"],
    ),
    "too long": (np.ones((2, 3, 4), np.float32), [1, 3, 1], ValueError, ["lengths: expected 0..2", "got 3 for row 1"]),
    "negative": (np.ones((2, 3, 4), np.float32), [1, 1, -1], ValueError, ["lengths: expected 0..2", "-1 for row 2"]),
    "floats": (np.ones((2, 3, 4), np.float32), [1.0, 2.0, 1.0], TypeError, ["lengths: expected integers", "float64"]),
}


@pytest.mark.parametrize(("x", "lengths", "error", "words"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(pool, x, lengths, error, words):
    layer = pool()
    for method in (layer, layer.forward):
        with refused(error, *words):
            method(x, lengths)


def test_lengths_are_checked_along_the_right_axis(pool):
    with refused(ValueError, "lengths: expected 0..3 (the steps of x), got 4 for row 1"):
        pool(batch_first=True)(np.ones((2, 3, 4), np.float32), [1, 4])
    with refused(ValueError, "x: expected (N, T, F) or (T, F), got (3,)"):
        pool(batch_first=True)(np.ones(3, np.float32))


def test_after_a_refused_gradient_the_tape_still_works(pool):
    layer, x, dy = pool(), np.ones((3, 2, 4), np.float32), np.ones((2, 4), np.float32)
    tape = layer.forward(x)[1]
    with refused(ValueError, "dy: expected (2, 4)", "got (3, 2, 4)"):
        layer.backward(tape, x)
    with refused(TypeError, "dy: expected float32", "got float64"):
        layer.backward(tape, dy.astype(np.float64))
    assert layer.backward(tape, dy).sum() == pytest.approx(8)


@pytest.mark.parametrize("make", [*POOLS.values(), lambda **options: fr.RepeatVector(2, **options)])
def test_bad_options_are_refused(make):
    with refused(TypeError, "batch_first: expected True or False", "got 1"):
        make(batch_first=1)
    with refused(TypeError, "dtype: expected np.float32 or np.float64"):
        make(dtype=int)
    if make is fr.LastStep:
        with refused(TypeError, "bidirectional: expected True or False", "got None"):
            make(bidirectional=None)


def test_an_encoder_and_a_decoder(rng):
    """Rows of any lengths have the bits of rows alone; layers behind the pooling read full rows."""
    model, x, lengths = pooled_model(), rng.standard_normal((5, 3, 3)).astype(np.float32), [5, 0, 2]
    y, (h, state) = model(x, lengths=lengths)
    assert y.shape == (4, 3, 2) and y.all()
    gru, last, repeat, lstm = model.layers
    hidden, h_n = gru(x, None, lengths)
    by_hand, (h_2, c_2) = lstm(repeat(last(hidden, lengths)))
    for a, b in zip([y, h, *state], [by_hand, h_n, h_2, c_2], strict=True):
        assert_same_bits(a, b)
    for n, end in enumerate(lengths):
        assert_same_bits(model(x[:end, n : n + 1])[0], y[:, n : n + 1])
