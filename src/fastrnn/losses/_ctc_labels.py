# SPDX-License-Identifier: BSD-3-Clause
"""The labels that CTC takes, and whether they fit into the steps of their rows."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_integers
from .._engine.ragged import as_lengths
from ._masking import check_entries

SHOWN = 4  # rows that a message names


def as_labels(
    targets: Any, target_lengths: ArrayLike | None, N: int, V: int, blank: int, counted: Array | None
) -> tuple[Array, Array]:
    """Targets as labels (N, S), blank beyond the end of each row, and the number of labels of each row (N,).

    Rows that are not `counted`, a mask (N,), have no labels; None counts all.
    """
    rows, available = _as_rows(targets, N)
    U = available
    if target_lengths is not None:
        S = int(available.max(initial=0))
        U = as_lengths(target_lengths, S, N, name="target_lengths", of="targets")
        check_entries("target_lengths", U, U > available, "no more than the labels of the row")

    U = U if counted is None else np.where(counted, U, 0)
    labels = np.full((N, int(U.max(initial=0))), blank, np.intp)
    for n, length in enumerate(U):
        target = rows[n][:length]
        invalid = (target < 0) | (target >= V) | (target == blank)
        check_entries(f"targets[{n}]", target, invalid, f"labels in 0..{V - 1} other than the blank {blank}")
        labels[n, :length] = target
    return labels, U


def _as_rows(targets: Any, N: int) -> tuple[Any, Array]:
    """Targets as N arrays of integers, without a look at their values, and the size of each (N,)."""
    if not isinstance(targets, list | tuple):
        array = as_integers("targets", targets)
        if array.ndim != 2 or array.shape[0] != N:
            raise ValueError(f"targets: expected ({N}, S), got {array.shape}")
        return array, np.full(N, array.shape[1], np.intp)
    rows = [as_integers(f"targets[{n}]", target) for n, target in enumerate(targets)]
    if len(rows) != N:
        raise ValueError(f"targets: expected {N} sequences, one for each row of the batch, got {len(rows)}")
    for n, target in enumerate(rows):
        if target.ndim != 1:
            raise ValueError(f"targets[{n}]: expected a sequence of labels, got shape {target.shape}")
    return rows, np.array([target.size for target in rows], np.intp)


def check_fit(labels: Array, U: Array, steps: Array) -> None:
    """Raise ValueError unless every row has a step for each label, and one for the blank between two equal labels."""
    repeats = (labels[:, 1:] == labels[:, :-1]) & (np.arange(1, labels.shape[1]) < U[:, None])
    needed = U + repeats.sum(axis=1)
    short = np.flatnonzero(steps < needed)
    if short.size:
        rows = [
            f"at least {needed[n]} for row {n} ({U[n]} labels, {needed[n] - U[n]} of them like the one before), "
            f"got {steps[n]}"
            for n in short[:SHOWN]
        ]
        more = f"; {short.size} of {len(steps)} rows in all" if short.size > SHOWN else ""
        raise ValueError(f"input_lengths: expected {'; '.join(rows)}{more}; zero_infinity=True counts such rows as 0")
