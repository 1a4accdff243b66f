# SPDX-License-Identifier: BSD-3-Clause
"""Greedy, sampled and beam decoding, of a Seq2Seq and of a language model."""

import itertools

import numpy as np
import pytest
from support.layers import assert_same_bits, language_model, refused, summariser, translator

import fastrnn as fr
from fastrnn.decoding import beam, greedy, sample

STOP, LIMIT = 0, 9
FUNCTIONS = {
    "greedy": greedy,
    "sample": lambda *given, **named: sample(*given, seed=0, **named),
    "beam": beam,
}


def sharp(model):
    """The same model with larger weights, so that symbols differ in probability."""
    for array in model.params.values():
        array *= 3
    return model


MODELS = {
    "attention": lambda: sharp(translator(start=STOP)),
    "fed": lambda: sharp(translator(start=STOP, input_feeding=True)),
    "no attention": lambda: sharp(summariser()),
    "language model": lambda: sharp(language_model()),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request):
    return request.param()


@pytest.fixture(params=FUNCTIONS.values(), ids=FUNCTIONS)
def decode(request):
    return request.param


def draw(model, rng, T=5, N=6):
    """A source with lengths of 1 at the least."""
    if isinstance(model, fr.Seq2Seq) and not model.attends:
        source = rng.standard_normal((T, N, 3)).astype(np.float32)
    else:
        source = rng.integers(0, 10, (T, N))
    lengths = rng.integers(1, T + 1, N)
    lengths[:1] = T
    return source, lengths


def score(model, source, lengths, written):
    """The log-probability of a row's symbols by the model's own call on all of them at once, and the weights."""
    steps = len(written)
    if isinstance(model, fr.Seq2Seq):
        logits, weights = model(source[:lengths], np.array(written)[:, None])
    else:
        prompt = source[:lengths, 0]
        logits, weights = model(np.concatenate([prompt, written])[:-1, None])[0][lengths - 1 :], None
    z = logits[:, 0].astype(np.float64)
    log_probs = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return log_probs[np.arange(steps), written].sum(), weights


def test_what_it_gives_is_what_the_model_says(model, decode, rng):
    """Tokens, lengths, probability and weights of each row agree with one call on the whole row."""
    source, lengths = draw(model, rng)
    found = decode(model, source, lengths, stop=STOP, max_length=LIMIT)
    T, N = found.tokens.shape
    assert N == len(lengths) and T == min(found.lengths.max() + 1, LIMIT) and found.log_probs.dtype == np.float64
    for n, end in enumerate(found.lengths):
        tokens = found.tokens[:, n]
        assert (tokens[end:] == STOP).all() and (tokens[:end] != STOP).all()
        written = tokens[: end + 1] if end < LIMIT else tokens
        expected, weights = score(model, source[:, n : n + 1], lengths[n], written)
        assert abs(found.log_probs[n] - expected) < 1e-5
        if weights is None:
            assert found.weights is None
        else:
            assert_same_bits(found.weights[:end, n, : lengths[n]], weights[:end, 0])
            assert not found.weights[end:, n].any() and not found.weights[:, n, lengths[n] :].any()


def test_greedy_takes_the_likeliest_symbol_at_each_step(model, rng):
    source, lengths = draw(model, rng)
    found = greedy(model, source, lengths, stop=STOP, max_length=LIMIT)
    for n, end in enumerate(found.lengths):
        written = []
        for t in range(min(end + 1, LIMIT)):
            best = [score(model, source[:, n : n + 1], lengths[n], [*written, v])[0] for v in range(10)]
            written.append(int(np.argmax(best)))
            assert found.tokens[t, n] == written[-1]


def test_a_row_alone_is_the_row_in_a_batch(model, rng):
    """Whatever else is decoded, and however long that takes."""
    source, lengths = draw(model, rng)
    for decode in (greedy, beam):
        found = decode(model, source, lengths, stop=STOP, max_length=LIMIT)
        for n in range(len(lengths)):
            alone = decode(model, source[: lengths[n], n : n + 1], stop=STOP, max_length=LIMIT)
            steps = len(alone.tokens)
            assert_same_bits(alone.tokens[:, 0], found.tokens[:steps, n])
            assert alone.lengths[0] == found.lengths[n] and alone.log_probs[0] == found.log_probs[n]
            if found.weights is not None:
                assert_same_bits(alone.weights[:, 0], found.weights[:steps, n, : lengths[n]])


