# SPDX-License-Identifier: BSD-3-Clause
"""Progress: how far a training is, how good, how fast, and how long it still takes."""

import sys
from typing import TYPE_CHECKING, Any

from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training


def progress_hook(progress: bool | str | None) -> Hook:
    """The hook that shows the progress of a training on stderr.

    Parameters
    ----------
    progress : bool, "lines" or None
        True and None show a bar if tqdm is installed, and lines if not; "lines" always shows lines, False nothing.

    Raises
    ------
    TypeError, ValueError
        It is none of these.
    """
    if not isinstance(progress, bool | str | None):
        raise TypeError(f"progress: expected True, False, 'lines' or None, got {progress!r}")
    if isinstance(progress, str) and progress != "lines":
        raise ValueError(f"progress: expected True, False, 'lines' or None, got {progress!r}")
    if progress is False:
        return Hook()
    if progress != "lines":
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            return ProgressBar(tqdm)
    return ProgressLines()


class ProgressLines(Hook):
    """A line for each epoch: its losses, metrics and seconds."""

    def after_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        shown = {name: row[name] for name in row if name in ("loss", *run.metrics) or name.startswith("val_")}
        line = f"epoch {row['epoch']}/{run.epochs}{_text(shown)}, {row['seconds']:.1f} s"
        print(line.replace(", ", ": ", 1), file=sys.stderr, flush=True)


class ProgressBar(Hook):
    """One bar for a whole training, in time steps.

    Parameters
    ----------
    tqdm : callable
        It makes the bar.
    """

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bar: Any = None
        self._smooth: dict[str, float] = {}
        self._suffix = ""
        self._steps = 0  # of this epoch

    def on_begin(self, run: "Training") -> None:
        steps = run.data.steps  # None if it is not known yet
        self._bar = self._tqdm(
            total=None if steps is None else run.epochs * steps,
            initial=0 if steps is None else run.history.epochs * steps,
            bar_format="{desc} |{bar:20}| {rate_fmt}, {remaining} left",
            unit=" steps",
            unit_scale=True,
            mininterval=0.2 if sys.stderr.isatty() else 10,  # seconds: a log needs fewer lines
        )

    def on_step(self, run: "Training", step: Step) -> None:
        for name, value in step.values.items():
            self._smooth[name] = 0.95 * self._smooth.get(name, value) + 0.05 * value
        self._bar.set_description_str(
            f"epoch {step.epoch}/{run.epochs}{_text(self._smooth)}{self._suffix}", refresh=False
        )
        self._bar.update(step.time_steps)
        self._steps += step.time_steps

    def after_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        self._suffix = _text({name: value for name, value in row.items() if name.startswith("val_")})
        if self._bar.total is None:  # now it is known how long an epoch is
            self._bar.total = self._bar.n + (run.epochs - row["epoch"]) * self._steps
        self._steps = 0
        self._bar.refresh()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _text(values: dict[str, float]) -> str:
    return "".join(f", {name} {value:.4g}" for name, value in values.items())
