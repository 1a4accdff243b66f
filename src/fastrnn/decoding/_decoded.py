# SPDX-License-Identifier: BSD-3-Clause
"""The result of decoding."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._engine.arguments import Array
from .._engine.layout import Layout
from .._engine.ragged import length_mask


class Decoded(NamedTuple):
    """Generated sequences. T is the number of steps of the longest row, including `stop`."""

    tokens: NDArray[np.intp]
    """(T, N), or (N, T) of a model that has the batch first: the symbols; from the end of a row on, `stop`."""
    lengths: NDArray[np.intp]
    """(N,): the number of symbols of each row before `stop`. A row of `max_length` did not come to its end."""
    log_probs: NDArray[np.float64]
    """(N,): the logarithm of the probability that the model gives each row, including its `stop`."""
    weights: Array | None
    """(T, N, T_s) or (N, T, T_s): the attention weights, 0 beyond `lengths`; None of a model without attention."""


def as_decoded(
    model: Any,
    tokens: list[Array],
    weights: list[Array | None],
    lengths: Array,
    log_probs: Array,
) -> Decoded:
    """A `Decoded` of the symbols and the attention weights of each step, in the layout of the model."""
    N = len(lengths)
    T = min(len(tokens), int(lengths.max(initial=-1)) + 1)
    layout = Layout(True, bool(getattr(model, "batch_first", False)))
    symbols = layout.laid_out(np.array(tokens[:T], np.intp).reshape(T, N))
    if not weights or weights[0] is None:
        return Decoded(symbols, lengths, log_probs, None)
    attention = np.array(weights[:T])
    attention[~length_mask(lengths, T)] = 0
    return Decoded(symbols, lengths, log_probs, layout.laid_out(attention))
