# SPDX-License-Identifier: BSD-3-Clause
"""The history of a training: a row for each epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

SHOWN = 12  # epochs in a table; of more, the first and the last ones, and the best


class History(dict[str, list[float]]):
    """One list for each column, with one entry for each epoch; `to_dataframe` makes a table of pandas.

    Printed, it is a table: a line for each epoch, of many epochs the first and the last ones, and the best.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C ended the training.
    exhausted : bool
        Whether the training ended because the batches did, before its epochs were over.
    best_epoch : int or None
        The epoch, from 1, with the best value of what was watched: see `monitor` of `fastrnn.fit`.

    Examples
    --------
    >>> from fastrnn.training._state.history import History
    >>> history = History(epoch=[1, 2, 3], loss=[0.7312, 0.2516, 0.3], lr=[0.01, 0.01, 0.001])
    >>> history.best_epoch = 2
    >>> history
    epoch   loss     lr
        1 0.7312   0.01
        2 0.2516   0.01
        3    0.3  0.001
    best epoch: 2
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

    def to_dataframe(self) -> "pandas.DataFrame":
        """The history as a table: a row for each epoch, whose number is its index, and a column for each list.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError('to_dataframe needs pandas: pip install "fastrnn[inspect]"') from None

        table = pandas.DataFrame(dict(self))
        return table.set_index("epoch") if "epoch" in self else table

    def __repr__(self) -> str:
        count = max(map(len, self.values()), default=0)
        shown = set(range(count)) if count <= SHOWN else {*range(SHOWN // 2), *range(count - SHOWN // 2, count)}
        shown |= {k for k, epoch in enumerate(self.get("epoch", ())) if epoch == self.best_epoch}
        columns = [[name, *(_text(column, k) for k in sorted(shown))] for name, column in self.items()]
        widths = [max(map(len, column)) for column in columns]
        header, *rows = [" ".join(map(str.rjust, cells, widths)) for cells in zip(*columns, strict=True)] or [
            "no epochs"
        ]
        lines = [header]
        for k, row in zip(sorted(shown), rows, strict=True):
            lines += ["...", row] if k and k - 1 not in shown else [row]
        notes = [] if self.best_epoch is None else [f"best epoch: {self.best_epoch}"]
        notes += ["interrupted by Ctrl-C"] if self.interrupted else []
        notes += ["ended early, with its batches"] if self.exhausted else []
        return "\n".join([*lines, ", ".join(notes)]).rstrip("\n")


def _text(column: Sequence[Any], k: int) -> str:
    """Entry k of a column; empty if it has none."""
    if k >= len(column):
        return ""
    return f"{column[k]:.4g}" if isinstance(column[k], float) else str(column[k])
