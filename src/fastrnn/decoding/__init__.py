# SPDX-License-Identifier: BSD-3-Clause
"""Generate sequences with a trained model: greedy decoding, sampling and beam search.

The model is a `Seq2Seq`, which reads a source, or a language model, which continues sequences: a
`Sequential` from tokens to logits, such as Embedding, LSTM, Linear. All three functions use a model by its method
`begin` (a Sequential has none, but is treated as if it had):

    tokens, state, step = model.begin(source, lengths, copies)      the first symbols and the first state
    logits, state, weights = step(tokens, state)                    one more step, for all rows

Any object with such a method can be decoded. In every array of a state, rows are on axis 1, as in the states of
recurrent layers; the `copies` of a row are adjacent. The result of a row does not depend on the others in the batch.
"""

from ._beam import beam
from ._decoded import Decoded
from ._sampling import greedy, sample

__all__ = ["Decoded", "beam", "greedy", "sample"]
