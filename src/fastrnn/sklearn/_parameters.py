# SPDX-License-Identifier: BSD-3-Clause
"""The parameters of every estimator: name, type, default, check and documentation."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from .. import optim
from .._engine.arguments import (
    FRACTION,
    NONNEGATIVE,
    POSITIVE,
    PROBABILITY,
    Interval,
    as_choice,
    as_flag,
    as_number,
)  # fmt: skip
from ..nn._option import KW_ONLY, Converted
from ..nn._options import Argument, Choice, Flag, Number, OptionalNumber, OptionalSize, Size
from ..optim import Optimizer
from ._options import Estimating

OPTIMIZERS = {name.lower(): getattr(optim, name) for name in ("Adam", "AdamW", "NAdam", "RAdam", "RMSprop", "SGD")}


def _as_optimizer(name: str, value: str | Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    if isinstance(value, str):
        return OPTIMIZERS[as_choice(name, value, tuple(OPTIMIZERS))]
    if not callable(value):
        raise TypeError(f"{name}: expected a name, or a callable {name}(model, lr=...), got {value!r}")
    return value


def _as_flag_or_auto(name: str, value: bool | str) -> bool | str:
    return as_choice(name, value, ("auto",)) if isinstance(value, str) else as_flag(name, value)


def _as_quantiles(name: str, value: Sequence[float]) -> tuple[float, ...]:
    words = f"{name}: expected numbers in (0, 1) in rising order, got {value!r}"
    if isinstance(value, str) or np.ndim(value) != 1 or not len(value):
        raise ValueError(words)
    numbers = tuple(as_number(name, each, Interval(0, 1, "()")) for each in value)
    if not (np.diff(numbers) > 0).all():
        raise ValueError(words)
    return numbers


class Computation(Estimating):
    """How everything is computed."""

    _: KW_ONLY
    n_threads: OptionalSize = OptionalSize(
        "Number of threads for fitting and predicting. None uses `fastrnn.get_num_threads`, which respects the "
        "limits that joblib sets in its workers. It does not affect the results.",
        default=None,
        last=True,
    )
    random_state: Argument[Any] = Argument(
        "Seed of everything random: initial parameters or the reservoir, dropout, the order of samples, and the "
        "validation split.",
        "int, RandomState or None",
        default=None,
        last=True,
    )


class Scaling(Computation):
    """How sequences are read."""

    _: KW_ONLY
    standardize: Flag = Flag(
        "Whether to standardize each channel of X, and the targets of `RNNRegressor`, to mean 0 and standard "
        "deviation 1 over the training samples. The steps of a table (N, T) are one channel.",
        default=True,
        last=True,
    )


class Recurrence(Computation):
    """Recurrent layers."""

    cell: Choice = Choice("The recurrent layers.", ("gru", "lstm", "rnn"), default="gru")
    hidden_size: Size = Size("Units of each layer and direction.", default=64)
    num_layers: Size = Size("Number of stacked recurrent layers.", default=1)
    _: KW_ONLY
    dropout: Number = Number(
        "The probability with which an element is zeroed in training, between layers and before the linear layer.",
        PROBABILITY,
        default=0.0,
    )


class Pooled(Recurrence):
    """Recurrent layers that have one vector for a sequence."""

    _: KW_ONLY
    bidirectional: Flag = Flag("Read each sequence in both directions.", default=False)
    pooling: Choice = Choice(
        "How the outputs of a sequence are reduced to one vector: the last step (of each direction, if "
        "bidirectional), or the mean or maximum of each unit over the steps.",
        ("last", "mean", "max"),
        default="last",
    )


class Training(Computation):
    """How a network is trained."""

    _: KW_ONLY
    optimizer: Converted[str | Callable[..., Optimizer], Callable[..., Optimizer]] = Converted(
        "A callable is called as ``optimizer(model, lr=learning_rate)``; ``functools.partial(fastrnn.AdamW, "
        "weight_decay=0.01)`` sets other options.",
        f"{{{', '.join(map(repr, OPTIMIZERS))}}} or callable",
        _as_optimizer,
        default="adam",
    )
    learning_rate: Number = Number("Learning rate of the optimizer.", POSITIVE, default=5e-3)
    clip: OptionalNumber = OptionalNumber("Maximum norm of the gradient.", POSITIVE, default=1.0)
    batch_size: Size = Size("Number of samples per batch.", default=32)
    max_iter: Size = Size(
        "Maximum number of epochs. A warning is given if the loss was still falling at the end.", default=200
    )
    early_stopping: Converted[bool | Literal["auto"], bool | Literal["auto"]] = Converted(
        'Whether to hold out some of the samples for validation and restore the parameters of the best epoch. "auto" '
        "does so with 500 samples or more.",
        'bool or "auto"',
        _as_flag_or_auto,  # type: ignore[arg-type]
        default="auto",
    )
    validation_fraction: Number = Number(
        "Fraction of the samples for validation, stratified by class.", Interval(0, 1, "()"), default=0.1
    )
    n_iter_no_change: OptionalSize = OptionalSize(
        "Stop after this many epochs in which the validation loss (the training loss without validation) has not "
        "improved by more than `tol`. None always trains for `max_iter` epochs.",
        default=30,
    )
    tol: Number = Number("The smallest decrease of the loss that counts as an improvement.", NONNEGATIVE, default=1e-4)
    verbose: Flag = Flag("Print a line for each epoch, to stderr.", default=False)


class RNNParameters(Training, Pooled, Scaling):
    """The parameters of `RNNClassifier` and `RNNRegressor`."""

    _: KW_ONLY
    warm_start: Flag = Flag(
        "Whether `fit` continues from the parameters, means and scales of the previous call.", default=False
    )


class ESNParameters(Scaling):
    """The parameters of `ESNClassifier` and `ESNRegressor`."""

    hidden_size: Size = Size("Units of each layer.", default=200)
    num_layers: Size = Size("Number of stacked layers.", default=1)
    _: KW_ONLY
    leak: Number = Number("Leaking rate, in (0, 1]; smaller values make the units slower.", FRACTION, default=1.0)
    spectral_radius: Number = Number(
        "Spectral radius of the recurrent weights; the closer to 1, the longer the memory.", NONNEGATIVE, default=0.9
    )
    density: Number = Number("The fraction of the units of its layer that each unit reads.", FRACTION, default=0.1)
    input_scaling: Number = Number("The range of the input weights.", NONNEGATIVE, default=0.5)
    bias_scaling: Number = Number("The range of the biases.", NONNEGATIVE, default=0.5)
    pooling: Choice = Choice(
        "How states and inputs of a sequence are reduced to one vector: the mean over the steps, or the last step. "
        '"auto" is the mean for classification and the last step for regression.',
        ("auto", "mean", "last"),
        default="auto",
    )
    ridge: Number = Number(
        "Regularization strength of the readout, at least 0.",
        NONNEGATIVE,
        default=0.1,
    )


class Windowing(Computation):
    """How a series is cut into windows."""

    window: Size = Size("Steps that are read before a forecast.", default=24)
    _: KW_ONLY
    quantiles: Converted[Sequence[float] | None, tuple[float, ...] | None] = Converted(
        "Forecast these quantiles, in (0, 1), instead of the mean. They are sorted, so that they do not cross.",
        "sequence of float or None",
        _as_quantiles,  # type: ignore[arg-type]
        default=None,
    )
    relative: Flag = Flag(
        "Whether to read and forecast differences from the last known values, for series whose level drifts.",
        default=True,
    )


class SeriesParameters(Training, Recurrence, Windowing):
    """The parameters of a forecaster, apart from the horizon."""

    hidden_size: Size = Recurrence.hidden_size.with_default(32)
    _: KW_ONLY
    early_stopping: Converted[bool | Literal["auto"], bool | Literal["auto"]] = Converted(
        "Whether to hold out the last windows for validation and restore the parameters of the best epoch; their "
        'forecasts do not overlap with those of training windows. "auto" does so with 500 windows or more.',
        'bool or "auto"',
        _as_flag_or_auto,  # type: ignore[arg-type]
        default=True,
    )
    linear: Converted[bool | Literal["auto"], bool | Literal["auto"]] = Converted(
        "Average the forecasts of the network with those of a ridge regression for each column. The weights are "
        "inversely proportional to the mean squared errors on the validation windows. "
        '"auto" does so if there are such windows and no `quantiles`.',
        'bool or "auto"',
        _as_flag_or_auto,  # type: ignore[arg-type]
        default="auto",
    )


class Ahead(Windowing):
    """How far ahead."""

    horizon: Size = Size("Steps that are forecast.", default=1)


class ForecasterParameters(SeriesParameters, Ahead):
    """The parameters of `RNNForecaster`."""
