# SPDX-License-Identifier: BSD-3-Clause
"""Metrics by name, and functions of one's own as metrics."""

import inspect
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import as_array, as_integer
from ...losses import Mean, Sum, l1_loss, mse_loss
from ...losses._positions import of_positions, takes_positions
from ...nn._options import kind_of
from .objective import Objective, applied, as_tuple, counts

Metric: TypeAlias = str | Callable[..., Any]
Metrics: TypeAlias = dict[str, Callable[..., Any]]

# Of every history, besides metrics and what layers report.
COLUMNS = "epoch", "step", "loss", "penalty", "grad_norm", "lr", "val_loss", "seconds"


@of_positions
def accuracy(y: ArrayLike, target: ArrayLike, *, ignore_index: int = -100) -> Mean:
    """The fraction of correct predictions: the metric ``"accuracy"`` of `fastrnn.fit`.

    Parameters
    ----------
    y : array_like, shape (..., V)
        Logits, or probabilities, of V classes, the largest of which is the answer. Or with targets of this shape, the
        logits of answers yes or no, as of `fastrnn.binary_cross_entropy_with_logits`: yes where they are above 0.
    target : array_like of integers, shape (...), or of numbers or bools, shape (..., V)
        The correct classes, or the correct answers: yes where they are above 0.5.
    ignore_index : int, default -100
        Positions with this class are ignored.

    Returns
    -------
    accuracy : Mean
        In 0..1; 0.0 where nothing counts.

    Raises
    ------
    TypeError
        An argument is not an array of numbers, or `ignore_index` is not an integer.
    ValueError
        The shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from fastrnn.training import accuracy
    >>> accuracy(np.array([[1.0, 2.0], [3.0, 0.0], [1.0, 5.0]]), [1, 1, -100])
    0.5
    >>> accuracy(np.array([[1.0, -2.0]]), [[1, 0]])
    1.0
    """
    answers, right_ones = as_array("y", y, "logits"), as_array("target", target, "classes")
    ignored = as_integer("ignore_index", ignore_index)
    if right_ones.shape == answers.shape and answers.ndim:
        right = (answers > 0) == (right_ones > 0.5)
        return Mean(np.count_nonzero(right), right.size)
    if not answers.ndim or right_ones.shape != answers.shape[:-1] or right_ones.dtype.kind not in "iub":
        raise ValueError(
            f"target: expected integers {answers.shape[:-1]}, the classes, or {answers.shape}, yes or no, for y "
            f"{answers.shape}, got {right_ones.dtype} {right_ones.shape}"
        )
    counted = right_ones != ignored
    right = (answers.argmax(axis=-1) == right_ones) & counted
    return Mean(np.count_nonzero(right), np.count_nonzero(counted))


class FunctionOfMean:
    """A metric that is a function of a mean, such as a perplexity or a root. Only the mean is kept, not the outputs.

    Parameters
    ----------
    function : callable
        ``function(mean)`` returns a number.
    mean : callable
        A metric, or a loss, that returns a `fastrnn.losses.Mean`.

    Raises
    ------
    TypeError
        An argument is not a function. A call raises it if `mean` does not return a `Mean`.

    Notes
    -----
    `evaluate` and the validation of `fit` compute it exactly. While the parameters change, in training, the column of
    the history is the mean of its values on batches.

    Examples
    --------
    The perplexity of a language model:

    >>> import numpy as np, fastrnn as fr
    >>> perplexity = fr.training.FunctionOfMean(np.exp, fr.cross_entropy)
    >>> model = fr.Sequential(fr.Embedding(8, 4, seed=0), fr.GRU(4, 4, seed=1), fr.Linear(4, 8, seed=2))
    >>> x = np.arange(8)[:, None].repeat(3, axis=1)
    >>> found = fr.evaluate(model, fr.cross_entropy, x, x, metrics={"perplexity": perplexity}, batch_size=1)
    >>> bool(np.isclose(found["perplexity"], np.exp(found["loss"])))
    True
    """

    def __init__(self, function: Callable[[float], float], mean: Callable[..., Any]) -> None:
        for name, given in ("function", function), ("mean", mean):
            if isinstance(given, type) or not callable(given):
                raise TypeError(f"{name}: expected a function, got {kind_of(given)}")
        self.function: Callable[[float], float] = function
        self.mean: Callable[..., Any] = mean
        with suppress(TypeError, ValueError):  # some functions that are not written in Python have none
            self.__signature__: inspect.Signature = inspect.signature(mean)  # it says whether lengths are taken

    @property
    def of_positions(self) -> bool:
        """Whether the mean is over positions, independently of the rows they belong to."""
        return takes_positions(self.mean)

    def __call__(self, y: Any, target: Any, **options: Any) -> float:
        """The function of the mean of one output."""
        value = as_tuple(self.mean(y, target, **options))[0]
        if not isinstance(value, Mean):
            raise TypeError(f"mean: expected a Mean, got {type(value).__name__}")
        return self._of(value)

    def _of(self, mean: float) -> float:
        """The function of a mean, also of that of a `Sum`."""
        mean = Mean(mean.total, mean.weight) if isinstance(mean, Sum) else mean
        return float(self.function(mean))


