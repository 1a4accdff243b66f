# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints while a training runs: after every epoch, as often as they are due, and on Ctrl-C."""

from typing import TYPE_CHECKING, Any

from ...optim import Schedule
from .._state.checkpoints import Checkpoint
from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training


class CheckpointWriter(Hook):
    """Writes checkpoints.

    Parameters
    ----------
    checkpoint : Checkpoint
    schedule : Schedule or None
        It is part of them.
    """

    def __init__(self, checkpoint: Checkpoint, schedule: Schedule | None) -> None:
        self.checkpoint, self.schedule = checkpoint, schedule

    def on_step(self, run: "Training", step: Step) -> None:
        if self.checkpoint.due(step.number):
            self._write(run)

    def after_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        self._write(run)

    def on_failure(self, run: "Training") -> None:
        self._write(run)  # resumed, it begins with the validation

    def on_end(self, run: "Training") -> None:
        if run.history.interrupted:
            self._write(run)

    def _write(self, run: "Training") -> None:
        self.checkpoint.write(run.model, run.optimizer, self.schedule, **run.state_dict())
