# SPDX-License-Identifier: BSD-3-Clause
"""All of a Seq2Seq but its output layer."""

import numpy as np
import pytest
from support.layers import assert_same_arrays, assert_same_bits
from support.seq2seq import V, draw

RAGGED = ([6, 0, 3, 5], [5, 4, 0, 2])  # lengths of source and target


@pytest.mark.parametrize("lengths", [(), RAGGED], ids=["full", "ragged"])
def test_with_the_output_layer_it_is_the_whole(make, lengths, rng):
    """The bits of logits, weights and gradients; a call gives what `forward` does."""
    model, other = make(), make()
    source, target, dlogits = draw(model, rng)
    before, name = model._before_last()
    assert name == "output"
    expected, expected_weights, whole = other.forward(source, target, *lengths)
    y, weights, tape = before.forward(source, target, *lengths)
    logits, output_tape = model.output.forward(y)
    assert_same_bits(logits, expected)
    assert_same_bits(before(source, target, *lengths)[0], y)
    assert (weights is None) == (expected_weights is None)
    if weights is not None:
        assert_same_bits(weights, expected_weights)
    dsource = before.backward(tape, model.output.backward(output_tape, dlogits))
    expected_dsource = other.backward(whole, dlogits)
    assert (dsource is None) == (expected_dsource is None)
    if dsource is not None:
        assert_same_bits(dsource, expected_dsource)
    assert_same_arrays(model.grads, other.grads)
    with pytest.raises(ValueError, match="it has been used"):
        before.backward(tape, y)


def test_a_damaged_gradient_is_named_before_anything_is_added(make, rng):
    model = make()
    source, target, _ = draw(model, rng)
    before, _ = model._before_last()
    y, _, tape = before.forward(source, target)
    model.grads["embedding.weight"].flags.writeable = False
    with pytest.raises(ValueError, match=r"grads\['embedding.weight'\]"):
        before.backward(tape, np.ones_like(y))
    assert not any(grad.any() for grad in model.grads.values())


@pytest.mark.parametrize("sampling", [1.5, -0.1])
def test_sampling_is_checked(make, sampling, rng):
    model = make()
    source, target, _ = draw(model, rng)
    with pytest.raises(ValueError, match="sampling: expected"):
        model._before_last()[0].forward(source, target, sampling=sampling)


def test_padding_is_not_read(make, rng):
    """What lies beyond a row's length changes nothing of what the output layer reads."""
    model = make()
    source, target, _ = draw(model, rng)
    y = model._before_last()[0](source, target, *RAGGED)[0]
    for n, length in enumerate(RAGGED[1]):
        target[length:, n] = V - 1 - target[length:, n]
    assert_same_bits(model._before_last()[0](source, target, *RAGGED)[0], y)
