# SPDX-License-Identifier: BSD-3-Clause
"""The base of the estimators that train a recurrent network."""

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from sklearn.exceptions import ConvergenceWarning

from ..nn import Sequential
from ..nn._declared import Attribute, later
from ..optim import Optimizer
from ..training import fit
from ._base import Estimator
from ._parameters import Recurrence, RNNParameters, Training
from ._samples import Samples, relative
from ._training import STRUCTURE, make_model, validates, with_validation_last


class Network(Training, Recurrence, Estimator):
    """Training. A subclass has the loss."""

    n_iter_: Attribute[int] = later("int", "Epochs; those of `warm_start` and `partial_fit` are added.")
    loss_curve_: Attribute[list[float]] = later("list of float", "The mean loss of each epoch.")
    validation_loss_curve_: Attribute[list[float] | None] = later(
        "list of float or None", "That of the validation after each epoch of the last `fit`, if there is one."
    )

    _loss: ClassVar[Callable[..., Any]]

    @abstractmethod
    def _layers(self, options: dict[str, Any], sizes: tuple[int, int], seeds: list[int]) -> Sequential:
        """A model with C input channels and `sizes` outputs, from checked parameters."""

    def _goes_on(self) -> bool:
        """Whether `fit` continues with an existing model."""
        return False

    def _make_model(self, channels: int, outputs: int) -> Sequential:
        self.loss_curve_, self.n_iter_, self.validation_loss_curve_ = [], 0, None
        model = self._layers(self._checked(), (channels, outputs), [self._seed() for _ in range(3)])
        self._optimizer = self._make_optimizer(model)
        return model

    def _make_optimizer(self, model: Sequential) -> Optimizer:
        options = self._checked("optimizer", "learning_rate")
        return options["optimizer"](model, lr=options["learning_rate"])

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        again = self._goes_on() and self.__sklearn_is_fitted__()
        with self._fitting(again) as options:
            epochs, patience = options["max_iter"], options["n_iter_no_change"]
            samples, last = self._begin(X, y, sample_weight, again), 0
            if again:
                self._optimizer = self._make_optimizer(self.model_)
            if validates(options["early_stopping"], samples.count):
                samples, last = self._with_validation_last(samples)
            validation = last / samples.count if last else None
            history = self._run(samples, epochs, validation=validation, patience=patience, min_delta=options["tol"])
            self._finish(samples, last)
        self.validation_loss_curve_ = history.get("val_loss")
        if patience is not None and history.epochs == epochs and epochs - (history.best_epoch or 0) < patience:
            warnings.warn(
                f"{type(self).__name__}: the loss was still falling when max_iter={epochs} epochs ended",
                ConvergenceWarning,
                stacklevel=3,  # the caller of fit
            )

    def _with_validation_last(self, samples: Samples) -> tuple[Samples, int]:
        """The samples in an order whose last ones are for validation, and the number of these."""
        order, last = with_validation_last(samples.codes, samples.count, self.validation_fraction, self._seed())
        return samples.only(order), last

    def _finish(self, samples: Samples, last: int) -> None:
        """Called after `fit` has trained the network; the last samples, this many, were for validation."""

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        again = self.__sklearn_is_fitted__()
        with self._fitting(again):
            self._run(self._begin(X, y, sample_weight, again, classes), epochs=1)

    def _run(self, samples: Samples, epochs: int, **options: Any) -> Any:
        """Train, and keep what is known even if Ctrl-C ends it, which is for the caller to handle."""
        if not _can_be_written(self._optimizer):  # joblib maps large arrays that it sends to a process, or loads
            self.model_, self._optimizer = copy.deepcopy((self.model_, self._optimizer))
        weights = None if samples.weights is None else relative(samples.weights)
        with self._threads():
            history = fit(
                self.model_, self._loss, samples.x, samples.targets, sample_weight=weights,
                optimizer=self._optimizer, epochs=epochs, batch_size=self.batch_size, clip=self.clip,
                seed=self._seed(), progress="lines" if self.verbose else False, **options,
            )  # fmt: skip
        self.loss_curve_ = self.loss_curve_ + history.get("loss", [])
        self.n_iter_ = len(self.loss_curve_)
        if history.interrupted:
            raise KeyboardInterrupt
        return history


def _can_be_written(optimizer: Any) -> bool:
    """Whether an optimizer of this package can update its moments."""
    if not isinstance(optimizer, Optimizer):
        return True
    return all(moment.flags.writeable for moments in optimizer.state.values() for moment in moments.values())


class SequenceNetwork(RNNParameters, Network):
    """A network that has one output for a sequence."""

    model_: Attribute[Sequential] = later(
        "Sequential",
        "The trained network, of standardized sequences (N, T, C): `fastrnn.save` takes it. With the last step, "
        '``fastrnn.Sequential(model_["recurrent"], model_["output"]).stream()`` reads a sequence step by step.',
    )

    _structure = STRUCTURE

    def _goes_on(self) -> bool:
        return self.warm_start

    def _layers(self, options: dict[str, Any], sizes: tuple[int, int], seeds: list[int]) -> Sequential:
        return make_model(options, sizes, self._dtype, seeds)