# -- beam ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_of_one_is_greedy(model, length_penalty, rng):
    source, lengths = draw(model, rng)
    expected = greedy(model, source, lengths, stop=STOP, max_length=LIMIT)
    found = beam(model, source, lengths, stop=STOP, max_length=LIMIT, width=1, length_penalty=length_penalty)
    for a, b in zip(found, expected, strict=True):
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
        array *= 4
    source = rng.standard_normal((5, 8, 3)).astype(np.float32)
    sequences = list(every_sequence(V, stop, limit))
    found = beam(model, source, stop=stop, max_length=limit, width=len(sequences), length_penalty=length_penalty)
    improved = 0
    for n in range(source.shape[1]):
        row = source[:, n : n + 1]
        scores = [
            score(model, row, 5, list(written))[0] / ((5 + len(written)) / 6) ** length_penalty for written in sequences
        ]
        best = sequences[int(np.argmax(scores))]
        assert (*found.tokens[: len(best), n],) == best
        likely = greedy(model, row, stop=stop, max_length=limit)
        improved += found.log_probs[n] > likely.log_probs[0] + 1e-9
    assert improved or length_penalty  # greedy is not always best: the test can tell


def test_wider_beams_find_sequences_that_are_as_likely_or_more(rng):
    model = sharp(translator(start=STOP))
    source, lengths = draw(model, rng, N=20)
    likely = [
        beam(model, source, lengths, stop=STOP, max_length=LIMIT, width=width).log_probs.mean() for width in (1, 4, 32)
    ]
    assert likely[0] < likely[1] <= likely[2]


class Table:
    """A model by itself: the next symbol depends on the last one only, by a table of probabilities."""

    def __init__(self, rows):
        self.rows = np.log(np.array(rows, np.float32))

    def begin(self, source, lengths, copies):
        tokens = np.repeat(source, copies)
        return tokens, np.zeros((1, len(tokens), 1)), lambda tokens, state: (self.rows[tokens], state, None)


def test_any_object_with_begin_is_a_model():
    """Where the likeliest first step leads to an unlikely end, a beam of two turns back."""
    model = Table([[0.1, 0.5, 0.4], [0.4, 0.3, 0.3], [0.9, 0.05, 0.05]])
    kwargs = {"stop": 0, "max_length": 5}
    assert greedy(model, [0, 2], **kwargs).tokens.T.tolist() == [[1, 0], [0, 0]]
    found = beam(model, [0, 2], **kwargs, width=2)
    assert found.tokens.T.tolist() == [[2, 0], [0, 0]]
    np.testing.assert_allclose(np.exp(found.log_probs), [0.36, 0.9], rtol=1e-6)
    assert found.lengths.tolist() == [1, 0] and found.weights is None


def test_a_penalty_lets_long_sequences_win():
    """To end at once has probability 0.3, and no other sequence has more than 0.7^4 = 0.24."""
    model = Table([[0.3, 0.7]] * 2)
    for penalty, length in ((0, 0), (0.2, 0), (1, 4)):
        found = beam(model, [0], stop=0, max_length=4, width=8, length_penalty=penalty)
        assert found.lengths == length
        np.testing.assert_allclose(np.exp(found.log_probs), 0.7**4 if length else 0.3, rtol=1e-6)


def test_of_equal_symbols_the_first_is_taken():
    """By greedy and by beam alike."""
    model = Table(np.full((3, 3), 1 / 3))
    for width in (1, 2, 5):
        found = beam(model, [0], stop=None, max_length=3, width=width)
        assert (
            found.tokens[:, 0].tolist() == greedy(model, [0], stop=None, max_length=3).tokens[:, 0].tolist() == [0] * 3
        )


# -- sample ----------------------------------------------------------------------------------------


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


# -- shapes, layouts, what is refused --------------------------------------------------------------


def test_batch_first_models_give_batch_first_results(decode, rng):
    model, turned = sharp(translator(start=STOP)), sharp(translator(start=STOP, batch_first=True))
    source, lengths = draw(model, rng)
    expected = decode(model, source, lengths, stop=STOP, max_length=LIMIT)
    found = decode(turned, source.T, lengths, stop=STOP, max_length=LIMIT)
    assert_same_bits(found.tokens, np.ascontiguousarray(expected.tokens.T))
    assert_same_bits(found.weights, np.ascontiguousarray(expected.weights.swapaxes(0, 1)))
    assert_same_bits(found.log_probs, expected.log_probs)

    make = lambda first: sharp(  # noqa: E731
        fr.Sequential(fr.Embedding(10, 3, seed=0), fr.GRU(3, 4, batch_first=first, seed=1), fr.Linear(4, 10, seed=2))
    )
    expected = decode(make(False), source, lengths, stop=STOP, max_length=LIMIT)
    found = decode(make(True), source.T, lengths, stop=STOP, max_length=LIMIT)
    assert_same_bits(found.tokens, np.ascontiguousarray(expected.tokens.T))


