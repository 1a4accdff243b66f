# SPDX-License-Identifier: BSD-3-Clause
"""Writing sequences with a trained model: the likeliest symbol at each step, one at random, or a beam of several.

The model is a `Seq2Seq`, given a source, or a language model, given the beginnings of what it is to go on with: a
`Sequential` from tokens to logits, such as Embedding, LSTM, Linear. All three functions go through what `begin` gives:

    tokens, state, step = model.begin(source, lengths, copies)      the first symbols and the first state
    logits, state, weights = step(tokens, state)                    one more step, for all rows

Any object with such a method can be decoded. In every array of a state rows are on axis 1, as in those of recurrent
layers; `copies` of a row stand side by side. What a row gives does not depend on the others in the batch.
"""

from typing import NamedTuple

import numpy as np

from ._engine import arguments
from ._engine.layout import Layout, select_rows
from ._engine.ragged import as_lengths
from .nn._layer import leaves
from .nn._sequential import Sequential

__all__ = ["Decoded", "beam", "greedy", "sample"]


class Decoded(NamedTuple):
    """What a model wrote. T is the number of steps that the longest row took, `stop` included."""

    tokens: np.ndarray
    """(T, N), or (N, T) of a model that has the batch first: the symbols; from a row's end on, `stop`."""
    lengths: np.ndarray
    """(N,): the symbols of each row before `stop`. A row of `max_length` did not come to its end."""
    log_probs: np.ndarray
    """(N,): the logarithm of the probability that the model gives each row, with its `stop`; float64."""
    weights: np.ndarray | None
    """(T, N, T_s) or (N, T, T_s): those of the attention, 0 beyond `lengths`; None of a model that has none."""


def greedy(model, source, lengths=None, *, stop, max_length):
    """Write the likeliest symbol at each step (of equal ones the first).

    Parameters
    ----------
    model : Seq2Seq, Sequential, or any object with `begin`
    source : array_like
        What a Seq2Seq takes as source; for a language model the beginnings, tokens (T_s, N) or with `batch_first`
        (N, T_s), of at least one symbol each, which are not repeated in the result.
    lengths : array_like of int, shape (N,), optional
        Of the rows of the source.
    stop : int or None
        The symbol that ends a row. None: none does.
    max_length : int
        Steps that no row exceeds.

    Returns
    -------
    Decoded

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.
    FloatingPointError
        The model gives NaN.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Embedding(5, 4, seed=0), fr.GRU(4, 8, seed=1), fr.Linear(8, 5, seed=2))
    >>> found = fr.decoding.greedy(model, np.array([[1, 3], [2, 0]]), lengths=[2, 1], stop=None, max_length=6)
    >>> found.tokens.shape, found.lengths
    ((6, 2), array([6, 6]))
    """
    return _write(model, source, lengths, stop, max_length, lambda log_probs: log_probs.argmax(axis=-1))


def sample(model, source, lengths=None, *, stop, max_length, temperature=1.0, top_k=None, seed=None):
    """Write symbols at random, with the probabilities that the model gives them.

    Parameters
    ----------
    model, source, lengths, stop, max_length
        As in `greedy`, with the same errors.
    temperature : float
        Above 0: logits are divided by it. Below 1 likely symbols become likelier, above 1 all more alike.
    top_k : int or None
        Only the k likeliest symbols of each step are drawn from (more of them, where some are equal).
    seed : int, Generator or None

    Returns
    -------
    Decoded
        `log_probs` are the model's own, whatever `temperature` and `top_k` are.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Embedding(5, 4, seed=0), fr.GRU(4, 8, seed=1), fr.Linear(8, 5, seed=2))
    >>> found = fr.decoding.sample(model, [[1, 3]], stop=0, max_length=6, temperature=0.5, seed=0)
    >>> bool((found.lengths <= 6).all())
    True
    """
    temperature, rng = arguments.as_positive("temperature", temperature), arguments.as_rng(seed)
    top_k = None if top_k is None else arguments.as_size("top_k", top_k)

    def choose(log_probs):
        scores = log_probs / temperature
        if top_k is not None and top_k < scores.shape[-1]:
            least = np.partition(scores, -top_k, axis=-1)[:, -top_k, None]
            scores[scores < least] = -np.inf
        reached = np.cumsum(np.exp(scores - scores.max(axis=-1, keepdims=True)), axis=-1)
        return (reached > rng.random((len(scores), 1)) * reached[:, -1:]).argmax(axis=-1)

    return _write(model, source, lengths, stop, max_length, choose)


