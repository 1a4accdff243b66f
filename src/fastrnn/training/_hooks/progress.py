# SPDX-License-Identifier: BSD-3-Clause
"""A progress bar: how far a training is, how good, how fast, and how long it still takes."""

import sys
from typing import Any

from .hook import Hook, Run, Step


class ProgressBar(Hook):
    """Shows a `Bar`.

    Parameters
    ----------
    shown : bool or None
        None shows it if tqdm is installed.
    """

    def __init__(self, shown: bool | None) -> None:
        self._shown = shown
        self._bar: Bar | None = None

    def on_begin(self, run: Run) -> None:
        self._bar = Bar(self._shown, run.epochs, run.time_steps, run.history.epochs)

    def after_step(self, run: Run, step: Step) -> None:
        if self._bar is not None:
            self._bar.step(step.epoch, step.values, step.time_steps)

    def after_epoch(self, run: Run, row: dict[str, Any]) -> None:
        if self._bar is not None:
            self._bar.epoch(row)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Bar:
    """One bar for a whole training, in time steps; nothing at all where `shown` is False.

    Parameters
    ----------
    shown : bool or None
        None shows it if tqdm is installed.
    epochs : int
    steps : int or None
        Time steps in an epoch; None if they are not known yet.
    done : int, default 0
        Epochs of an earlier run.

    Raises
    ------
    ImportError
        `shown` is True and tqdm is not installed.
    """

    def __init__(self, shown: bool | None, epochs: int, steps: int | None, done: int = 0) -> None:
        self._epochs, self._suffix = epochs, ""
        self._bar: Any = None
        self._smooth: dict[str, float] = {}
        self._steps = 0  # of this epoch
        if shown is False:
            return
        try:
            from tqdm import tqdm
        except ImportError:
            if shown is None:
                return
            raise ImportError('progress: the bar needs tqdm: pip install "fastrnn[progress]"') from None
        look: dict[str, Any] = {
            "bar_format": "{desc} |{bar:20}| {rate_fmt}, {remaining} left",
            "unit": " steps",
            "unit_scale": True,
            "mininterval": 0.2 if sys.stderr.isatty() else 10,  # seconds: a log needs fewer lines
        }
        total = None if steps is None else epochs * steps
        self._bar = tqdm(total=total, initial=0 if steps is None else done * steps, **look)

    def step(self, epoch: int, values: dict[str, float], steps: int) -> None:
        """Show one update: its epoch, its loss and metrics, and how many time steps it was of."""
        if self._bar is None:
            return
        for name, value in values.items():
            self._smooth[name] = 0.95 * self._smooth.get(name, value) + 0.05 * value
        text = "".join(f", {name} {value:.4g}" for name, value in self._smooth.items())
        self._bar.set_description_str(f"epoch {epoch}/{self._epochs}{text}{self._suffix}", refresh=False)
        self._bar.update(steps)
        self._steps += steps

    def epoch(self, row: dict[str, Any]) -> None:
        """Show one epoch, given its row of the history."""
        if self._bar is None:
            return
        self._suffix = "".join(f", {name} {value:.4g}" for name, value in row.items() if name.startswith("val_"))
        if self._bar.total is None:  # now it is known how long an epoch is
            self._bar.total = self._bar.n + (self._epochs - row["epoch"]) * self._steps
        self._steps = 0
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
