# SPDX-License-Identifier: BSD-3-Clause
"""The best epoch: its parameters, and the end of a training that finds no better one."""

import math
from typing import Any

from ..._engine.arguments import Array
from .._state.parameters import load_parameters, parameters_of
from .hook import Hook, Run, watched_loss


class BestEpoch(Hook):
    """The best epoch so far, and for how many epochs there has been no better one.

    Parameters
    ----------
    model : object with ``params``
    keep : bool
        Whether to keep its parameters, and restore them at the end.
    patience : int, optional
        The training ends after this many epochs without a better one.

    Attributes
    ----------
    value : float
        The loss of the best epoch.
    epoch : int or None
    bad : int
        Epochs since then.
    """

    key = "best"

    def __init__(self, model: Any, keep: bool, patience: int | None = None) -> None:
        self._model, self._keep, self._patience = model, keep, patience
        self.value: float = math.inf
        self.epoch: int | None = None
        self.bad = 0
        self.parameters: dict[str, Array] | None = None

    @property
    def finished(self) -> bool:
        return self._patience is not None and self.bad >= self._patience

    def on_epoch(self, run: Run, row: dict[str, Any]) -> None:
        self.update(watched_loss(row), row["epoch"])

    def on_end(self, run: Run) -> None:
        self.restore()
        run.history.best_epoch = self.epoch

    def update(self, value: float, epoch: int) -> None:
        """Compare an epoch with the best one; smaller is better, nan is not."""
        if value < self.value:
            self.value, self.epoch, self.bad = value, epoch, 0
            if self._keep:
                self.parameters = parameters_of(self._model)
        else:
            self.bad += 1

    def restore(self) -> None:
        """Load the parameters of the best epoch into the model, if they have been kept."""
        if self.parameters is not None:
            load_parameters(self._model, self.parameters)

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value, "epoch": self.epoch, "bad": self.bad, "parameters": self.parameters}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value, self.epoch, self.bad = state["value"], state["epoch"], state["bad"]
        self.parameters = state["parameters"] if self._keep else None
