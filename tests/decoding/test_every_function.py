# SPDX-License-Identifier: BSD-3-Clause
"""Greedy, sampled and beam decoding of every kind of model: what the result contains, in every layout."""

import numpy as np
from support.decoding import LIMIT, STOP, draw, score, sharp
from support.layers import assert_same_bits, translator

import fastrnn as fr
from fastrnn.decoding import beam, greedy


def test_what_it_gives_is_what_the_model_says(model, decode, rng):
    """Tokens, lengths, probability and weights of each row agree with one call on the whole row."""
    source, lengths = draw(model, rng)
    result = decode(model, source, lengths, stop=STOP, max_length=LIMIT)
    T, N = result.tokens.shape
    assert N == len(lengths) and T == min(result.lengths.max() + 1, LIMIT) and result.log_probs.dtype == np.float64
    for n, end in enumerate(result.lengths):
        tokens = result.tokens[:, n]
        assert (tokens[end:] == STOP).all() and (tokens[:end] != STOP).all()
        written = tokens[: end + 1] if end < LIMIT else tokens
        expected, weights = score(model, source[:, n : n + 1], lengths[n], written)
        assert abs(result.log_probs[n] - expected) < 1e-5
        if weights is None:
            assert result.weights is None
        else:
            assert_same_bits(result.weights[:end, n, : lengths[n]], weights[:end, 0])
            assert not result.weights[end:, n].any() and not result.weights[:, n, lengths[n] :].any()


def test_a_row_alone_is_the_row_in_a_batch(model, rng):
    """Whatever else is decoded, and however long that takes."""
    source, lengths = draw(model, rng)
    for decode in (greedy, beam):
        result = decode(model, source, lengths, stop=STOP, max_length=LIMIT)
        for n in range(len(lengths)):
            alone = decode(model, source[: lengths[n], n : n + 1], stop=STOP, max_length=LIMIT)
            steps = len(alone.tokens)
            assert_same_bits(alone.tokens[:, 0], result.tokens[:steps, n])
            assert alone.lengths[0] == result.lengths[n] and alone.log_probs[0] == result.log_probs[n]
            if result.weights is not None:
                assert_same_bits(alone.weights[:, 0], result.weights[:steps, n, : lengths[n]])


def test_batch_first_models_give_batch_first_results(decode, rng):
    model, turned = sharp(translator(start=STOP)), sharp(translator(start=STOP, batch_first=True))
    source, lengths = draw(model, rng)
    expected = decode(model, source, lengths, stop=STOP, max_length=LIMIT)
    result = decode(turned, source.T, lengths, stop=STOP, max_length=LIMIT)
    assert_same_bits(result.tokens, np.ascontiguousarray(expected.tokens.T))
    assert_same_bits(result.weights, np.ascontiguousarray(expected.weights.swapaxes(0, 1)))
    assert_same_bits(result.log_probs, expected.log_probs)

    make = lambda first: sharp(  # noqa: E731
        fr.Sequential(fr.Embedding(10, 3, seed=0), fr.GRU(3, 4, batch_first=first, seed=1), fr.Linear(4, 10, seed=2))
    )
    expected = decode(make(False), source, lengths, stop=STOP, max_length=LIMIT)
    result = decode(make(True), source.T, lengths, stop=STOP, max_length=LIMIT)
    assert_same_bits(result.tokens, np.ascontiguousarray(expected.tokens.T))


def test_without_a_stop_symbol_every_row_is_full(model, decode, rng):
    source, lengths = draw(model, rng)
    result = decode(model, source, lengths, stop=None, max_length=3)
    assert result.tokens.shape[0] == 3 and (result.lengths == 3).all()


def test_no_rows_give_no_rows(model, decode, rng):
    source, _ = draw(model, rng)
    result = decode(model, source[:, :0], stop=STOP, max_length=LIMIT)
    assert result.tokens.shape == (0, 0) and result.lengths.shape == result.log_probs.shape == (0,)


def test_a_source_of_length_0_is_decoded_too(decode, rng):
    """Attention then has nothing to look at."""
    model = sharp(translator(start=STOP))
    source, _ = draw(model, rng)
    result = decode(model, source, [0] * 6, stop=STOP, max_length=LIMIT)
    assert not result.weights.any() and (result.tokens == result.tokens[:, :1]).all() or decode is not greedy
