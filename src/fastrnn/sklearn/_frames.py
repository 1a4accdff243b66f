# SPDX-License-Identifier: BSD-3-Clause
"""Sequences in one DataFrame, in the two forms of sktime."""

from typing import Any

import numpy as np


def frames(X: Any) -> list[Any] | None:
    """A DataFrame (T_n, C) for each sequence of one DataFrame, or None if that is a table.

    An index of two levels, the sequence and the step, makes it sequences (``pd-multiindex`` of sktime), in the order in
    which they begin. So do cells that are series or arrays, one for each sequence and channel (``nested_univ``).

    Raises
    ------
    ValueError
        There are more levels, or the channels of a sequence have different lengths.
    """
    levels = getattr(X.index, "nlevels", 1)
    if levels > 2:
        raise ValueError(f"X: expected an index of 1 or 2 levels, the sequence and the step, got {levels}")
    if levels == 2:
        return [each.droplevel(0) for _, each in X.groupby(level=0, sort=False)]
    if X.ndim != 2 or not X.size or not (isinstance(cell := X.iloc[0, 0], np.ndarray) or hasattr(cell, "iloc")):
        return None
    items = []
    for n, row in enumerate(X.itertuples(index=False, name=None)):
        lengths = {len(cell) if np.ndim(cell) == 1 else 0 for cell in row}
        if len(lengths) > 1 or 0 in lengths:
            raise ValueError(f"X[{n}]: expected channels of one length, of at least 1, got {sorted(lengths)}")
        items.append(type(X)({name: np.asarray(cell) for name, cell in zip(X.columns, row, strict=True)}))
    return items
