# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of decoding share: models, sources, and the score of a sequence by one call of the model."""

import numpy as np
from support.layers import language_model, summariser, translator

import fastrnn as fr
from fastrnn.decoding import beam, greedy, sample

STOP, LIMIT = 0, 9
FUNCTIONS = {
    "greedy": greedy,
    "sample": lambda *args, **options: sample(*args, seed=0, **options),
    "beam": beam,
}


def sharp(model):
    """The same model with larger weights, so that symbols differ in probability."""
    for array in model.params.values():
        array *= 3
    return model


MODELS = {
    "attention": lambda: sharp(translator(start=STOP)),
    "input feeding": lambda: sharp(translator(start=STOP, input_feeding=True)),
    "no attention": lambda: sharp(summariser()),
    "language model": lambda: sharp(language_model()),
}


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


class Table:
    """A model by itself: the next symbol depends on the last one only, by a table of probabilities."""

    def __init__(self, rows):
        self.rows = np.log(np.array(rows, np.float32))

    def begin(self, source, lengths, copies):
        tokens = np.repeat(source, copies)
        return tokens, np.zeros((1, len(tokens), 1)), lambda tokens, state: (self.rows[tokens], state, None)


SOURCE = np.ones((4, 2), int)