def beam(model, source, lengths=None, *, stop, max_length, width=4, length_penalty=0.0):
    """Search for the likeliest sequence, with the `width` best beginnings of each row side by side.

    A beginning is a sequence that is as long as the steps so far, or one that has ended. Each step goes on with every
    one that has not ended by every symbol, and keeps the best `width` of all. What is searched for is the largest

        log_prob / ((5 + length) / 6) ** length_penalty

    (Wu et al. 2016, arXiv 1609.08144, equation 14, without coverage), where the length includes `stop`. Without the
    penalty short sequences have the advantage that every further symbol costs probability. With a `width` of 1 it is
    `greedy`; with one of all sequences the result is exact.

    Parameters
    ----------
    model, source, lengths, stop, max_length
        As in `greedy`, with the same errors.
    width : int
    length_penalty : float
        At least 0; 0.6 to 1 is usual.

    Returns
    -------
    Decoded
        The best sequence of each row.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Embedding(5, 4, seed=0), fr.GRU(4, 8, seed=1), fr.Linear(8, 5, seed=2))
    >>> likely = fr.decoding.greedy(model, [[1, 3]], stop=0, max_length=6)
    >>> likelier = fr.decoding.beam(model, [[1, 3]], stop=0, max_length=6, width=20)
    >>> bool((likelier.log_probs >= likely.log_probs).all())
    True
    """
    stop, max_length = _limits(stop, max_length)
    K = arguments.as_size("width", width)
    power = arguments.as_nonnegative("length_penalty", length_penalty)
    tokens, state, step = _begin(model, source, lengths, K)
    N = len(tokens) // K
    total = np.full((N, K), -np.inf)  # log-probabilities; at first there is one beginning, the empty one
    total[:, 0] = 0
    ends = np.full((N, K), -1)  # the step of `stop`; -1 before it
    first = np.arange(N)[:, None] * K  # of each row's beginnings
    history = []  # of (tokens (N, K), from which beginning each comes (N, K), weights)
    for t in range(max_length):
        if ((ends >= 0) | (total == -np.inf)).all():
            break
        logits, state, weights = step(tokens, state)
        log_probs = _log_softmax(logits, stop).reshape(N, K, -1)
        V = log_probs.shape[-1]
        over = ends >= 0
        log_probs[over] = -np.inf  # what has ended goes on in one way, which costs nothing
        log_probs[over, stop] = 0
        totals = (total[..., None] + log_probs).reshape(N, K * V)
        steps = np.where(over, ends, t) + 1
        ranks = (totals.reshape(N, K, V) / ((5 + steps[..., None]) / 6) ** power).reshape(N, K * V)
        best = _largest(ranks, K)
        origin, symbols = np.divmod(best, V)
        total = np.take_along_axis(totals, best, axis=1)
        ends = np.take_along_axis(ends, origin, axis=1)
        ends[(ends < 0) & (symbols == stop)] = t
        rows = (first + origin).reshape(-1)
        tokens, state = symbols.reshape(-1), select_rows(state, rows)
        history.append((symbols, origin, weights))
    steps = np.where(ends < 0, len(history), ends + 1)
    k = (total / ((5 + steps) / 6) ** power).argmax(axis=1)
    n = np.arange(N)
    log_probs, written = total[n, k], np.where(ends[n, k] < 0, len(history), ends[n, k])
    sequence, looked = [], []
    for symbols, origin, weights in reversed(history):
        sequence.append(symbols[n, k])
        k = origin[n, k]
        looked.append(None if weights is None else weights[n * K + k])
    return _decoded(model, sequence[::-1], looked[::-1], written, log_probs, stop)


# -- what they share ---------------------------------------------------------------------------------------------------


