# SPDX-License-Identifier: BSD-3-Clause
"""Models from sequence to sequence, and sequences for them."""

from support.layers import summariser, translator

import fastrnn as fr

T_S, T, N, V = 6, 5, 4, 10
MODELS = {
    "whole": translator,
    "fed": lambda *own, **options: translator(*own, input_feeding=True, **options),
    "no attention": summariser,
}


def draw(model, rng, T_s=T_S, T=T, N=N):
    """A source, a target and a gradient of the logits."""
    tokens = model.attends
    source = rng.integers(0, V, (T_s, N)) if tokens else rng.standard_normal((T_s, N, 3)).astype(model.dtype)
    return source, rng.integers(0, V, (T, N)), rng.standard_normal((T, N, V)).astype(model.dtype)


def build(encoder=None, embedding=None, decoder=None, output=None, **options):
    """A model of layers that fit, except for those provided."""
    return fr.Seq2Seq(
        encoder or fr.GRU(3, 4), embedding or fr.Embedding(V, 5), decoder or fr.GRU(5, 4), output or fr.Linear(4, V),
        **options,
    )  # fmt: skip
