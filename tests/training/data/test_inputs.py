# SPDX-License-Identifier: BSD-3-Clause
"""Several inputs by name, beside their targets."""

import numpy as np
import pytest

import fastrnn as fr


def make_translator():
    """Tokens to tokens, with attention."""
    return fr.Seq2Seq(
        encoder=fr.Sequential(fr.Embedding(6, 4, seed=0), fr.GRU(4, 8, seed=1)),
        embedding=fr.Embedding(6, 4, seed=2),
        decoder=fr.AttentionDecoder(fr.GRU(4, 8, seed=3), fr.Attention(8, 8, seed=4), fr.Linear(16, 8, seed=5)),
        output=fr.Linear(8, 6, seed=6),
        seed=7,
    )


def pairs(rng, count=30):
    sources = [rng.integers(1, 6, length) for length in rng.integers(2, 6, count)]
    return sources, [np.append(row[::-1], 0) for row in sources]


def test_lists_of_sequences_are_padded_with_the_lengths_that_the_model_takes(rng):
    """The same batches as a collate_fn makes by hand."""
    sources, targets = pairs(rng)

    def collate(x, y):
        pad = lambda rows: np.stack([np.pad(row, (0, 9 - len(row))) for row in rows], axis=1)  # noqa: E731
        lengths = [[len(row) for row in rows] for rows in (x, y)]
        x, y = (pad(rows)[: max(n)] for rows, n in zip((x, y), lengths, strict=True))
        return {"source": x, "target": y, "source_lengths": lengths[0]}, y, lengths[1]

    def train(*data):
        model = make_translator()
        options = {"epochs": 2, "batch_size": 8, "seed": 0, "progress": False}
        return fr.fit(model, fr.cross_entropy, *data, **options)["loss"], model

    by_hand = fr.Batches(sources, targets, batch_size=8, collate_fn=collate, seed=0)
    loss, model = train({"source": sources, "target": targets}, targets)
    expected, other = train(by_hand)
    assert loss == pytest.approx(expected, rel=1e-6)
    scores = [
        fr.evaluate(each, fr.cross_entropy, {"source": sources, "target": targets}, targets)["loss"]
        for each in (model, other)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


class Sum:
    """A model of one's own with three inputs: sequences, a vector for each row, and a number for each row."""

    batch_first = True
    params, grads = {}, {}

    def zero_grad(self):
        pass

    def __call__(self, steps, static, scale, steps_lengths=None):
        self.lengths = steps_lengths
        return (steps.sum(axis=(1, 2)) + static.sum(axis=1)) * scale

    def forward(self, steps, static, scale, steps_lengths=None):
        return self(steps, static, scale, steps_lengths), None

    def backward(self, tape, dy):
        pass


def test_arrays_lists_and_numbers_of_each_row(rng):
    """Rows stay together; a part of them is split off."""
    steps = [np.full((length, 2), n, float) for n, length in enumerate(rng.integers(1, 5, 12))]
    static, scale = rng.standard_normal((12, 3)), list(range(12))
    y = np.array([(rows.sum() + vector.sum()) * k for rows, vector, k in zip(steps, static, scale, strict=True)])
    x, model, errors = {"steps": steps, "static": static, "scale": scale}, Sum(), []

    def loss(prediction, target):
        errors.append(np.abs(prediction - target).max())
        return 0.0, np.zeros_like(prediction)

    fr.evaluate(model, loss, x, y, batch_size=5)
    assert len(errors) == 3 and max(errors) < 1e-12 and len(model.lengths) == 2
    first, last = fr.Batches(x, y, batch_first=True, batch_size=4, seed=0).split(0.25)
    for batch in (*first, *last):
        assert np.abs(model(**batch.x) - batch.y).max() < 1e-12
    assert last.rows.tolist() == [9, 10, 11]


@pytest.mark.parametrize(
    ("error", "message", "x"),
    [
        (ValueError, "static: expected 12 rows, as y has, got 5", {"static": np.zeros((5, 3))}),
        (ValueError, "scale: expected rows, got a single float64", {"scale": 3.0}),
        (TypeError, "x: expected a dict of inputs by name, got {}", {}),
        (TypeError, "x: expected a dict of inputs by name, got {3: ", {3: [1]}),
        (ValueError, r"steps\[1\]: expected steps of shape", {"steps": [np.zeros((2, 2)), np.zeros((2, 3))] * 6}),
    ],
)
def test_inputs_that_are_refused(error, message, x):
    with pytest.raises(error, match=message):
        fr.evaluate(Sum(), fr.mse_loss, x, np.zeros(12))
    with pytest.raises(ValueError, match="lengths: expected none for a dict of inputs"):
        fr.evaluate(Sum(), fr.mse_loss, x, np.zeros(12), lengths=[1])