def test_without_a_stop_symbol_every_row_is_full(model, decode, rng):
    source, lengths = draw(model, rng)
    found = decode(model, source, lengths, stop=None, max_length=3)
    assert found.tokens.shape[0] == 3 and (found.lengths == 3).all()


def test_no_rows_give_no_rows(model, decode, rng):
    source, _ = draw(model, rng)
    found = decode(model, source[:, :0], stop=STOP, max_length=LIMIT)
    assert found.tokens.shape == (0, 0) and found.lengths.shape == found.log_probs.shape == (0,)


def test_a_source_of_length_0_is_decoded_too(decode, rng):
    """Attention then has nothing to look at."""
    model = sharp(translator(start=STOP))
    source, _ = draw(model, rng)
    found = decode(model, source, [0] * 6, stop=STOP, max_length=LIMIT)
    assert not found.weights.any() and (found.tokens == found.tokens[:, :1]).all() or decode is not greedy


SOURCE = np.ones((4, 2), int)
BAD_INPUT = {
    "stop": ({"stop": -1}, ValueError, ["stop: expected at least 0, got -1"]),
    "stop type": ({"stop": "."}, TypeError, ["stop: expected an integer, got '.'"]),
    "stop range": ({"stop": 10}, ValueError, ["stop: expected at most 9, the last of the model's symbols, got 10"]),
    "max_length": ({"max_length": 0}, ValueError, ["max_length: expected at least 1, got 0"]),
    "source": ({"source": SOURCE / 1}, TypeError, ["expected integers, got float64"]),
    "symbols": ({"source": SOURCE * 10}, ValueError, ["tokens: expected integers in 0..9, got 10"]),
    "lengths": ({"lengths": [5, 1]}, ValueError, ["lengths: expected 0..4 (the steps of source), got 5 for row 0"]),
    "lengths count": ({"lengths": [1]}, ValueError, ["lengths: expected 2 of them"]),
    "model": ({"model": fr.Linear(3, 4)}, TypeError, ["model: expected a Seq2Seq, a Sequential", "got Linear"]),
}


@pytest.mark.parametrize("make", [translator, language_model])
@pytest.mark.parametrize(("named", "error", "words"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_refused(decode, make, named, error, words):
    given = {"model": make(), "source": SOURCE, "lengths": None, "stop": STOP, "max_length": LIMIT} | named
    with refused(error, *words):
        decode(given.pop("model"), given.pop("source"), given.pop("lengths"), **given)


BAD_OPTIONS = {
    "temperature": (sample, {"temperature": 0}, ValueError, ["temperature: expected a finite number above 0, got 0"]),
    "top_k": (sample, {"top_k": 0}, ValueError, ["top_k: expected at least 1, got 0"]),
    "seed": (sample, {"seed": -1}, ValueError, ["seed: expected an integer of at least 0", "got -1"]),
    "width": (beam, {"width": 0}, ValueError, ["width: expected at least 1, got 0"]),
    "penalty": (
        beam,
        {"length_penalty": -1},
        ValueError,
        ["length_penalty: expected a finite number of at least 0, got -1"],
    ),
}


@pytest.mark.parametrize(("function", "named", "error", "words"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_bad_options_are_refused(function, named, error, words):
    with refused(error, *words):
        function(translator(), SOURCE, stop=STOP, max_length=LIMIT, **named)


def test_bad_beginnings_of_a_language_model_are_refused(decode):
    for source, lengths, words in [
        (SOURCE[:0], None, ["source: expected tokens (T, N) with T of at least 1, got (0, 2)"]),
        (SOURCE[0], None, ["source: expected tokens (T, N)", "got (2,)"]),
        (SOURCE, [1, 0], ["lengths: expected at least 1, got 0 for row 1"]),
    ]:
        with refused(ValueError, *words):
            decode(language_model(), source, lengths, stop=STOP, max_length=LIMIT)
    both = fr.Sequential(fr.Embedding(10, 3), fr.GRU(3, 4, bidirectional=True), fr.Linear(8, 10))
    with refused(ValueError, "model: expected layers of one direction"):
        decode(both, SOURCE, stop=STOP, max_length=LIMIT)


def test_a_model_that_gives_nan_is_named(decode):
    model = language_model()
    model.params["2.bias"][3] = np.nan
    with refused(FloatingPointError, "logits: expected finite values from the model, got nan in row 0"):
        decode(model, SOURCE, stop=STOP, max_length=LIMIT)