def _write(model, source, lengths, stop, max_length, choose):
    """One sequence for each row; `choose` picks symbols (N,), given their log-probabilities (N, V)."""
    stop, max_length = _limits(stop, max_length)
    tokens, state, step = _begin(model, source, lengths, 1)
    n = np.arange(len(tokens))
    running, written, total = np.ones(len(n), bool), np.zeros(len(n), np.intp), np.zeros(len(n))
    sequence, looked = [], []
    while running.any() and len(sequence) < max_length:
        logits, state, weights = step(tokens, state)
        log_probs = _log_softmax(logits, stop)
        tokens = np.where(running, choose(log_probs), stop)
        total[running] += log_probs[n, tokens][running]
        running &= tokens != stop
        written += running
        sequence.append(tokens)
        looked.append(weights)
    return _decoded(model, sequence, looked, written, total, stop)


def _begin(model, source, lengths, copies):
    """What the methods go through; see the head of this file."""
    if isinstance(model, Sequential):
        return _go_on(model, source, lengths, copies)
    if not hasattr(model, "begin"):
        raise TypeError(f"model: expected a Seq2Seq, a Sequential or an object with begin, got {type(model).__name__}")
    return model.begin(source, lengths, copies)


def _go_on(model, source, lengths, copies):
    """The same for a language model: it has read all symbols but the last, which is what it reads first."""
    layout = Layout(True, bool(model.batch_first))
    source = arguments.as_integers("source", source)
    if source.ndim != 2 or layout.time_major(source).shape[0] == 0:
        axes = layout.axes("V").replace(", V", "")
        raise ValueError(f"source: expected tokens {axes} with T of at least 1, got {source.shape}")
    if any(getattr(leaf, "bidirectional", False) for leaf in leaves(model)):
        raise ValueError("model: expected layers of one direction, got bidirectional=True: they read what comes later")
    source = layout.time_major(source)
    T, N = source.shape
    last = as_lengths(np.full(N, T) if lengths is None else lengths, T, N, of="source") - 1
    if (last < 0).any():
        raise ValueError(f"lengths: expected at least 1, got 0 for row {int((last < 0).argmax())}")
    _, state = model(layout.laid_out(source), None, last)

    def step(tokens, state):
        logits, state = model(layout.laid_out(tokens[None]), state)
        return logits.reshape(len(tokens), logits.shape[-1]), state, None

    rows = np.repeat(np.arange(N), copies)
    return source[last, np.arange(N)][rows], select_rows(state, rows), step


def _limits(stop, max_length):
    """`stop`, -1 where there is none, and `max_length`."""
    return -1 if stop is None else arguments.as_size("stop", stop, 0), arguments.as_size("max_length", max_length)


def _log_softmax(logits, stop):
    """Logarithms of probabilities (N, V), float64."""
    V = logits.shape[-1]
    if stop >= V:
        raise ValueError(f"stop: expected at most {V - 1}, the last of the model's symbols, got {stop}")
    log_probs = logits.astype(np.float64)
    peak = log_probs.max(axis=-1, keepdims=True)
    if not np.isfinite(peak).all():
        row = int(np.isfinite(peak[:, 0]).argmin())
        raise FloatingPointError(f"logits: expected finite values from the model, got {peak[row, 0]} in row {row}")
    log_probs -= peak
    log_probs -= np.log(np.exp(log_probs).sum(axis=-1, keepdims=True))
    return log_probs


def _largest(array, count):
    """The places of the `count` largest elements of each row, the largest first; of equal ones the first."""
    left, n = np.maximum(array, np.finfo(np.float64).min), np.arange(len(array))  # -inf is for those that are taken
    places = np.empty((len(array), count), np.intp)
    for k in range(count):
        places[:, k] = left.argmax(axis=1)
        left[n, places[:, k]] = -np.inf
    return places


def _decoded(model, sequence, looked, written, log_probs, stop):
    """A Decoded of the symbols and the weights of each step."""
    N = len(written)
    T = min(len(sequence), int(written.max(initial=-1)) + 1)
    tokens = np.array(sequence[:T], np.intp).reshape(T, N)
    weights = None
    if looked and looked[0] is not None:
        weights = np.array(looked[:T])
        weights[np.arange(T)[:, None] >= written] = 0
    layout = Layout(True, bool(getattr(model, "batch_first", False)))
    return Decoded(layout.laid_out(tokens), written, log_probs, None if weights is None else layout.laid_out(weights))
