# SPDX-License-Identifier: BSD-3-Clause
"""Gradients of a batch in a single process, in one pass. See `_shards` for the distributed version."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from .._data.batch import Batch
from .._data.draw import Draw
from .._data.source import EpochReader
from .interrupts import Interrupts
from .metrics import scores
from .truncated import Window, windows

if TYPE_CHECKING:
    from .loop import Training

Found = TypeVar("Found")


class Alone:
    """The gradients of whole batches in one process.

    Attributes
    ----------
    writes : bool
        Whether this process writes checkpoints and shows progress.
    interrupts : Interrupts
    """

    writes: bool = True

    def __init__(self) -> None:
        self.interrupts = Interrupts()

    def together(self) -> AbstractContextManager[None]:
        """A context in which an error is raised on every process."""
        return nullcontext()

    def first(self, read: Callable[[], Any]) -> Any:
        """The result of a function that only one process calls."""
        return read()

    def same(self, values: Mapping[str, Any]) -> None:
        """Check that values are the same on every process."""

    def begin(self, run: "Training", resumed: bool) -> None:
        """Before the first step."""

    def batches(self, data: EpochReader) -> Iterator[Batch | Draw]:
        """The batches of an epoch, as `windows` takes them."""
        return data.epoch()

    def windows(self, run: "Training", batch: Any, start: int, first: Any) -> Iterator[Window]:
        """The windows of a batch from step `start` on, where the state is `first`, with their gradients."""
        return windows(run.objective, batch, run.truncate, start, first)

    def scores(self, run: "Training", window: Window) -> dict[str, float]:
        """The metrics of a window."""
        return scores(run.objective, run.metrics, window.y, window.target, window.lengths)

    def parts(self, run: "Training", batch: Any, start: int, first: Any) -> list[tuple[Batch, Any]]:
        """The parts of a batch that continue at a step, and their states."""
        return [(batch, first)]

    def runs(self, k: int, batch: Batch | Draw) -> bool:
        """Whether batch k of a validation is one of this process."""
        return True

    def of_all(self, compute: Callable[[], dict[int, Found]]) -> list[Found]:
        """The results of a function by batch number, of this process and all others, in order."""
        return [*compute().values()]

    def agree(self, run: "Training", finished: bool) -> bool:
        """Whether the training is finished, between two epochs."""
        return finished

    def end(self, run: "Training") -> None:
        """After the last epoch or Ctrl-C."""

    def failed(self, error: BaseException) -> None:
        """An error ends the training."""
