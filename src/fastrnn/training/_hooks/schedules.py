# SPDX-License-Identifier: BSD-3-Clause
"""Schedules of the learning rate, each at its own pace."""

from typing import TYPE_CHECKING, Any

from ...optim import ReduceLROnPlateau, Schedule
from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training


class ScheduleStepper(Hook):
    """Steps a schedule after every update; `ReduceLROnPlateau` after every epoch, by the column that is watched."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def on_step(self, run: "Training", step: Step) -> None:
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()

    def on_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(row[run.monitor])
