# SPDX-License-Identifier: BSD-3-Clause
"""Find the row of the caller's data that causes an error in a batch."""

from typing import Any

from .._data.batch import weight_of
from .._data.batches import Batches
from .objective import Objective


def note_row(error: Exception, source: Any, objective: Objective) -> None:
    """Add the number of the first row that raises the same kind of error when it is alone, or is not finite.

    A batch is shuffled, so that a position in it means nothing to the caller. Nothing is known of the rows of an
    iterable of batches.
    """
    if not isinstance(source, Batches):
        return
    for n in source.rows.tolist():
        batch = source.row(n)
        if isinstance(error, FloatingPointError):
            if names := batch.not_finite():
                error.add_note(f"{' and '.join(names)} holds nan or inf in row {n}")
                return
            continue
        try:
            y, _, _ = objective.run(batch, training=False)
            objective.value(y, batch.y, objective.lengths_after(batch.lengths), weight_of(batch))
        except type(error) as alone:
            error.add_note(f"row {n} of the data alone: {alone}")
            return
