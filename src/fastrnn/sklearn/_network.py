# SPDX-License-Identifier: BSD-3-Clause
"""The base of the estimators that train a recurrent network."""

import warnings
from collections.abc import Callable
from typing import Any, Literal

from sklearn.exceptions import ConvergenceWarning

from .._engine.arguments import as_flag, as_nonnegative, as_size
from ..nn import Sequential
from ..optim import Optimizer
from ..training import fit
from ._base import Estimator
from ._samples import Samples
from ._training import STRUCTURE, make_model, make_optimizer, validates, with_validation_last

PARAMETERS = """
cell : {"gru", "lstm", "rnn"}, default "gru"
hidden_size : int, default 64
    Units of each layer and direction.
num_layers : int, default 1
bidirectional : bool, default False
    Read each sequence in both directions.
pooling : {"last", "mean", "max"}, default "last"
    Which vector stands for a sequence: the state after its own last step (with `bidirectional` those of both
    directions), or the mean or the largest value of each unit over its own steps.
dropout : float, default 0.0
    The probability with which an element is zeroed in training, between layers and before the linear layer.
optimizer : {"adam", "adamw", "nadam", "radam", "rmsprop", "sgd"} or callable, default "adam"
    A callable is called as ``optimizer(model, lr=learning_rate)``; ``functools.partial(fastrnn.AdamW,
    weight_decay=0.01)`` sets other options.
learning_rate : float, default 0.005
clip : float or None, default 1.0
    Largest norm of the gradient.
batch_size : int, default 32
max_iter : int, default 200
    Epochs at most. A warning says if the loss was still falling when they ended.
early_stopping : bool or "auto", default "auto"
    Whether some of the samples are kept out of the training for validation. The model then ends with the parameters of
    its best epoch. "auto" does so from 500 samples on.
validation_fraction : float, default 0.1
    Which part of the samples; of each class as of all.
n_iter_no_change : int or None, default 30
    Stop after so many epochs in which the loss, of the validation if there is one, has not fallen by more than `tol`
    below its lowest value. None always trains for `max_iter` epochs.
tol : float, default 0.0001
warm_start : bool, default False
    `fit` goes on with the parameters of the last one, and with its means and scales.
verbose : bool, default False
    Print a line for each epoch, to stderr.
"""

ATTRIBUTES = """
model_ : Sequential
    The trained network, of standardized sequences (N, T, C): `fastrnn.save` and `Sequential.stream` take it.
n_iter_ : int
    Epochs; those of `warm_start` and `partial_fit` are added.
loss_curve_ : list of float
    The mean loss of each epoch.
validation_loss_curve_ : list of float or None
    That of the validation after each epoch of the last `fit`, if there is one.
"""


class Network(Estimator):
    """Parameters and training. A subclass has the loss."""

    n_iter_: int
    loss_curve_: list[float]
    validation_loss_curve_: list[float] | None

    _loss: Callable[..., Any]
    _layers = staticmethod(make_model)
    _structure = STRUCTURE

    def __init__(
        self, cell: str = "gru", hidden_size: int = 64, num_layers: int = 1, *, bidirectional: bool = False,
        pooling: str = "last", dropout: float = 0.0, optimizer: str | Callable[..., Optimizer] = "adam",
        learning_rate: float = 5e-3, clip: float | None = 1.0, batch_size: int = 32, max_iter: int = 200,
        early_stopping: bool | Literal["auto"] = "auto", validation_fraction: float = 0.1,
        n_iter_no_change: int | None = 30, tol: float = 1e-4, warm_start: bool = False, verbose: bool = False,
        standardize: bool = True, n_threads: int | None = None, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.clip = clip
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose
        self.standardize = standardize
        self.n_threads = n_threads
        self.random_state = random_state

    def _make_model(self, channels: int, outputs: int) -> Sequential:
        self.loss_curve_, self.n_iter_, self.validation_loss_curve_ = [], 0, None
        model = self._layers(vars(self), (channels, outputs), self._dtype, [self._seed() for _ in range(3)])
        self._optimizer = make_optimizer(self.optimizer, model, self.learning_rate)
        return model

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        again = as_flag("warm_start", self.warm_start) and self.__sklearn_is_fitted__()
        epochs, patience = as_size("max_iter", self.max_iter), self.n_iter_no_change
        patience = None if patience is None else as_size("n_iter_no_change", patience)
        options = {"patience": patience, "min_delta": as_nonnegative("tol", self.tol)}
        with self._fitting(again):
            samples, last = self._begin(X, y, sample_weight, again), 0
            if again:
                self._optimizer = make_optimizer(self.optimizer, self.model_, self.learning_rate)
            if validates(self.early_stopping, samples.count):
                samples, last = self._with_validation_last(samples)
            history = self._run(samples, epochs, validation=last / samples.count if last else None, **options)
        self.validation_loss_curve_ = history.get("val_loss")
        if patience is not None and history.epochs == epochs and epochs - (history.best_epoch or 0) < patience:
            warnings.warn(
                f"{type(self).__name__}: the loss was still falling when max_iter={epochs} epochs ended",
                ConvergenceWarning,
                stacklevel=3,  # the caller of fit
            )

    def _with_validation_last(self, samples: Samples) -> tuple[Samples, int]:
        """The samples in an order of which the last ones, so many, are for validation."""
        order, last = with_validation_last(samples.codes, samples.count, self.validation_fraction, self._seed())
        return samples.only(order), last

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        again = self.__sklearn_is_fitted__()
        with self._fitting(again):
            self._run(self._begin(X, y, sample_weight, again, classes), epochs=1)

    def _run(self, samples: Samples, epochs: int, **options: Any) -> Any:
        """Train, and keep what is known even if Ctrl-C ends it, which is for the caller to handle."""
        with self._threads():
            history = fit(
                self.model_, self._loss, samples.x, samples.targets, sample_weight=samples.weights,
                optimizer=self._optimizer, epochs=epochs, batch_size=self.batch_size, clip=self.clip,
                seed=self._seed(), progress="lines" if as_flag("verbose", self.verbose) else False, **options,
            )  # fmt: skip
        self.loss_curve_ = self.loss_curve_ + history.get("loss", [])
        self.n_iter_ = len(self.loss_curve_)
        if history.interrupted:
            raise KeyboardInterrupt
        return history
