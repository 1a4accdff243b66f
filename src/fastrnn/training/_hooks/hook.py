# SPDX-License-Identifier: BSD-3-Clause
"""The base class of hooks, and the events of a training at which they act."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._loop.loop import Training


@dataclass
class Step:
    """One update.

    Attributes
    ----------
    number, epoch : int
        From 1.
    loss : float
        Of the data alone.
    norm : float
        The global norm of the gradients with all that hooks have added, before clipping.
    values : dict of str to float
        The loss and the metrics.
    extras : dict of str to float
        Further columns of the history: the values of what has been added to the gradients.
    time_steps : int
        How many steps of rows the update is of.
    """

    number: int
    epoch: int
    loss: float
    norm: float
    values: dict[str, float]
    extras: dict[str, float]
    time_steps: int


class Hook:
    """Base of all hooks, which does nothing at any moment. Hooks act in the order of their list.

    Attributes
    ----------
    finished : bool
        Whether no epoch should follow.
    columns : tuple of str
        What it adds to the `extras` of every step.
    """

    finished: bool = False
    columns: tuple[str, ...] = ()

    def on_begin(self, run: "Training") -> None:
        """Before the first epoch."""

    def on_gradients(self, run: "Training", step: Step) -> bool:
        """The gradients have been computed. Returns whether `step.norm` has to be measured again."""
        return False

    def on_step(self, run: "Training", step: Step) -> None:
        """The parameters have been updated. Ctrl-C waits until all hooks have acted."""

    def on_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        """The history has a new row. Ctrl-C waits until all hooks have acted."""

    def after_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        """The epoch is complete."""

    def on_failure(self, run: "Training") -> None:
        """The validation has raised an error. The updates of the epoch are complete, the history has no row of it."""

    def on_end(self, run: "Training") -> None:
        """After the last epoch or Ctrl-C, but not after an error. The last hook of the list acts first."""

    def close(self) -> None:
        """After everything else, also after an error."""

    def state_dict(self) -> dict[str, Any]:
        """Entries of a checkpoint."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint, which has the entries of all hooks."""
