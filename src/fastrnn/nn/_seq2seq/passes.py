# SPDX-License-Identifier: BSD-3-Clause
"""The passes of a Seq2Seq, up to its output layer."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import UNIT, Array, as_number
from ..._engine.layout import Layout
from .._attention.decoder import AttentionDecoder
from .._tape import Tape, add_extras, open_tape
from .bridge import last_state, with_last_state
from .checks import as_source_lengths, decoder_inputs
from .stepping import sampled, steps


def encode(model: Any, source: ArrayLike, lengths: Any, training: bool) -> tuple[Any, ...]:
    """The memory, the lengths of its rows, the initial state of the decoder, and what the backward pass needs."""
    with model._noted("encoder"):
        memory, state, tape = model.encoder.apply(source, None, lengths, training)
    initial, bridge_saved = model._bridge.apply(last_state(model.encoder, state), training)
    if isinstance(model.decoder, AttentionDecoder) and model.decoder.input_feeding:
        shape = (1, memory.shape[not model.batch_first], model.output.in_features)
        initial = initial, np.zeros(shape, model.dtype)
    return memory, model.encoder.lengths_after(lengths), initial, tape, bridge_saved


def decode(
    model: Any, sequences: tuple[Any, Any], lengths: tuple[Any, Any], training: bool, sampling: float = 0.0
) -> tuple[Array, Array | None, Any]:
    """The input of the output layer, weights or None, and what `decode_back` needs."""
    sampling = as_number("sampling", sampling, UNIT)
    (source, target), (source_lengths, target_lengths) = sequences, lengths
    N, source_lengths = as_source_lengths(model, source, source_lengths)
    inputs, target_lengths = decoder_inputs(model, target, target_lengths, N)
    memory, memory_lengths, state, encoder_tape, bridge_saved = encode(model, source, source_lengths, training)
    if sampling:
        inputs = sampled(inputs, model._rng, sampling, steps(model, memory, memory_lengths), state)
    x, _, embedding_tape = model.embedding.apply(Layout(True, model.batch_first).laid_out(inputs), None, None, training)
    weights, decoder_tape = None, None
    with model._noted("decoder"):
        if isinstance(model.decoder, AttentionDecoder):
            run = model.decoder.forward if training else model.decoder
            y, _, weights, *tapes = run(x, memory, state, target_lengths, memory_lengths)
            (decoder_tape,) = tapes or (None,)
        else:
            y, _, decoder_tape = model.decoder.apply(x, state, target_lengths, training)
    return y, weights, (memory.shape, bridge_saved, (encoder_tape, embedding_tape, decoder_tape))


def decode_back(model: Any, saved: Any, dy: Array, extras: dict[str, float]) -> Array | None:
    """The gradient of the source, given that of what the output layer reads; adds what layers report to `extras`."""
    shape, bridge_saved, (encoder_tape, embedding_tape, decoder_tape) = saved
    if isinstance(model.decoder, AttentionDecoder):
        dx, dmemory, dstate = model.decoder.backward(decoder_tape, dy)
        dstate = dstate[0] if model.decoder.input_feeding else dstate
    else:
        dx, dstate = model.decoder.backward(decoder_tape, dy)
        dmemory = np.zeros(shape, model.dtype)
    model.embedding.backward(embedding_tape, dx)
    dstate = with_last_state(model.encoder, model._bridge.backward(bridge_saved, dstate))
    dsource, _ = model.encoder.apply_backward(encoder_tape, dmemory, dstate)
    add_extras(extras, [encoder_tape, decoder_tape])
    return dsource


class BeforeOutput:
    """A Seq2Seq without its output layer: its passes return the input of that layer instead of logits.

    Parameters
    ----------
    model : Seq2Seq
    """

    _skips_dx = False  # see `without_dx`

    def __init__(self, model: Any) -> None:
        self.model: Any = model

    def __call__(
        self, source: ArrayLike, target: ArrayLike, source_lengths: Any = None, target_lengths: Any = None
    ) -> tuple[Array, Array | None]:
        return decode(self.model, (source, target), (source_lengths, target_lengths), training=False)[:2]

    def forward(
        self,
        source: ArrayLike,
        target: ArrayLike,
        source_lengths: Any = None,
        target_lengths: Any = None,
        *,
        sampling: float = 0.0,
    ) -> tuple[Array, Array | None, Tape]:
        y, weights, saved = decode(self.model, (source, target), (source_lengths, target_lengths), True, sampling)
        return y, weights, Tape(self, (saved,), y.shape)

    def backward(self, tape: Tape, dy: Array) -> Array | None:
        with self.model._in_backward:
            (saved,) = open_tape(tape, self)
            self.model.check_grads()
            tape.close()
            return decode_back(self.model, saved, dy, tape.extras)
