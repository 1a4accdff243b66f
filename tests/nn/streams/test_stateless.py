# SPDX-License-Identifier: BSD-3-Clause
"""Layers without a state, step by step."""

import numpy as np
import pytest
from support.layers import argument_refused, assert_same_bits
from support.streams import Doubled

import fastrnn as fr

LAYERS = {
    "Linear": fr.Linear(3, 4, seed=0),
    "LayerNorm": fr.LayerNorm(3),
    "Activation": fr.Activation("softmax"),
    "Dropout": fr.Dropout(0.5, shared_steps=True),
    "own": Doubled(),
}


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_a_step_is_a_row_of_the_sequence(layer, batch, rng):
    """Alone, and behind a recurrent layer."""
    x = rng.standard_normal((4, batch, 3)).astype(np.float32)
    stream, expected = fr.Sequential(layer).stream(batch), layer(x)
    assert_same_bits(np.stack([stream.step(x_t) for x_t in x]), expected)
    assert_same_bits(stream.steps(x), expected)
    assert stream.state == ()
    rnn = fr.RNN(3, 3, seed=1)
    y = fr.Sequential(rnn, layer).stream(batch).steps(x)
    assert_same_bits(y, layer(rnn(x)[0]))


@pytest.mark.parametrize("tokens", [7, np.int64(7), np.array(7), [7], np.array([7], np.uint8)], ids=repr)
def test_a_token_may_come_alone(tokens):
    embedding = fr.Embedding(10, 4, seed=0)
    y = fr.Sequential(embedding).stream().step(tokens)
    assert_same_bits(y, embedding(np.array(tokens)))


def test_a_list_is_an_array():
    """As in a call of the layer."""
    norm = fr.LayerNorm(2)
    stream = fr.Sequential(norm).stream()
    assert_same_bits(stream.step([1.0, 3.0]), norm([1.0, 3.0]))
    assert_same_bits(stream.steps([[1.0, 3.0], [2.0, 2.0]]), norm([[1.0, 3.0], [2.0, 2.0]]))


def test_a_subclass_may_compute_something_else():
    class Shifted(fr.Linear):
        def _forward(self, x, training):
            y, saved = super()._forward(x, training)
            return y + 1, saved

    layer, x = Shifted(3, 2, seed=0), np.ones((1, 3), np.float32)
    assert_same_bits(fr.Sequential(layer).stream().step(x), layer(x))


def test_a_batch_of_another_size_is_refused():
    stream = fr.Sequential(fr.Embedding(10, 4, seed=0)).stream(2)
    with argument_refused(ValueError, "x", "expected a batch of 2, got shape (3,)"):
        stream.step(np.zeros(3, int))
    with argument_refused(ValueError, "x", "expected a batch of 2, got shape ()"):
        stream.step(3)
    with argument_refused(ValueError, "block", "expected a batch of 2, got shape (5, 3)"):
        stream.steps(np.zeros((5, 3), int))
    with argument_refused(ValueError, "tokens", "got 10"):
        stream.step([3, 10])
