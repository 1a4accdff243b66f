# SPDX-License-Identifier: BSD-3-Clause
"""Beam search against brute force, and against greedy decoding."""

import itertools

import numpy as np
import pytest
from support.decoding import LIMIT, STOP, Table, draw, score, sharp
from support.layers import translator

import fastrnn as fr
from fastrnn.decoding import beam, greedy


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_of_one_is_greedy(model, length_penalty, rng):
    source, lengths = draw(model, rng)
    expected = greedy(model, source, lengths, stop=STOP, max_length=LIMIT)
    result = beam(model, source, lengths, stop=STOP, max_length=LIMIT, width=1, length_penalty=length_penalty)
    for a, b in zip(result, expected, strict=True):
        assert a is b is None or a.tobytes() == b.tobytes()


def every_sequence(symbols, stop, limit):
    """All that can be written: those that end with `stop`, and those of `limit` symbols without."""
    others = [v for v in range(symbols) if v != stop]
    for length in range(limit):
        yield from ((*written, stop) for written in itertools.product(others, repeat=length))
    yield from itertools.product(others, repeat=limit)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("attends", [False, True])
def test_a_beam_of_all_sequences_finds_the_best(attends, length_penalty, rng):
    """By brute force: every sequence of up to 4 of 3 symbols is given to the model."""
    V, limit, stop = 3, 4, 1
    decoder = fr.GRU(2, 4, seed=2)
    if attends:
        decoder = fr.AttentionDecoder(decoder, fr.Attention(4, 4, seed=3), fr.Linear(8, 4, seed=4))
    model = fr.Seq2Seq(fr.GRU(3, 4, seed=0), fr.Embedding(V, 2, seed=1), decoder, fr.Linear(4, V, seed=5))
    for array in model.params.values():
        array *= 3
    source = rng.standard_normal((5, 20, 3)).astype(np.float32)
    sequences = list(every_sequence(V, stop, limit))
    result = beam(model, source, stop=stop, max_length=limit, width=len(sequences), length_penalty=length_penalty)
    improved = 0
    for n in range(source.shape[1]):
        row = source[:, n : n + 1]
        scores = [
            score(model, row, 5, list(written))[0] / ((5 + len(written)) / 6) ** length_penalty for written in sequences
        ]
        best = sequences[int(np.argmax(scores))]
        assert (*result.tokens[: len(best), n],) == best
        likely = greedy(model, row, stop=stop, max_length=limit)
        improved += result.log_probs[n] > likely.log_probs[0] + 1e-9
    assert improved or length_penalty  # greedy is not always best: the test can tell


def test_wider_beams_find_sequences_that_are_as_likely_or_more(rng):
    model = sharp(translator(start=STOP))
    source, lengths = draw(model, rng, N=20)
    likely = [
        beam(model, source, lengths, stop=STOP, max_length=LIMIT, width=width).log_probs.mean() for width in (1, 4, 32)
    ]
    assert likely[0] < likely[1] <= likely[2]


def test_any_object_with_begin_is_a_model():
    """Where the likeliest first step leads to an unlikely end, a beam of two turns back."""
    model = Table([[0.1, 0.5, 0.4], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]])
    kwargs = {"stop": 0, "max_length": 5}
    assert greedy(model, [0, 2], **kwargs).tokens.T.tolist() == [[1, 0], [0, 0]]
    result = beam(model, [0, 2], **kwargs, width=2)
    assert result.tokens.T.tolist() == [[2, 0], [0, 0]]
    np.testing.assert_allclose(np.exp(result.log_probs), [0.36, 0.9], rtol=1e-6)
    assert result.lengths.tolist() == [1, 0] and result.weights is None


def test_a_penalty_lets_long_sequences_win():
    """To end at once has probability 0.3, and no other sequence has more than 0.7^4 = 0.24."""
    model = Table([[0.3, 0.7]] * 2)
    for penalty, length in ((0, 0), (0.2, 0), (1, 4)):
        result = beam(model, [0], stop=0, max_length=4, width=8, length_penalty=penalty)
        assert result.lengths == length
        np.testing.assert_allclose(np.exp(result.log_probs), 0.7**4 if length else 0.3, rtol=1e-6)


def test_of_equal_symbols_the_first_is_taken():
    """By greedy and by beam alike."""
    model = Table(np.full((3, 3), 1 / 3))
    for width in (1, 2, 5):
        result = beam(model, [0], stop=None, max_length=3, width=width)
        assert (
            result.tokens[:, 0].tolist() == greedy(model, [0], stop=None, max_length=3).tokens[:, 0].tolist() == [0] * 3
        )
