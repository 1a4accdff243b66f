# SPDX-License-Identifier: BSD-3-Clause
"""The decoder of a Seq2Seq one step at a time, when the next symbol is not known yet."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..._engine.arguments import Array, Generator
from ..._engine.layout import Layout
from .._attention import input_feeding
from .._attention.decoder import AttentionDecoder

Step: TypeAlias = Callable[[Array, Any], tuple[Array, Any, Array | None]]  # (tokens, state) -> (logits, state, weights)


def steps(model: Any, memory: Array, lengths: Any, copies: int = 1) -> Step:
    """The function that makes a step, given the output of the encoder."""
    layout, decoder = Layout(True, model.batch_first), model.decoder
    if isinstance(decoder, AttentionDecoder):
        N = layout.time_major(memory).shape[1]
        prepared = decoder.attention.prepare(memory, lengths, layout, N, keep=False).repeated(copies)

        def decode(x: Array, state: Any) -> tuple[Array, Any, Array | None]:
            return input_feeding.step_alone(decoder, x, prepared, state)
    else:

        def decode(x: Array, state: Any) -> tuple[Array, Any, Array | None]:
            return *decoder(layout.laid_out(x[None]), state), None

    def step(tokens: Array, state: Any) -> tuple[Array, Any, Array | None]:
        y, state, weights = decode(model.embedding(tokens), state)
        return model.output(y.reshape(len(tokens), model.output.in_features)), state, weights

    return step


def sampled(inputs: Array, rng: Generator, probability: float, step: Step, state: Any) -> Array:
    """`inputs` (T, N) with some symbols replaced by the model's own choice at the step before."""
    inputs, own = inputs.copy(), rng.random(inputs.shape) < probability
    for t in range(len(inputs) - 1):
        logits, state, _ = step(inputs[t], state)
        inputs[t + 1] = np.where(own[t + 1], logits.argmax(axis=-1), inputs[t + 1])
    return inputs
