# SPDX-License-Identifier: BSD-3-Clause
"""Schedules of the learning rate, each at its own pace."""

from typing import Any

from ...optim import ReduceLROnPlateau, Schedule
from .hook import Hook, Run, Step, watched_loss


def schedule_hook(schedule: Schedule) -> Hook:
    """The hook that steps a schedule."""
    return PlateauSchedule(schedule) if isinstance(schedule, ReduceLROnPlateau) else StepSchedule(schedule)


class StepSchedule(Hook):
    """Steps after every update."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def on_step(self, run: Run, step: Step) -> None:
        self.schedule.step()


class PlateauSchedule(Hook):
    """Steps after every epoch, by its loss."""

    def __init__(self, schedule: ReduceLROnPlateau) -> None:
        self.schedule = schedule

    def on_epoch(self, run: Run, row: dict[str, Any]) -> None:
        self.schedule.step(watched_loss(row))
