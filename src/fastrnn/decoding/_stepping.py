# SPDX-License-Identifier: BSD-3-Clause
"""Code shared by all decoders: initial symbols and state, and the probabilities of a step."""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_integers, as_size
from .._engine.layout import Layout, select_rows
from .._engine.ragged import as_lengths
from ..nn._functional import log_softmax
from ..nn._layer import every_layer
from ..nn._sequential import Sequential

Step: TypeAlias = Callable[[Array, Any], tuple[Array, Any, Array | None]]
"""(tokens (N,), state) -> logits (N, V), state, attention weights (N, T_s) or None."""


class Decodable(Protocol):
    """An object with a method `begin`, such as a Seq2Seq."""

    def begin(self, source: Any, lengths: Any, copies: int, /) -> tuple[Array, Any, Step]:
        """The first symbols (N * copies,), the first state, and the function that takes a step."""
        ...


def begin(
    model: Sequential | Decodable, source: ArrayLike, lengths: ArrayLike | None, copies: int
) -> tuple[Array, Any, Step]:
    """The first symbols (N * copies,), the first state, and the function that takes a step, of any model."""
    if isinstance(model, Sequential):
        return _begin_language_model(model, source, lengths, copies)
    if not hasattr(model, "begin"):
        raise TypeError(f"model: expected a Seq2Seq, a Sequential or an object with begin, got {type(model).__name__}")
    return model.begin(source, lengths, copies)


def _begin_language_model(
    model: Any, source: ArrayLike, lengths: ArrayLike | None, copies: int
) -> tuple[Array, Any, Step]:
    """`begin` of a language model: it reads all symbols but the last, which is its first input in decoding."""
    layout = Layout(True, bool(model.batch_first))
    tokens = as_integers("source", source)
    if tokens.ndim != 2 or layout.time_major(tokens).shape[0] == 0:
        axes = layout.axes("V").replace(", V", "")
        raise ValueError(f"source: expected tokens {axes} with T of at least 1, got {tokens.shape}")
    if ahead := [layer for layer in every_layer(model) if layer.reads_ahead]:
        option = "bidirectional" if getattr(ahead[0], "bidirectional", False) else "reverse"
        raise ValueError(f"model: expected layers of one direction, got {option}=True: they read later steps")
    tokens = layout.time_major(tokens)
    T, N = tokens.shape
    last = as_lengths(np.full(N, T) if lengths is None else lengths, T, N, of="source") - 1
    if (last < 0).any():
        raise ValueError(f"lengths: expected at least 1, got 0 for row {int((last < 0).argmax())}")
    _, state = model(layout.laid_out(tokens), None, last)

    def step(tokens: Array, state: Any) -> tuple[Array, Any, None]:
        logits, state = model(layout.laid_out(tokens[None]), state)
        return logits.reshape(len(tokens), logits.shape[-1]), state, None

    rows = np.repeat(np.arange(N), copies)
    return tokens[last, np.arange(N)][rows], select_rows(state, rows), step


def as_limits(stop: int | None, max_length: int) -> tuple[int, int]:
    """`stop`, -1 for None, and `max_length`."""
    return -1 if stop is None else as_size("stop", stop, 0), as_size("max_length", max_length)


def as_log_probs(logits: Array, stop: int) -> Array:
    """Logarithms of probabilities (N, V), in float64, of logits that a model gave."""
    V = logits.shape[-1]
    if stop >= V:
        raise ValueError(f"stop: expected at most {V - 1}, the last of the model's symbols, got {stop}")
    peak = logits.max(axis=-1)
    if not np.isfinite(peak).all():
        row = int(np.isfinite(peak).argmin())
        raise FloatingPointError(f"logits: expected finite values from the model, got {peak[row]} in row {row}")
    return log_softmax(logits.astype(np.float64))
