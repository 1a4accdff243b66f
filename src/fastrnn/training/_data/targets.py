# SPDX-License-Identifier: BSD-3-Clause
"""The row axis of targets, from the model, or from shapes that allow only one interpretation."""

from typing import Any, NamedTuple

import numpy as np

from ..._engine.arguments import Array
from .reading import Reading


class Placed(NamedTuple):
    """Where an array of targets has its rows.

    Attributes
    ----------
    axis : int
    per_step : bool
        Whether it has a target for each step of x.
    """

    axis: int
    per_step: bool


def rows_of_targets(y: Array, x: Array, axis: int, time: int | None, reading: Reading) -> Placed:
    """Where y has the rows of x, or ValueError.

    Parameters
    ----------
    y, x : ndarray
    axis, time : int
        The axes of the rows and of time in x; a `time` of None if it has none.
    reading : Reading
    """
    N = x.shape[axis]
    as_steps = Placed(axis, True) if time is not None and y.shape[:2] == x.shape[:2] else None
    as_rows = Placed(0, False) if y.shape[:1] == (N,) else None
    sequence_axis = 0 if reading.targets_batch_first else 1
    as_sequences = Placed(sequence_axis, False) if y.ndim > 1 and y.shape[sequence_axis] == N else None
    if reading.targets == "steps" and time is not None:
        if as_steps is None:
            steps = f"({', '.join(map(str, x.shape[:2]))}, ...)"
            raise ValueError(
                f"y: expected {steps}, a target for each step of x, as the model has an output for each, got {y.shape}"
                f"{_transposed(y, x)}; one for each row needs a model that ends with LastStep or a pooling"
            )
        return as_steps
    if reading.targets == "rows":
        if as_rows is None:
            raise ValueError(f"y: expected ({N}, ...), one for each of the {N} rows of x {x.shape}, got {y.shape}")
        return as_rows
    if reading.targets == "sequences":
        if as_sequences is None:
            expected = f"({N}, S, ...)" if sequence_axis == 0 else f"(S, {N}, ...)"
            raise ValueError(f"y: expected {expected}, a sequence for each of the {N} rows of x, got {y.shape}")
        return as_sequences
    if axis == 0:  # a target for each step is also one of each row
        if as_rows is None:
            raise ValueError(f"y: expected ({N}, ...) for the {N} rows of x {x.shape}, got {y.shape}")
        return as_steps or as_rows
    return _only_possible([as_steps or as_sequences, as_rows], y, x, N)


def _only_possible(readings: list[Placed | None], y: Array, x: Array, N: int) -> Placed:
    """The one reading that the shapes allow."""
    possible = [each for each in readings if each is not None]
    if len(possible) == 2:
        if y.shape[:2] == x.shape[:2]:
            meanings, advice = (
                f"a target for each step, or one of shape {y.shape[1:]} for each row",
                "say which by per_step=",
            )
        else:
            meanings, advice = f"({N}, ...) or (S, {N}, ...) but not both", "give lists of rows"
        raise ValueError(f"y: expected {meanings}, got {y.shape}; {advice}")
    if not possible:
        expected = f"({', '.join(map(str, x.shape[:2]))}, ...), ({N}, ...)"
        raise ValueError(f"y: expected {expected} for the {N} rows of x {x.shape}, got {y.shape}")
    return possible[0]


def _transposed(y: Array, x: Array) -> str:
    return " (y.swapaxes(0, 1) has that shape)" if y.shape[1::-1] == x.shape[:2] else ""


def are_per_step(y: Any, lengths: Array, per_step: bool | None) -> bool:
    """Whether a list of targets has one for each step of sequences of these lengths.

    Raises
    ------
    ValueError
        It should and does not, or nothing says what it is of and it could be either.
    """
    if per_step is False:
        return False
    for n, length in enumerate(lengths):
        targets = len(y[n]) if np.ndim(y[n]) else None
        if targets != length:
            if per_step:
                got = "a single one" if targets is None else targets
                raise ValueError(
                    f"y[{n}]: expected {length} targets, one for each step of x[{n}], got {got}; a loss of labels with "
                    "lengths of their own has an argument input_lengths, as ctc_loss"
                )
            return False
    if per_step is None and len(set(lengths.tolist())) < 2:
        raise ValueError(
            f"y: expected a target for each step, or one of {lengths[0]} numbers for each row; say which by per_step="
        )
    return True
