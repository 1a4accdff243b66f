# SPDX-License-Identifier: BSD-3-Clause
"""Units and gates whose value tells a property of what is read."""

import itertools
from typing import NamedTuple

import numpy as np

from ..._engine import arguments
from .._trace.trace import STATE_AXES, Trace
from .properties import PROPERTIES
from .scores import auc_of, correlation, ranks

__all__ = ["Match", "rank_units", "survey_units"]

BLOCK = 1 << 22  # values that are sorted together


class Match(NamedTuple):
    """How well one unit of one array of a trace tells a property."""

    name: str  # of the array, as in the trace
    layer: int
    direction: int
    unit: int
    kind: str  # "auc" or "correlation"
    score: float
    strength: float  # from 0, nothing, to 1: |2 AUC - 1| or |correlation|


def rank_units(found, target, top=None):
    """All units of all arrays of a trace, those first that tell the target best.

    Parameters
    ----------
    found : Trace
        From `trace`.
    target : array_like, shape (T, N), or (T,) with one row
        What holds at each step, once it is read: a property from `PROPERTIES`, or any other array. True and False are
        compared by `auc`, numbers by `correlation`. NaN means: leave this step out.
    top : int, optional
        How many to return; all by default.

    Returns
    -------
    list of Match
        By strength. Units that have become NaN are the last.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or shape, or `target` is the same at all steps.

    Notes
    -----
    The best of many units looks good by chance as well: look at its score on a text that was not searched.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn import inspect
    >>> x = np.random.default_rng(0).standard_normal((500, 1)).astype(np.float32)
    >>> found = inspect.trace(fr.GRU(1, 8, seed=0), x)
    >>> best = inspect.rank_units(found, inspect.rising(x[:, 0]), top=3)
    >>> [match.strength > 0.7 for match in best]
    [True, True, True]
    """
    top = None if top is None else arguments.as_size("top", top)
    return ranked(found, {"target": target})["target"][:top]


def survey_units(found, text, top=1):
    """The units that tell each of the ready-made properties of a text best.

    Parameters
    ----------
    found : Trace
        Of one row, a step for each character.
    text : str
    top : int
        How many units for each property.

    Returns
    -------
    dict of str to list of Match
        By the name of the property, as in `PROPERTIES`. Those that are the same all over the text are left out.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type, or the text is not as long as the trace.

    Examples
    --------
    >>> import fastrnn as fr
    >>> from fastrnn import inspect
    >>> model = fr.Sequential(fr.Embedding(4, 4, seed=0), fr.GRU(4, 8, seed=1))
    >>> text = 'a "b" ' * 9
    >>> found = inspect.trace(model, inspect.read_text(model, text, 'ab" ').x)
    >>> sorted(inspect.survey_units(found, text))
    ['inside_quotes', 'is_punctuation', 'is_space', 'is_vowel', 'position_in_line', 'position_in_word']
    """
    targets = {name: of(text) for name, of in PROPERTIES.items()}
    top = arguments.as_size("top", top)
    found = ranked(found, {name: target for name, target in targets.items() if len(np.unique(target)) > 1})
    return {name: matches[:top] for name, matches in found.items()}


def ranked(found, targets):
    """All matches for each of some targets, the strongest first."""
    if not isinstance(found, Trace):
        raise TypeError(f"found: expected what trace returned, got {type(found).__name__}")
    matches = {what: [] for what in targets}
    for name in found:
        if found.axes[name] == STATE_AXES:
            for what, match in matches_of(name, found, targets):
                matches[what].append(match)
    return {what: sorted(those, key=weakness) for what, those in matches.items()}


def weakness(match):
    return (np.isnan(match.strength), -match.strength)


def matches_of(name, found, targets):
    """(target, match) of each unit of one array of a trace."""
    array = found[name]
    L, D, T, N, U = array.shape
    there = np.arange(T)[:, None] < found.lengths[name.rpartition(".")[0]]
    given = {what: as_target(target, name, T, N)[there] for what, target in targets.items()}
    some = max(1, BLOCK // max(1, T * N))
    for layer, direction, start in itertools.product(range(L), range(D), range(0, U, some)):
        values = array[layer, direction, :, :, start : start + some][there]  # (steps, units)
        ranked = ranks(values) if any(target.dtype.kind == "b" for target in given.values()) else None
        for what, target in given.items():
            if target.dtype.kind == "b":
                kind, scores = "auc", auc_of(ranked, target)
                strengths = np.abs(2 * scores - 1)
            else:
                known = ~np.isnan(target)
                kind, scores = "correlation", correlation(values[known], target[known])
                strengths = np.abs(scores)
            for unit, (score, strength) in enumerate(zip(scores.tolist(), strengths.tolist(), strict=True), start):
                yield what, Match(name, layer, direction, unit, kind, score, strength)


def as_target(target, name, T, N):
    """`target` as booleans or floats (T, N)."""
    target = arguments.as_array("target", target)
    if target.dtype.kind not in "fiub":
        raise TypeError(f"target: expected numbers, or True and False, got {target.dtype}")
    target = target[:, None] if target.ndim == 1 and N == 1 else target
    if target.shape != (T, N):
        raise ValueError(f"target: expected shape {(T, N)}, the steps and rows of {name!r}, got {target.shape}")
    return target if target.dtype.kind == "b" else target.astype(np.float64)
