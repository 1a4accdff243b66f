# SPDX-License-Identifier: BSD-3-Clause
"""The base class of all estimators."""

import contextlib
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._engine.arguments import Array
from .._engine.threads import threads
from ..nn import Sequential
from ..nn._declared import Attribute, later
from ..training import predict
from ._bases import BaseEstimator
from ._frames import check_sequences
from ._numbers import naming
from ._options import learns
from ._parameters import Computation, Scaling
from ._samples import Samples, scaled, scaler_of, weighted_only
from ._sequences import read
from ._targets import as_weights


class Estimator(Computation, BaseEstimator):
    """An estimator with a model. A subclass makes it and fits it; what is read in fitting is for a subclass, too."""

    model_: Attribute[Sequential] = later(
        "Sequential", "The network, of standardized sequences (N, T, C): `fastrnn.save` takes it."
    )
    n_features_in_: Attribute[int] = later(
        "int", "Of a table (N, T) the number of steps T, which is then fixed; else the number of channels C."
    )

    _structure: ClassVar[tuple[str, ...]] = ()  # parameters that a model cannot change

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    @abstractmethod
    def _make_model(self, channels: int, outputs: int) -> Sequential:
        """A model of sequences (N, T, channels)."""

    @abstractmethod
    def _begin(self, X: Any, y: Any, sample_weight: Any, again: bool, classes: Any = None) -> Samples:
        """The samples to train on. A model is made, unless the one of before is trained `again`."""

    @abstractmethod
    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        """Do what `fit` does."""

    @abstractmethod
    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        """Do what `partial_fit` does."""

    def _forget(self) -> None:
        """Before another model is made: if that fails, the one of before would not go with the new scales."""
        vars(self).pop("model_", None)

    @contextlib.contextmanager
    def _fitting(self, again: bool) -> Iterator[dict[str, Any]]:
        """A context that gives the checked parameters, and leaves no model that is fitted in part.

        One that was fitted before, and is fitted `again`, stays.
        """
        try:
            yield self._checked()
        except Exception:
            if not again:
                self._forget()
            raise

    def _begin_model(self, dtype: Any) -> None:
        """Keep what a model has from its beginning."""
        self._made_with = {name: getattr(self, name) for name in self._structure}
        self._dtype: Any = dtype
        with naming("random_state"):
            self._rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))

    def _check_structure(self) -> None:
        """Raise ValueError if a parameter was changed that the model has from its beginning."""
        for name, value in self._made_with.items():
            if not np.array_equal(getattr(self, name), value):  # quantiles may be an array
                raise ValueError(f"{name}: expected {value!r}, as in the fitted model, got {getattr(self, name)!r}")

    def _seed(self) -> int:
        return int(self._rng.integers(2**62))

    def _threads(self) -> Any:
        count = self._checked("n_threads")["n_threads"]
        with naming("n_threads"):
            return contextlib.nullcontext() if count is None else threads(count)


class SequenceEstimator(Scaling, Estimator):
    """An estimator of one target for each sequence. `Classifying` and `Regressing` read the targets."""

    x_scaler_: Attribute[Any] = later("StandardScaler or None", "Of the channels.")
    feature_names_in_: Attribute[Array] = later(
        "ndarray of str", "Names of the columns, if X was one DataFrame or a list of them."
    )

    @learns
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model to sequences and their targets.

        Parameters
        ----------
        X : array_like, (N, T) or (N, T, C), or list of array_like, (T_n, C)
        y : array_like, shape (N,) or (N, K)
            Labels of at least two classes (N,), or the numbers of a regression.
        sample_weight : array_like, shape (N,), optional
            At least 0. Samples of weight 0 are ignored.
        """
        self._fit(X, y, sample_weight)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    @abstractmethod
    def _read_targets(self, y: Any, again: bool, classes: Any) -> Array:
        """The targets of all samples, codes (N,) or values (N, K)."""

    def _check_targets(self, targets: Array, partial: bool) -> None:
        """Raise ValueError unless these targets, of the samples that count, can be learned from.

        They need not be all that are learned from, if `partial`.
        """

    @abstractmethod
    def _prepared(self, targets: Array, weights: Array | None, again: bool) -> tuple[Array, int]:
        """Targets of the samples that count, as the model is trained on them; and its number of outputs."""

    def _begin(self, X: Any, y: Any, sample_weight: Any, again: bool, classes: Any = None) -> Samples:
        if not again:
            self._forget()
        sequences = read(self, X, reset=not again)
        with naming("y"):
            check_consistent_length(sequences.lengths, y)
        check_sequences("y", y, X)
        check_sequences("sample_weight", sample_weight, X)
        targets = self._read_targets(y, again, classes)
        weights = as_weights(sample_weight, len(targets))
        sequences, targets, weights = weighted_only(sequences, targets, weights)
        self._check_targets(targets, again or classes is not None)
        if again:
            self._check_structure()
        else:
            self._begin_model(sequences.dtype)
            self.x_scaler_ = scaler_of(sequences, weights) if self.standardize else None
        targets, outputs = self._prepared(targets, weights, again)
        if not again:
            self.model_ = self._make_model(sequences.channels, outputs)
        return Samples(scaled(sequences, self.x_scaler_, self._dtype).rows(), targets, weights)

    def _outputs(self, X: Any) -> Array:
        """The output of the model, (N, outputs)."""
        check_is_fitted(self)
        sequences = scaled(read(self, X, reset=False), self.x_scaler_, self._dtype)
        with self._threads():
            return predict(self.model_, sequences.rows())
