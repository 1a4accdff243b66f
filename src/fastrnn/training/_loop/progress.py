# SPDX-License-Identifier: BSD-3-Clause
"""A progress bar: where a training is, how good, how fast, and how long it still takes."""

import sys


class Bar:
    """One bar for a whole training, counted in time steps; nothing at all where `shown` is False.

    Parameters
    ----------
    shown : bool or None
        None: if tqdm is installed.
    epochs : int
    steps : int or None
        In an epoch; None if nobody knows yet.
    done : int
        Epochs that an earlier run did.

    Raises
    ------
    ImportError
        `shown` is True and there is no tqdm.
    """

    def __init__(self, shown, epochs, steps, done=0):
        self._epochs, self._bar, self._smooth, self._suffix = epochs, None, {}, ""
        self._steps = 0  # of this epoch
        if shown is False:
            return
        try:
            from tqdm import tqdm
        except ImportError:
            if shown is None:
                return
            raise ImportError('progress: the bar needs tqdm: pip install "fastrnn[progress]"') from None
        look = {"bar_format": "{desc} |{bar:20}| {rate_fmt}, {remaining} left", "unit": " steps", "unit_scale": True}
        look["mininterval"] = 0.2 if sys.stderr.isatty() else 10  # seconds: a log needs fewer lines
        total = None if steps is None else epochs * steps
        self._bar = tqdm(total=total, initial=0 if steps is None else done * steps, **look)

    def step(self, epoch, found, steps):
        """One update: of which epoch, its loss and metrics by name, over how many time steps."""
        if self._bar is None:
            return
        for name, value in found.items():
            self._smooth[name] = 0.95 * self._smooth.get(name, value) + 0.05 * value
        text = "".join(f", {name} {value:.4g}" for name, value in self._smooth.items())
        self._bar.set_description_str(f"epoch {epoch}/{self._epochs}{text}{self._suffix}", refresh=False)
        self._bar.update(steps)
        self._steps += steps

    def epoch(self, row):
        """One epoch: its row of the history."""
        if self._bar is None:
            return
        self._suffix = "".join(f", {name} {value:.4g}" for name, value in row.items() if name.startswith("val_"))
        if self._bar.total is None:  # now it is known how long an epoch is
            self._bar.total = self._bar.n + (self._epochs - row["epoch"]) * self._steps
        self._steps = 0
        self._bar.refresh()

    def close(self):
        if self._bar is not None:
            self._bar.close()
