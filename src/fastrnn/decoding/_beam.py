# SPDX-License-Identifier: BSD-3-Clause
"""Beam search: decoding of the likeliest sequence for each row."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_nonnegative, as_size
from .._engine.layout import select_rows
from ..nn._sequential import Sequential
from ._decoded import Decoded, as_decoded
from ._stepping import Decodable, as_limits, as_log_probs, begin


def beam(
    model: Sequential | Decodable,
    source: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    stop: int | None,
    max_length: int,
    width: int = 4,
    length_penalty: float = 0.0,
) -> Decoded:
    """Beam search for the most likely sequence of each row, with `width` hypotheses.

    Each step extends every unfinished hypothesis by every symbol, and keeps the best `width` of all hypotheses. The
    score is

        log_prob / ((5 + length) / 6) ** length_penalty

    (Wu et al. 2016, arXiv 1609.08144, equation 14, without coverage), where the length includes `stop`. Without the
    penalty short sequences have an advantage, since every further symbol lowers the probability. With a `width` of 1
    the result is that of `greedy`; with the number of all sequences it is exact.

    Parameters
    ----------
    model : Seq2Seq, Sequential, or any object with `begin`
        The model: a Seq2Seq, or a language model.
    source : array_like
        The source of a Seq2Seq. For a language model, the prefixes to continue: tokens (T_s, N), or (N, T_s) with
        `batch_first`, of at least one symbol each. They are not repeated in the result.
    lengths : array_like of int, shape (N,), default T_s for every row
        Lengths of the rows of the source.
    stop : int or None
        The symbol that ends a row. None: no symbol does.
    max_length : int
        The largest number of steps of a row, at least 1.
    width : int, default 4
        The number of hypotheses of each row, at least 1.
    length_penalty : float, default 0.0
        Finite and at least 0; 0.6 to 1 is usual.

    Returns
    -------
    Decoded
        The best sequence of each row.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If an argument is out of range, or a language model has a bidirectional layer.
    FloatingPointError
        If the model gives NaN.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Embedding(5, 4, seed=0), fr.GRU(4, 8, seed=1), fr.Linear(8, 5, seed=2))
    >>> likely = fr.decoding.greedy(model, [[1, 3]], stop=0, max_length=6)
    >>> likelier = fr.decoding.beam(model, [[1, 3]], stop=0, max_length=6, width=20)
    >>> bool((likelier.log_probs >= likely.log_probs).all())
    True
    """
    stop, max_length = as_limits(stop, max_length)
    K = as_size("width", width)
    power = as_nonnegative("length_penalty", length_penalty)
    tokens, state, step = begin(model, source, lengths, K)
    N = len(tokens) // K
    total = np.full((N, K), -np.inf)  # log-probabilities; -inf in place of a hypothesis that does not exist
    total[:, 0] = 0  # at first only one does, the empty one
    ends = np.full((N, K), -1)  # the step of `stop`; -1 before it
    first = np.arange(N)[:, None] * K  # of the hypotheses of each row
    history: list[_Extension] = []
    while len(history) < max_length and ((ends < 0) & (total != -np.inf)).any():
        logits, state, weights = step(tokens, state)
        log_probs = as_log_probs(logits, stop).reshape(N, K, -1)
        total, ends, symbols, origin = _extend(total, ends, log_probs, len(history), stop, power)
        tokens, state = symbols.reshape(-1), select_rows(state, (first + origin).reshape(-1))
        history.append(_Extension(symbols, origin, weights))

    steps = np.where(ends < 0, len(history), ends + 1)
    best = _penalized(total, steps, power).argmax(axis=1)
    n = np.arange(N)
    written = np.where(ends[n, best] < 0, len(history), ends[n, best])
    return as_decoded(model, *_trace_back(history, best), written, total[n, best])


class _Extension(NamedTuple):
    """The extension of the hypotheses by one step."""

    symbols: Array  # (N, K)
    origin: Array  # (N, K): the hypothesis that each of them extends
    weights: Array | None  # (N * K, T_s): of the attention


def _extend(
    total: Array, ends: Array, log_probs: Array, t: int, stop: int, power: float
) -> tuple[Array, Array, Array, Array]:
    """The best K hypotheses after step t: `total`, `ends`, their last symbols and the hypotheses that they extend."""
    N, K, V = log_probs.shape
    ended = ends >= 0
    log_probs[ended] = -np.inf  # a sequence that has ended is extended by `stop` alone, at no cost
    log_probs[ended, stop] = 0
    totals = total[..., None] + log_probs
    steps = np.where(ended, ends, t) + 1
    best = _largest(_penalized(totals, steps[..., None], power).reshape(N, K * V), K)
    origin, symbols = np.divmod(best, V)
    total = np.take_along_axis(totals.reshape(N, K * V), best, axis=1)
    ends = np.take_along_axis(ends, origin, axis=1)
    ends[(ends < 0) & (symbols == stop)] = t
    return total, ends, symbols, origin


def _penalized(log_probs: Array, lengths: Array, power: float) -> Array:
    return log_probs / ((5 + lengths) / 6) ** power


def _largest(array: Array, count: int) -> Array:
    """The columns of the `count` largest elements of each row, the largest first; of equal elements the first."""
    rest, n = np.maximum(array, np.finfo(np.float64).min), np.arange(len(array))  # -inf marks those that are taken
    columns = np.empty((len(array), count), np.intp)
    for k in range(count):
        columns[:, k] = rest.argmax(axis=1)
        rest[n, columns[:, k]] = -np.inf
    return columns


def _trace_back(history: list[_Extension], best: Array) -> tuple[list[Array], list[Array | None]]:
    """Yield the symbols and attention weights of one sequence for each row, from the last step to the first."""
    tokens: list[Array] = []
    weights: list[Array | None] = []
    n, k = np.arange(len(best)), best
    for extension in reversed(history):
        tokens.append(extension.symbols[n, k])
        K, k = extension.origin.shape[1], extension.origin[n, k]
        weights.append(None if extension.weights is None else extension.weights[n * K + k])
    return tokens[::-1], weights[::-1]
