# SPDX-License-Identifier: BSD-3-Clause
"""Whether the layers of a Seq2Seq fit together, and the arguments fit the layers."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_array, as_integers
from ..._engine.layout import Layout
from ..._engine.ragged import as_lengths, length_mask
from .._attention.decoder import AttentionDecoder
from .._container import check_same
from .bridge import last_recurrent


def check_fit(model: Any) -> None:
    """Raise TypeError or ValueError, naming the layer, unless the layers of a Seq2Seq fit together."""
    encoder, embedding, decoder, output = model.encoder, model.embedding, model.decoder, model.output
    if last_recurrent(encoder) is None:
        raise TypeError(f"encoder: expected a recurrent layer or a Sequential that holds one, got {encoder!r}")
    layers = {"encoder": encoder, "embedding": embedding, "decoder": decoder, "output": output}
    check_same(layers | ({} if model.bridge is None else {"bridge": model.bridge}), "dtype", "batch_first")
    attends = isinstance(decoder, AttentionDecoder)
    recurrent, features = (decoder.layer, decoder.combine.out_features) if attends else (decoder, decoder.hidden_size)
    if recurrent.reads_ahead:
        option = "bidirectional" if recurrent.bidirectional else "reverse"
        raise ValueError(f"decoder: expected one direction, got {option}=True: it cannot know its own future")
    if recurrent.learn_initial_state:
        raise ValueError(
            "decoder: expected learn_initial_state=False, as it begins with the state of encoder, got True"
        )
    V, E = embedding.num_embeddings, embedding.embedding_dim
    if decoder.input_size != E:
        raise ValueError(f"decoder: expected input_size={E}, the embedding_dim of embedding, got {decoder.input_size}")
    if (output.in_features, output.out_features) != (features, V):
        raise ValueError(
            f"output: expected Linear({features}, {V}), from the features of decoder to the symbols of embedding, "
            f"got Linear({output.in_features}, {output.out_features})"
        )
    if model.start >= V:
        raise ValueError(f"start: expected at most {V - 1}, the last symbol of embedding, got {model.start}")


def as_source_lengths(model: Any, source: ArrayLike, lengths: Any) -> tuple[int, Array | None]:
    """N, and the lengths of the rows of the source, or None."""
    array = as_array("source", source)
    layout = Layout(True, model.batch_first)
    tokens = model.encoder.reads_tokens
    if array.ndim != (2 if tokens else 3):  # a single sequence (T, I) may have as many features as there are rows
        features = layout.axes(model.encoder.features_in or "I")
        expected = f"tokens {layout.axes('I').replace(', I', '')}" if tokens else f"features {features}"
        raise ValueError(f"source: expected {expected}, as encoder reads them, got {array.shape}")
    T, N = layout.time_major(array).shape[:2]
    if lengths is not None:
        lengths = as_lengths(lengths, T, N, name="source_lengths", of="source")
    return N, lengths


def decoder_inputs(model: Any, target: ArrayLike, lengths: Any, N: int) -> tuple[Array, Array | None]:
    """What the decoder reads, time-major (T, N): `start`, then the target up to the step before; and the lengths."""
    target = as_integers("target", target)
    layout = Layout(True, model.batch_first)
    if target.ndim != 2 or layout.time_major(target).shape[1] != N:
        axes = layout.axes("V").replace(", V", "")
        raise ValueError(f"target: expected tokens {axes} with N={N}, as source has it, got {target.shape}")
    target = layout.time_major(target)
    T = len(target)
    inputs = np.full((T, N), model.start, np.intp)
    inputs[1:] = target[:-1]
    if lengths is not None:
        lengths = as_lengths(lengths, T, N, name="target_lengths", of="target")
        inputs[~length_mask(lengths, T)] = model.start  # any symbol: padding is not read
    return inputs, lengths
