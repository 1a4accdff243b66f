# SPDX-License-Identifier: BSD-3-Clause
"""Whether the layers of an AttentionDecoder fit together."""

from typing import Any

from .._container import check_same


def check_fit(decoder: Any) -> None:
    """Raise ValueError, naming the layer, unless the layers of a decoder fit together."""
    layer, attention, combine = decoder.layer, decoder.attention, decoder.combine
    if layer.reads_ahead:
        option = "bidirectional" if layer.bidirectional else "reverse"
        raise ValueError(f"layer: expected one direction, got {option}=True: a decoder cannot know its own future")
    check_same({"layer": layer, "attention": attention, "combine": combine}, "dtype", "batch_first")
    H, M, A = layer.hidden_size, attention.memory_size, combine.out_features
    if attention.query_size != H:
        raise ValueError(f"attention: expected query_size={H}, the hidden_size of layer, got {attention.query_size}")
    if combine.in_features != M + H:
        raise ValueError(
            f"combine: expected in_features={M} + {H}, the memory_size of attention and the hidden_size of layer, "
            f"got {combine.in_features}"
        )
    if decoder.input_feeding and layer.input_size <= A:
        raise ValueError(
            f"layer: expected an input_size above {A}, to read x beside the {A} out_features of combine, "
            f"got {layer.input_size}"
        )
    if decoder.input_feeding and (options := layer.whole_sequence_options()):
        raise ValueError(
            f"layer: expected one that can run step by step, got {', '.join(sorted(options))}, "
            "which means a sequence as a whole"
        )
