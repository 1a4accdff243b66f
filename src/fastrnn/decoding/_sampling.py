# SPDX-License-Identifier: BSD-3-Clause
"""Decoding of one sequence for each row: the likeliest symbol at each step, or one drawn at random."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, SeedLike, as_positive, as_rng, as_size
from ..nn._sequential import Sequential
from ._decoded import Decoded, as_decoded
from ._stepping import Decodable, as_limits, as_log_probs, begin


def greedy(
    model: Sequential | Decodable,
    source: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    stop: int | None,
    max_length: int,
) -> Decoded:
    """Greedy decoding: choose the most likely symbol at each step, or the first of several equally likely ones.

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

    Returns
    -------
    Decoded

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
    >>> result = fr.decoding.greedy(model, np.array([[1, 3], [2, 0]]), lengths=[2, 1], stop=None, max_length=6)
    >>> result.tokens.shape, result.lengths
    ((6, 2), array([6, 6]))
    """
    stop, max_length = as_limits(stop, max_length)
    return _write(model, source, lengths, stop, max_length, lambda log_probs: log_probs.argmax(axis=-1))


def sample(
    model: Sequential | Decodable,
    source: ArrayLike,
    lengths: ArrayLike | None = None,
    *,
    stop: int | None,
    max_length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: SeedLike = None,
) -> Decoded:
    """Sample symbols from the probabilities of the model.

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
    temperature : float, default 1.0
        Divides the logits; finite and above 0. Below 1 the distribution becomes sharper, above 1 more uniform.
    top_k : int or None, default None
        Sample only from the `top_k` most likely symbols of each step, and any that tie with the last of them. None
        samples from all symbols.
    seed : int, Generator or None, default None
        Seed of the random numbers, or the generator that draws them. None gives different sequences on every call.

    Returns
    -------
    Decoded
        `log_probs` are those of the model, whatever `temperature` and `top_k` are.

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
    >>> result = fr.decoding.sample(model, [[1, 3]], stop=0, max_length=6, temperature=0.5, seed=0)
    >>> bool((result.lengths <= 6).all())
    True
    """
    temperature, rng = as_positive("temperature", temperature), as_rng(seed)
    k = None if top_k is None else as_size("top_k", top_k)
    stop, max_length = as_limits(stop, max_length)

    def choose(log_probs: Array) -> Array:
        scores = log_probs / temperature
        if k is not None and k < scores.shape[-1]:
            least = np.partition(scores, -k, axis=-1)[:, -k, None]
            scores[scores < least] = -np.inf
        cumulated = np.cumsum(np.exp(scores - scores.max(axis=-1, keepdims=True)), axis=-1)
        return (cumulated > rng.random((len(scores), 1)) * cumulated[:, -1:]).argmax(axis=-1)

    return _write(model, source, lengths, stop, max_length, choose)


def _write(
    model: Sequential | Decodable,
    source: ArrayLike,
    lengths: ArrayLike | None,
    stop: int,
    max_length: int,
    choose: Callable[[Array], Array],
) -> Decoded:
    """Write one sequence for each row; `choose` picks the symbols (N,) of a step, given log-probabilities (N, V)."""
    tokens, state, step = begin(model, source, lengths, 1)
    n = np.arange(len(tokens))
    running, written, total = np.ones(len(n), bool), np.zeros(len(n), np.intp), np.zeros(len(n))
    tokens_of_steps: list[Array] = []
    weights_of_steps: list[Array | None] = []
    while running.any() and len(tokens_of_steps) < max_length:
        logits, state, weights = step(tokens, state)
        log_probs = as_log_probs(logits, stop)
        tokens = np.where(running, choose(log_probs), stop)
        total[running] += log_probs[n, tokens][running]
        running &= tokens != stop
        written += running
        tokens_of_steps.append(tokens)
        weights_of_steps.append(weights)
    return as_decoded(model, tokens_of_steps, weights_of_steps, written, total)
