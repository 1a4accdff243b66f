# SPDX-License-Identifier: BSD-3-Clause
"""The best epoch: its parameters, and the end of a training in which no better one follows."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..._engine.arguments import Array
from .._state.parameters import load_parameters, parameters_of
from .hook import Hook, Step

if TYPE_CHECKING:
    from .._loop.loop import Training


class BestEpoch(Hook):
    """The best epoch so far, and for how many epochs there has been no better one.

    Parameters
    ----------
    restore : bool
        Whether the model gets the parameters of the best epoch in the end.
    patience : int, optional
        The training ends after this many epochs without a better one.
    mode : {"min", "max"}
        Whether a smaller or a larger value of the column that is watched is better.
    min_delta : float
        By more than how much it has to be better.

    Attributes
    ----------
    value : float
        That of the best epoch.
    epoch : int or None
    bad : int
        Epochs since then.
    parameters : dict of str to ndarray, or None
        Those of the best epoch, if they are to be restored.
    """

    def __init__(self, restore: bool, patience: int | None = None, mode: str = "min", min_delta: float = 0.0) -> None:
        self._restore, self._patience = restore, math.inf if patience is None else patience
        self._sign, self._min_delta = 1 if mode == "min" else -1, min_delta
        self._checked = False
        self.value: float = self._sign * math.inf
        self.epoch: int | None = None
        self.bad = 0
        self.parameters: dict[str, Array] | None = None

    def on_gradients(self, run: "Training", step: Step) -> bool:
        """In the first step it is known what layers report, and nothing has been changed."""
        if not self._checked:
            check_monitor(run.monitor, [*run.columns, *step.extras])
            self._checked = True
        return False

    def on_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        value = row[run.monitor]
        self.bad += 1
        if self._sign * value < self._sign * self.value - self._min_delta:  # nan is not better
            self.value, self.epoch, self.bad = value, row["epoch"], 0
            self.parameters = parameters_of(run.model) if self._restore else None
        self.finished = self.bad >= self._patience

    def on_end(self, run: "Training") -> None:
        if self.parameters is not None:
            load_parameters(run.model, self.parameters)
        run.history.best_epoch = self.epoch

    def state_dict(self) -> dict[str, Any]:
        best = {"value": self.value, "epoch": self.epoch, "bad": self.bad, "parameters": self.parameters}
        return {"best": best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        best = state["best"]
        self.value, self.epoch, self.bad = best["value"], best["epoch"], best["bad"]
        self.parameters = best["parameters"] if self._restore else None
        self.finished = self.bad >= self._patience


def check_monitor(monitor: str, columns: Iterable[str]) -> None:
    """Raise ValueError if what is watched is no column of the history."""
    columns = dict.fromkeys(columns)
    if monitor not in columns:
        raise ValueError(f"monitor: expected a column of the history ({', '.join(columns)}), got {monitor!r}")
