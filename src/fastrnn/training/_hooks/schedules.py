# SPDX-License-Identifier: BSD-3-Clause
"""Schedules of the learning rate, each at its own pace."""

from typing import TYPE_CHECKING, Any

from ...optim import ReduceLROnPlateau, Schedule
from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training


class ScheduleStepper(Hook):
    """Steps a schedule after every update or every epoch, as its `per` says; `ReduceLROnPlateau` by what is watched."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.per = getattr(schedule, "per", "update")  # any object with a method `step` is accepted

    def on_step(self, run: "Training", step: Step) -> None:
        if self.per == "update":
            self.schedule.step()

    def on_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(row[run.monitor])
        elif self.per == "epoch":
            self.schedule.step()
