# SPDX-License-Identifier: BSD-3-Clause
"""Finds the units and gates whose values follow a property of the input."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_size
from ..._engine.ragged import length_mask
from .._trace.trace import STATE_AXES, Trace
from .properties import PROPERTIES
from .scores import as_numbers, auc_of_ranks, correlation, ranks

BLOCK = 1 << 22  # values that are sorted together


class Match(NamedTuple):
    """How well a unit in a trace tracks a property."""

    name: str  # of the array, as in the trace
    layer: int
    direction: int
    unit: int
    kind: Literal["auc", "correlation"]
    score: float
    strength: float  # from 0, chance, to 1: |2 AUC - 1| or |correlation|


def rank_units(trace: Trace, target: ArrayLike, top: int | None = None) -> list[Match]:
    """Rank all units in a trace by how well they track a target.

    Parameters
    ----------
    trace : Trace
        From `fastrnn.inspect.trace`.
    target : array_like, shape (T, N), or (T,) with one row
        What holds at each step, after it has been read: a property from `PROPERTIES`, or any other array. True and
        False are scored by `auc`, numbers by `correlation`. Steps where it is NaN are left out.
    top : int, optional
        How many to return; by default all.

    Returns
    -------
    list of Match
        The strongest first. Units with NaN come last.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type or shape, or `target` is the same at all steps.

    Notes
    -----
    The best of many units looks good by chance, too: check its score on a text that was not searched.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> x = np.random.default_rng(0).standard_normal((500, 1)).astype(np.float32)
    >>> trace = inspect.trace(fr.GRU(1, 8, seed=0), x)
    >>> best = inspect.rank_units(trace, inspect.rising(x[:, 0]), top=3)
    >>> [match.strength > 0.7 for match in best]
    [True, True, True]
    """
    top = None if top is None else as_size("top", top)
    return ranked(trace, {"target": target})["target"][:top]


def survey_units(trace: Trace, text: str, top: int = 1) -> dict[str, list[Match]]:
    """Find the units that best track each of the predefined properties of a text.

    Parameters
    ----------
    trace : Trace
        Of one row, with a step for each character.
    text : str
    top : int, default 1
        How many units for each property.

    Returns
    -------
    dict of str to list of Match
        By the name of the property, as in `PROPERTIES`. Properties that are the same in the whole text are left out.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, or the text is not as long as the trace.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn import inspect
    >>> model = fr.Sequential(fr.Embedding(4, 4, seed=0), fr.GRU(4, 8, seed=1))
    >>> text = 'a "b" ' * 9
    >>> trace = inspect.trace(model, inspect.read_text(model, text, 'ab" ').x)
    >>> sorted(inspect.survey_units(trace, text))
    ['inside_quotes', 'is_punctuation', 'is_space', 'is_vowel', 'position_in_line', 'position_in_word']
    """
    targets = {name: function(text) for name, function in PROPERTIES.items()}
    top = as_size("top", top)
    matches = ranked(trace, {name: target for name, target in targets.items() if len(np.unique(target)) > 1})
    return {name: best[:top] for name, best in matches.items()}


def ranked(trace: Trace, targets: Mapping[str, ArrayLike]) -> dict[str, list[Match]]:
    """All matches for each target, the strongest first."""
    if not isinstance(trace, Trace):
        raise TypeError(f"trace: expected what trace returned, got {type(trace).__name__}")
    matches: dict[str, list[Match]] = {key: [] for key in targets}
    for name in trace:
        if trace.axes[name] == STATE_AXES:
            for key, match in matches_of(name, trace, targets):
                matches[key].append(match)
    for units in matches.values():
        units.sort(key=lambda match: (np.isnan(match.strength), -match.strength))
    return matches


def matches_of(name: str, trace: Trace, targets: Mapping[str, ArrayLike]) -> Iterator[tuple[str, Match]]:
    """(key of the target, match) for each unit of one array of a trace."""
    array = trace[name]
    L, D, T, N, U = array.shape
    mask = length_mask(trace.lengths[name.rpartition(".")[0]], T)
    masked = {key: as_target(target, name, T, N)[mask] for key, target in targets.items()}
    size = max(1, BLOCK // max(1, T * N))
    for layer, direction, start in itertools.product(range(L), range(D), range(0, U, size)):
        values = array[layer, direction, :, :, start : start + size][mask]  # (steps, units)
        value_ranks = ranks(values) if any(target.dtype.kind == "b" for target in masked.values()) else values
        for key, target in masked.items():
            kind: Literal["auc", "correlation"]
            if target.dtype.kind == "b":
                kind, scores = "auc", auc_of_ranks(value_ranks, target)
            else:
                known = ~np.isnan(target)
                kind, scores = "correlation", correlation(values[known], target[known])
            strengths = np.abs(2 * scores - 1 if kind == "auc" else scores)
            for unit, (score, strength) in enumerate(zip(scores.tolist(), strengths.tolist(), strict=True), start):
                yield key, Match(name, layer, direction, unit, kind, score, strength)


def as_target(target: ArrayLike, name: str, T: int, N: int) -> Array:
    """`target` as booleans or floats (T, N)."""
    target = as_numbers("target", target)
    target = target[:, None] if target.ndim == 1 and N == 1 else target
    if target.shape != (T, N):
        raise ValueError(f"target: expected shape {(T, N)}, the steps and rows of {name!r}, got {target.shape}")
    return target if target.dtype.kind == "b" else target.astype(np.float64)
