# SPDX-License-Identifier: BSD-3-Clause
"""The best epoch: its parameters, and the end of a training in which no better one follows."""

import math
from typing import TYPE_CHECKING, Any

from ..._engine.arguments import Array
from .._state.parameters import load_parameters, parameters_of
from .hook import Hook, watched_loss

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

    Attributes
    ----------
    value : float
        The loss of the best epoch.
    epoch : int or None
    bad : int
        Epochs since then.
    parameters : dict of str to ndarray, or None
        Those of the best epoch, if they are to be restored.
    """

    def __init__(self, restore: bool, patience: int | None = None) -> None:
        self._restore, self._patience = restore, math.inf if patience is None else patience
        self.value: float = math.inf
        self.epoch: int | None = None
        self.bad = 0
        self.parameters: dict[str, Array] | None = None

    def on_epoch(self, run: "Training", row: dict[str, Any]) -> None:
        loss = watched_loss(row)
        self.bad += 1
        if loss < self.value:  # nan is not better
            self.value, self.epoch, self.bad = loss, row["epoch"], 0
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
