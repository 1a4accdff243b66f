# SPDX-License-Identifier: BSD-3-Clause
"""fit of a model of several inputs."""

import numpy as np
import pytest
from support.training import assert_same, but_seconds

import fastrnn as fr


def make_translator():
    """Tokens to tokens, with attention, dropout and scheduled sampling."""
    return fr.Seq2Seq(
        encoder=fr.Sequential(fr.Embedding(6, 4, seed=0), fr.GRU(4, 8, 2, dropout=0.2, seed=1)),
        embedding=fr.Embedding(6, 4, seed=2),
        decoder=fr.AttentionDecoder(fr.GRU(4, 8, 2, seed=3), fr.Attention(8, 8, seed=4), fr.Linear(16, 8, seed=5)),
        output=fr.Linear(8, 6, seed=6),
        seed=7,
    )


def test_sequence_to_sequence(rng, tmp_path):
    """Several inputs by name, of different lengths; stopped and resumed to the same bits."""
    sources = [rng.integers(1, 6, length) for length in rng.integers(2, 6, 40)]
    targets = [np.append(row[::-1], 0) for row in sources]  # backwards, and a symbol that ends it

    def collate(x, y):
        lengths = [[len(row) for row in rows] for rows in (x, y)]
        source, target = (
            np.stack([np.pad(row, (0, max(n) - len(row))) for row in rows], axis=1)
            for rows, n in zip((x, y), lengths, strict=True)
        )
        names = {"source_lengths": lengths[0], "target_lengths": lengths[1], "sampling": 0.1}
        return {"source": source, "target": target, **names}, target, lengths[1]

    def train(model, epochs, **options):
        batches = fr.Batches(sources, targets, batch_size=8, collate_fn=collate, seed=0)
        adam = fr.Adam(model, lr=0.01)
        return fr.fit(model, fr.cross_entropy, batches, optimizer=adam, epochs=epochs, progress=False, **options)

    with pytest.raises(TypeError, match="since Seq2Seq takes source and target, got list; .* collate_fn"):
        fr.fit(make_translator(), fr.cross_entropy, sources, targets, progress=False)
    whole, model, path = make_translator(), make_translator(), tmp_path / "run"
    history = train(whole, 6)
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    train(model, 3, checkpoint=path)
    other = make_translator()
    assert but_seconds(train(other, 6, checkpoint=path, resume=True)) == but_seconds(history)
    assert_same(other, whole.params)
