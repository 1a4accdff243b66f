# SPDX-License-Identifier: BSD-3-Clause
"""The history of a training: a row for each epoch."""

from collections.abc import Mapping


class History(dict[str, list[float]]):
    """One list for each column, with one entry for each epoch; ``pandas.DataFrame(history)`` reads it.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C ended the training.
    exhausted : bool
        Whether the training ended because the batches did, before its epochs were over.
    best_epoch : int or None
        The epoch, from 1, with the smallest validation loss, or without validation the smallest loss.
    """

    interrupted: bool = False
    exhausted: bool = False
    best_epoch: int | None = None

    def add(self, row: Mapping[str, float]) -> None:
        """Append one epoch.

        Parameters
        ----------
        row : mapping of str to float
            An entry for each column.
        """
        for name, value in row.items():
            self.setdefault(name, []).append(value)

    @property
    def epochs(self) -> int:
        """The number of epochs."""
        return len(self.get("epoch", ()))
