# SPDX-License-Identifier: BSD-3-Clause
"""Conv1d: rows of any lengths, layouts, and models around it."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits

import fastrnn as fr

T, N, I, O = 13, 5, 3, 4
LENGTHS = [13, 0, 1, 7, 4]


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2}, {"padding": 2, "stride": 3}, {"dilation": 2, "groups": 1, "padding": 4}]
)
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_every_row_as_alone(rng, kernel_size, options):
    """Forward and backward, whatever lies beyond its end."""
    layer = fr.Conv1d(I, O, kernel_size, **options, seed=0)
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    x[np.arange(T)[:, None] >= LENGTHS] = np.nan
    y, tape = layer.forward(x, LENGTHS)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    after = layer.lengths_after(LENGTHS)
    dy[np.arange(len(y))[:, None] >= after] = np.nan
    dx = layer.backward(tape, dy)
    assert_same_bits(layer(x, LENGTHS), y)
    for n, length in enumerate(LENGTHS):
        alone, tape = layer.forward(x[:length, n])
        assert len(alone) == after[n] == layer.steps_after(length)
        assert_same_bits(y[: len(alone), n], alone)
        assert not y[len(alone) :, n].any() and not dx[length:, n].any()
        assert_same_bits(dx[:length, n], layer.backward(tape, dy[: len(alone), n]))


def test_every_layout(rng):
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    layer, batch_first = fr.Conv1d(I, O, 3, seed=0), fr.Conv1d(I, O, 3, batch_first=True, seed=0)
    assert_same_bits(batch_first(x.swapaxes(0, 1)).swapaxes(0, 1), layer(x))
    assert_same_bits(layer(x[:, 0]), layer(x)[:, 0])
    assert_same_bits(layer(np.asfortranarray(x)), layer(x))


def test_in_front_of_a_recurrent_layer(rng):
    """The lengths behind it are those of its outputs."""
    model = fr.Sequential(fr.Conv1d(I, O, 3, stride=2, seed=0), fr.GRU(O, 6, seed=1), fr.LastStep())
    x = rng.standard_normal((T, N, I)).astype(np.float32)
    y, _ = model(x, lengths=LENGTHS)
    for n, length in enumerate(LENGTHS):
        alone = model[1](model[0](x[:length, n]))[0]
        assert_same_bits(y[n], alone[-1] if len(alone) else np.zeros(6, np.float32))
    with argument_refused(TypeError, "resets", "takes none"):
        model(x, resets=np.zeros((T, N), bool))


def test_it_learns(rng):
    """To tell a rising from a falling edge in noise."""
    x = rng.normal(0, 0.3, (200, 20, 1)).astype(np.float32)
    places, rising = rng.integers(3, 16, 200), rng.integers(0, 2, 200)
    for row, place, up in zip(x, places, rising, strict=True):
        row[place:] += 1 if up else -1
    model = fr.Sequential(
        fr.Conv1d(1, 8, 4, batch_first=True, seed=0), fr.MaxPool(batch_first=True), fr.Linear(8, 2, seed=1)
    )
    fr.fit(model, fr.cross_entropy, x, rising, optimizer=fr.Adam(model, lr=0.02), epochs=15, seed=0)
    assert (fr.predict(model, x).argmax(axis=1) == rising).mean() > 0.95


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.ones((T, N, I + 1), np.float32), ValueError, f"(T, N, {I})"),
        (np.ones(I, np.float32), ValueError, f"(T, N, {I})"),
        (np.ones((T, N, I)), TypeError, "float32"),
    ],
)
def test_bad_input(x, error, words):
    with argument_refused(error, "x", words):
        fr.Conv1d(I, O, 3)(x)
    with argument_refused(ValueError, "lengths", f"0..{T}"):
        fr.Conv1d(I, O, 3)(np.ones((T, N, I), np.float32), [T + 1] * N)


@pytest.mark.parametrize("options", [{}, {"padding": 2}, {"stride": 2, "padding": 1}])
def test_a_mask_over_steps_that_y_does_not_have(options):
    """It would place the steps of y at those of x. With as many steps it may; behind a pooling there are none."""
    x, mask = np.ones((T, N, I), np.float32), np.random.default_rng(0).random((T, N)) > 0.3
    conv, gru = fr.Conv1d(I, I, 3, seed=0, **options), fr.GRU(I, 2, seed=1)
    for model in fr.Sequential(conv, gru), fr.Sequential(fr.Sequential(gru, fr.Linear(2, I), conv)):
        for call in model, model.forward:
            with pytest.raises(TypeError, match=r"mask: expected None, since Conv1d gives y other steps than x, got"):
                call(x, mask=mask)
    pooled = fr.Sequential(conv, gru, fr.LastStep())
    assert_same_bits(pooled(x, mask=mask)[0][1], pooled(x[mask[:, 1], 1])[0])
    same = fr.Sequential(fr.Conv1d(I, I, 3, padding=1, seed=0), gru)
    assert_same_bits(same(x, mask=mask)[0][mask[:, 1], 1], same(x[mask[:, 1], 1])[0])
