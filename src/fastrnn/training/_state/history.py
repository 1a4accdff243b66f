# SPDX-License-Identifier: BSD-3-Clause
"""What a training leaves behind: a row for each epoch, and the parameters of the best one."""

import math

from .checkpoints import load_parameters, parameters_of

__all__ = ["Best", "History"]


class History(dict):
    """One list for each column, one entry in it for each epoch; ``pandas.DataFrame(history)`` reads it.

    Attributes
    ----------
    interrupted : bool
        Whether Ctrl-C ended the training.
    exhausted : bool
        Whether it ended because there were no batches left, before its epochs were over.
    best_epoch : int or None
        The epoch, from 1, whose validation loss, without validation whose loss, was the smallest.
    """

    interrupted = False
    exhausted = False
    best_epoch = None

    def add(self, row):
        """Append one epoch."""
        for name, value in row.items():
            self.setdefault(name, []).append(value)

    @property
    def epochs(self):
        """How many there are."""
        return len(self.get("epoch", ()))


class Best:
    """The best epoch so far, and for how many epochs there has been no better one.

    Parameters
    ----------
    model : object with ``params``
    keep : bool
        Whether its parameters are kept.
    """

    def __init__(self, model, keep):
        self._model, self._keep = model, keep
        self.value, self.epoch, self.bad, self.parameters = math.inf, None, 0, None

    def see(self, value, epoch):
        """What an epoch came to; smaller is better, nan is not."""
        if value < self.value:
            self.value, self.epoch, self.bad = value, epoch, 0
            if self._keep:
                self.parameters = parameters_of(self._model)
        else:
            self.bad += 1

    def restore(self):
        """Give the model the parameters of the best epoch, if they have been kept."""
        if self.parameters is not None:
            load_parameters(self._model, self.parameters)

    def state_dict(self):
        return {"value": self.value, "epoch": self.epoch, "bad": self.bad, "parameters": self.parameters}

    def load_state_dict(self, state):
        self.value, self.epoch, self.bad = state["value"], state["epoch"], state["bad"]
        self.parameters = state["parameters"] if self._keep else None
