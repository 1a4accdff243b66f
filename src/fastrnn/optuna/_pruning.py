# SPDX-License-Identifier: BSD-3-Clause
"""`PruningCallback`: what `fastrnn.fit` tells a trial of optuna, and when it ends."""

from typing import Any

from optuna import TrialPruned
from optuna.trial import BaseTrial

from ..nn._options import kind_of


class PruningCallback:
    """A callback for `fastrnn.fit` that reports to an optuna trial and stops it if its pruner says so.

    After every epoch, a value of the history is reported as step 0, 1, 2, ... If the pruner decides to stop, `fit`
    raises `optuna.TrialPruned`, which the objective should not catch.

    Parameters
    ----------
    trial : optuna.trial.Trial
    monitor : str, default "val_loss"
        The column of the history to report; usually its last value is what the objective returns.

    Raises
    ------
    TypeError
        `trial` is no trial, or `monitor` no name.

    Notes
    -----
    Each trial trains in one process. To use many machines, run trials in parallel.

    Examples
    --------
    >>> import numpy as np, optuna, fastrnn as fr
    >>> from fastrnn.optuna import PruningCallback
    >>> x, y = np.ones((5, 20, 1)), np.ones((5, 20, 1))
    >>> def objective(trial):
    ...     model = fr.Sequential(fr.GRU(1, 4, seed=0), fr.Linear(4, 1, seed=1))
    ...     adam = fr.Adam(model, lr=trial.suggest_float("lr", 1e-4, 1e-1, log=True))
    ...     history = fr.fit(model, fr.mse_loss, x, y, optimizer=adam, epochs=5, validation=0.5, seed=0, progress=False,
    ...                      callbacks=[PruningCallback(trial)])
    ...     return history["val_loss"][-1]
    >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
    >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), pruner=optuna.pruners.MedianPruner())
    >>> study.optimize(objective, n_trials=8)
    >>> sorted({trial.state.name for trial in study.trials})
    ['COMPLETE', 'PRUNED']
    """

    def __init__(self, trial: BaseTrial, monitor: str = "val_loss") -> None:
        if not isinstance(trial, BaseTrial):
            raise TypeError(f"trial: expected a trial of optuna, got {kind_of(trial)}")
        if not isinstance(monitor, str):
            raise TypeError(f"monitor: expected the name of a column, got {kind_of(monitor)}")
        self.trial: BaseTrial = trial
        self.monitor: str = monitor

    def on_epoch(self, model: Any, epoch: int, row: dict[str, Any]) -> None:
        """Report the epoch to the trial.

        Parameters
        ----------
        model : object
        epoch : int
        row : dict
            That of the history.

        Raises
        ------
        optuna.TrialPruned
            The pruner asks for it.
        ValueError
            The history has no column `monitor`.
        """
        if self.monitor not in row:
            raise ValueError(f"monitor: expected a column of the history, {', '.join(row)}, got {self.monitor!r}")
        self.trial.report(float(row[self.monitor]), epoch - 1)  # pruners count from 0
        if self.trial.should_prune():
            raise TrialPruned(f"{self.monitor} was {row[self.monitor]:.6g} after epoch {epoch}")
