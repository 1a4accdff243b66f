# SPDX-License-Identifier: BSD-3-Clause
"""Scheduled sampling: steps that read the model's own choices."""

import copy

import numpy as np
from support.layers import (
    assert_same_arrays,
    assert_same_bits,
    refused,
    snapshot,
    translator,
)
from support.seq2seq import V, draw

import fastrnn as fr
from fastrnn.nn._seq2seq.stepping import sampled


def test_sampling_reads_the_model_s_own_choices(make, rng):
    """With probability 1 the target is not read at all: each step reads the likeliest symbol of the one before."""
    model = make()
    source, target, dlogits = draw(model, rng)
    logits, _, tape = model.forward(source, target, sampling=1)
    assert (logits != model(source, target)[0]).any()
    own = logits.argmax(axis=-1)  # what it chose, as far as it was read
    assert_same_bits(model(source, own)[0], logits)
    other = model.forward(source, rng.integers(0, V, target.shape), sampling=1.0)[0]
    assert_same_bits(other, logits)
    model.backward(tape, dlogits)
    sampled = snapshot(model.grads)
    model.zero_grad()
    model.backward(model.forward(source, own)[2], dlogits)  # the choice itself has no gradient
    assert_same_arrays(model.grads, sampled)


def test_without_sampling_nothing_is_drawn(make, rng):
    model = make()
    source, target, _ = draw(model, rng)
    before = model.random_state
    assert_same_bits(model.forward(source, target, sampling=0)[0], model(source, target)[0])
    assert model.random_state == before


def test_sampling_mixes_by_the_seed(rng):
    """The fraction is near the probability; the same seed draws the same, and a copy continues."""
    make = lambda seed: fr.Seq2Seq(  # noqa: E731
        fr.GRU(1, 2, seed=0), fr.Embedding(3, 1, seed=1), fr.GRU(1, 2, seed=2), fr.Linear(2, 3, seed=3), seed=seed
    )
    model, same, other = make(0), make(0), make(1)
    for each in (model, same, other):  # whatever it reads, its choice is 2; the target is 1 everywhere
        each.params["output.bias"] = [0.0, 0.0, 99.0]
        each.params["embedding.weight"] = [[0.0], [1.0], [2.0]]
    source, target = np.ones((1, 50, 1), np.float32), np.ones((40, 50), int)
    run = lambda model: model.forward(source, target, sampling=0.25)[0]  # noqa: E731
    first = run(model)
    assert_same_bits(run(same), first)
    assert (run(other) != first).any()
    second = run(model)
    assert (second != first).any()
    clone = copy.deepcopy(model)
    assert_same_bits(run(clone), run(model))
    step = lambda tokens, state: (np.eye(3)[[2] * 50], None, None)  # noqa: E731
    inputs = sampled(np.ones((40, 50), int), np.random.default_rng(0), 0.25, step, None)
    assert (inputs[0] == 1).all() and abs((inputs[1:] == 2).mean() - 0.25) < 0.04


SOURCE, TARGET = np.ones((6, 2), int), np.ones((5, 2), int)


def test_sampling_is_a_probability():
    model = translator()
    for sampling, error in ((1.5, ValueError), (-0.1, ValueError), ("1", TypeError), (None, TypeError)):
        with refused(error, "sampling: expected a number in [0, 1]", f"got {sampling!r}"):
            model.forward(SOURCE, TARGET, sampling=sampling)