rmse = FunctionOfMean(math.sqrt, mse_loss)

NAMED: Metrics = {"accuracy": accuracy, "mae": l1_loss, "mse": mse_loss, "rmse": rmse}


def as_metrics(metrics: Sequence[Metric] | Mapping[str, Metric]) -> Metrics:
    """`metrics` by name."""
    if not isinstance(metrics, Mapping):
        if not isinstance(metrics, list | tuple):
            raise TypeError(f"metrics: expected a list or a dict of functions or names, got {type(metrics).__name__}")
        names = [
            metric if isinstance(metric, str) else getattr(metric, "__name__", type(metric).__name__)
            for metric in metrics
        ]
        if double := [name for k, name in enumerate(names) if name in names[:k]]:
            raise ValueError(f"metrics: expected different names, got {double[0]} twice; a dict can name them")
        metrics = dict(zip(names, metrics, strict=True))
    for name in metrics:
        if not isinstance(name, str):
            raise TypeError(f"metrics: expected names, got {name!r}")
        check_column(name, {*COLUMNS, *(f"val_{other}" for other in metrics)})
    return {name: _as_metric(name, metric) for name, metric in metrics.items()}


def _as_metric(name: str, metric: Metric) -> Callable[..., Any]:
    if isinstance(metric, str):
        if metric not in NAMED:
            raise ValueError(f"metrics: expected a function or one of {', '.join(NAMED)}, got {metric!r}")
        return NAMED[metric]
    if isinstance(metric, type) or not callable(metric):
        raise TypeError(f"metrics: expected functions metric(y, target) or names, got {kind_of(metric)} as {name}")
    return metric


def check_column(metric: str, columns: Collection[str]) -> None:
    """Raise ValueError if the name of a metric is that of another column."""
    if metric in columns:
        raise ValueError(f"metrics: expected names other than {metric!r}, a column of the history of its own")


def scores(objective: Objective, metrics: Metrics, y: Any, target: Any, lengths: Any) -> dict[str, float]:
    """The metrics of one output; 0 where nothing counts."""
    if objective.scored is not None:
        return {name: final(metrics[name], mean) for name, mean in objective.scored.items()}
    return {
        name: score(name, metric, y, target, lengths, objective.batch_first) if counts(metric, y, lengths) else 0.0
        for name, metric in metrics.items()
    }


def mean_of(metric: Callable[..., Any]) -> Callable[..., Any]:
    """What is accumulated of a metric, if it is a `Mean`."""
    return metric.mean if isinstance(metric, FunctionOfMean) else metric


def final(metric: Callable[..., Any], mean: float) -> float:
    """The value of a metric, of that mean."""
    return metric._of(mean) if isinstance(metric, FunctionOfMean) else mean


def score(name: str, metric: Callable[..., Any], y: Any, target: Any, lengths: Any, batch_first: bool) -> float:
    """A metric of one output: a `Mean` if it returns one."""
    value = as_tuple(applied(metric, y, target, lengths, batch_first))[0]
    if np.ndim(value) or np.asarray(value).dtype.kind not in "fiub":
        got = f"shape {np.shape(value)}" if np.ndim(value) else repr(value)
        raise TypeError(f"metrics: expected a number from {name}, got {got}")
    return value if isinstance(value, Mean) else float(value)
