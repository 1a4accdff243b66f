# SPDX-License-Identifier: BSD-3-Clause
"""The likeliest symbol at each step, and symbols drawn with their probabilities."""

import numpy as np
from support.decoding import LIMIT, STOP, Table, draw, score
from support.layers import assert_same_bits

from fastrnn.decoding import greedy, sample


def test_greedy_takes_the_likeliest_symbol_at_each_step(model, rng):
    source, lengths = draw(model, rng)
    result = greedy(model, source, lengths, stop=STOP, max_length=LIMIT)
    for n, end in enumerate(result.lengths):
        written = []
        for t in range(min(end + 1, LIMIT)):
            best = [score(model, source[:, n : n + 1], lengths[n], [*written, v])[0] for v in range(10)]
            written.append(int(np.argmax(best)))
            assert result.tokens[t, n] == written[-1]


PROBABILITIES = [0.1, 0.2, 0.3, 0.4]


def shares(**options):
    """How often each symbol is drawn, of 20 000 first symbols."""
    model = Table([PROBABILITIES] * 4)
    tokens = sample(model, np.zeros(20_000, int), stop=None, max_length=1, seed=1, **options).tokens
    return np.bincount(tokens[0], minlength=4) / tokens.size


def test_symbols_are_drawn_with_their_probabilities():
    np.testing.assert_allclose(shares(), PROBABILITIES, atol=0.015)


def test_a_temperature_sharpens_or_flattens():
    squared = np.square(PROBABILITIES)
    np.testing.assert_allclose(shares(temperature=0.5), squared / squared.sum(), atol=0.015)
    np.testing.assert_allclose(shares(temperature=1e9), [0.25] * 4, atol=0.015)
    np.testing.assert_allclose(shares(temperature=1e-9), [0, 0, 0, 1])


def test_top_k_leaves_the_likeliest():
    np.testing.assert_allclose(shares(top_k=2), [0, 0, 3 / 7, 4 / 7], atol=0.015)
    np.testing.assert_allclose(shares(top_k=1), [0, 0, 0, 1])
    np.testing.assert_allclose(shares(top_k=9), PROBABILITIES, atol=0.015)


def test_the_same_seed_draws_the_same(model, rng):
    source, lengths = draw(model, rng)
    first, again, other = (
        sample(model, source, lengths, stop=STOP, max_length=LIMIT, seed=seed).tokens for seed in (3, 3, 4)
    )
    assert_same_bits(first, again)
    assert first.shape != other.shape or (first != other).any()
