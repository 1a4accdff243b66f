# SPDX-License-Identifier: BSD-3-Clause
"""One layer and direction, step by step: its states, and the gradients that arrive at them."""

import numpy as np
import pytest
from support.layers import assert_same_bits, flat, refused
from support.recurrent import make_layer

import fastrnn as fr
from fastrnn.inspect._gradients.probes import recurrences_of, run_recurrences, with_probes
from fastrnn.inspect._gradients.recurrences import reverse_rows

T, N = 6, 3
LENGTHS = [4, 0, 6]


def test_rows_are_reversed_within_their_lengths(rng):
    array = np.arange(T * N).reshape(T, N)
    turned = reverse_rows(array, np.array(LENGTHS))
    for n, length in enumerate(LENGTHS):
        assert turned[:, n].tolist() == [*array[:length, n][::-1], *array[length:, n]]
    assert_same_bits(reverse_rows(turned, np.array(LENGTHS)), array)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_states_are_those_of_the_layer(cell, reverse, rng):
    """In each direction, every h is an output of the layer, and the last state is its final state."""
    layer = make_layer(cell, 3, 4, bidirectional=True, dtype=np.float64, seed=0)
    x = rng.standard_normal((T, N, 3))
    y, final = layer(x, lengths=LENGTHS)
    recurrence = run_recurrences(layer, x, LENGTHS)[reverse]
    assert recurrence.reverse is reverse and recurrence.size == 4 * len(layer.cell.parts)
    assert_same_bits(recurrence.outputs(), y[..., 4:].copy() if reverse else y[..., :4].copy())
    final = final if isinstance(final, tuple) else (final,)
    for states, last in zip(recurrence.states, final, strict=True):
        assert_same_bits(states[-1], last[int(reverse)])


def test_the_gradients_of_the_states_are_those_of_the_loss(cell, rng):
    """That of the state after step t is that of the initial state of the remaining steps."""
    layer = make_layer(cell, 3, 4, dtype=np.float64, seed=0)
    x, dy = rng.standard_normal((T, N, 3)), rng.standard_normal((T, N, 4))
    copy = with_probes(layer)
    _, _, tape = copy.forward(x)
    copy.backward(tape, dy)
    (recurrence,) = recurrences_of(copy)
    state = None
    for t in range(T - 1):
        _, state = layer(x[t : t + 1], state)
        _, _, rest = layer.forward(x[t + 1 :], state)
        _, dstate = layer.backward(rest, dy[t + 1 :])
        dstate = [part[0] for part in flat(dstate)]
        dstate[0] = dstate[0] + dy[t]  # h_t is y_t too
        for actual, expected in zip(recurrence.gradients, dstate, strict=True):
            np.testing.assert_allclose(actual[t], expected, rtol=1e-12, atol=1e-14)


def test_padding_is_not_read(rng):
    layer = fr.LSTM(3, 4, bidirectional=True, dtype=np.float64, seed=0)
    x = rng.standard_normal((T, N, 3))
    clean = run_recurrences(layer, x, LENGTHS)
    x[4:, 0] = np.nan
    x[:, 1] = np.nan
    for recurrence, expected in zip(run_recurrences(layer, x, LENGTHS), clean, strict=True):
        assert_same_bits(recurrence.outputs(), expected.outputs())


def test_gradients_of_many_directions_go_back_in_blocks(rng, monkeypatch):
    """pull_back of several vectors is step_back of each, with any block size."""
    layer = fr.LSTM(3, 4, dtype=np.float64, seed=0)
    (recurrence,) = run_recurrences(layer, rng.standard_normal((T, N, 3)), LENGTHS)
    vectors = rng.standard_normal((N, 7, 8))
    result = recurrence.pull_back(5, vectors)
    for k in range(7):
        (dh, dc), _ = recurrence.step_back(5, (vectors[:, k, :4].copy(), vectors[:, k, 4:].copy()))
        assert_same_bits(result[:, k], np.concatenate([dh, dc], axis=1))
    assert_same_bits(result[:2], vectors[:2])  # rows that have ended
    monkeypatch.setattr("fastrnn.inspect._gradients.recurrences.BLOCK_ROWS", 1)
    assert_same_bits(recurrence.pull_back(5, vectors), result)


def test_states_that_are_not_finite_are_named():
    """For tokens, whose vectors may have become infinite."""
    embedding, tokens = fr.Embedding(2, 3, dtype=np.float64), np.zeros((T, N), int)
    embedding.params["weight"][1], tokens[3, 2] = np.inf, 1
    model = fr.Sequential(embedding, fr.LSTM(3, 4, bidirectional=True, dtype=np.float64))
    for recurrence, step in zip(run_recurrences(model, tokens, LENGTHS), (3, 2), strict=True):
        with refused(
            FloatingPointError, f"{recurrence.name}: expected finite states, got nan or inf after step {step} in"
        ):
            recurrence.check_finite()
