# SPDX-License-Identifier: BSD-3-Clause
"""The mean loss and metrics of a model on data, without gradients."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import as_size
from ...nn._options import kind_of
from .._data.batch import Batch, between
from .._data.source import EpochReader, as_source
from .blame import note_row
from .objective import Loss, Objective, applied, as_tuple, positions

Metric: TypeAlias = Callable[..., Any]
Metrics: TypeAlias = dict[str, Metric]

# Of every history, besides metrics and what layers report.
COLUMNS = "epoch", "step", "loss", "penalty", "grad_norm", "lr", "val_loss", "seconds"


def evaluate(
    model: Any,
    loss: Loss,
    x: Any,
    y: Any = None,
    *,
    lengths: ArrayLike | None = None,
    metrics: Sequence[Metric] | Mapping[str, Metric] = (),
    batch_size: int = 32,
    chunk: int | None = None,
) -> dict[str, float]:
    """Mean loss and metrics of a model on data.

    Parameters
    ----------
    model, loss, x, y, lengths
        As `fastrnn.fit` takes them.
    metrics : sequence of callable, or dict of str to callable, default ()
        ``metric(y, target)`` returns a number, the mean over the positions. A loss is a metric too: its gradient is
        ignored.
    batch_size : int, default 32
        Rows that are run at a time.
    chunk : int, optional
        Steps that are run at a time, the state carried from one chunk to the next: for long sequences, since the output
        of all their steps need not fit in memory. The model is recurrent in one direction, and there is a target for
        each step.

    Returns
    -------
    means : dict of str to float
        ``"loss"``, and each metric under its name. Of several batches, or chunks, the mean weighted by their positions:
        time steps of rows, or rows where the output has no time.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit, or there is no data.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> def accuracy(logits, labels):
    ...     return (logits.argmax(axis=-1) == labels).mean()
    >>> model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))
    >>> sequences = [np.ones((length, 3), np.float32) for length in (5, 2, 4)]
    >>> means = fr.evaluate(model, fr.cross_entropy, sequences, np.array([0, 0, 0]), metrics=[accuracy])
    >>> sorted(means)
    ['accuracy', 'loss']
    """
    objective, named = Objective(model, loss), as_metrics(metrics)
    source = as_source(x, y, objective.reading, lengths=lengths, batch_size=batch_size, shuffle=False)
    return mean_scores(objective, named, EpochReader(source), None if chunk is None else as_size("chunk", chunk))


def mean_scores(
    objective: Objective, metrics: Metrics, data: EpochReader, chunk: int | None = None
) -> dict[str, float]:
    """The means over one epoch."""
    means = Means()
    for batch in data.epoch():
        try:
            for y, target, lengths in _outputs(objective, batch, chunk):
                loss, _ = objective.cost(y, target, lengths)
                means.add({"loss": loss} | scores(objective, metrics, y, target, lengths), positions(y, lengths))
        except (TypeError, ValueError) as error:
            note_row(error, data.source, objective)
            raise
    if not means.totals:
        raise ValueError("x: expected at least one batch, got none")
    return means.values()


def scores(objective: Objective, metrics: Metrics, y: Any, target: Any, lengths: Any) -> dict[str, float]:
    """The metrics of one output; 0 where nothing counts."""
    if not positions(y, lengths):
        return dict.fromkeys(metrics, 0.0)
    values = {
        name: as_tuple(applied(metric, y, target, lengths, objective.batch_first))[0]
        for name, metric in metrics.items()
    }
    for name, value in values.items():
        if np.ndim(value) or np.asarray(value).dtype.kind not in "fiub":
            got = f"shape {np.shape(value)}" if np.ndim(value) else repr(value)
            raise TypeError(f"metrics: expected a number from {name}, got {got}")
    return {name: float(value) for name, value in values.items()}


def _outputs(objective: Objective, batch: Batch, chunk: int | None) -> Iterator[tuple[Any, Any, Any]]:
    """Output, target and lengths of a batch, in one piece or many."""
    if chunk is None:
        y, _, _ = objective.run(batch, training=False)
        yield y, batch.y, objective.lengths_after(batch.lengths)
        return
    x, state = np.asarray(batch.x), None
    axis = objective.time_axis(x)
    batch = Batch(x, np.asarray(batch.y), batch.lengths)
    for begin in range(0, x.shape[axis], chunk):
        piece = between(batch, begin, begin + chunk, axis)
        y, state, _ = objective.run(piece, state, training=False)
        yield y, piece.y, piece.lengths


class Means:
    """Running means of named numbers, weighted."""

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self.weight = 0

    def add(self, values: Mapping[str, float], weight: int) -> None:
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + weight * value
        self.weight += weight

    def values(self) -> dict[str, float]:
        """The means; 0 where nothing counted."""
        return {name: total / max(self.weight, 1) for name, total in self.totals.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"totals": dict(self.totals), "weight": self.weight}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.totals, self.weight = dict(state["totals"]), state["weight"]


def as_metrics(metrics: Sequence[Metric] | Mapping[str, Metric]) -> Metrics:
    """`metrics` by name."""
    if not isinstance(metrics, Mapping):
        if not isinstance(metrics, list | tuple):
            raise TypeError(f"metrics: expected a list or a dict of functions, got {type(metrics).__name__}")
        names = [getattr(metric, "__name__", type(metric).__name__) for metric in metrics]
        if double := [name for k, name in enumerate(names) if name in names[:k]]:
            raise ValueError(f"metrics: expected different names, got {double[0]} twice; a dict can name them")
        metrics = dict(zip(names, metrics, strict=True))
    for name, metric in metrics.items():
        if not isinstance(name, str):
            raise TypeError(f"metrics: expected names, got {name!r}")
        if isinstance(metric, type) or not callable(metric):
            raise TypeError(f"metrics: expected functions metric(y, target), got {kind_of(metric)} as {name}")
        check_column(name, {*COLUMNS, *(f"val_{other}" for other in metrics)})
    return dict(metrics)


def check_column(metric: str, columns: Collection[str]) -> None:
    """Raise ValueError if the name of a metric is that of another column."""
    if metric in columns:
        raise ValueError(f"metrics: expected names other than {metric!r}, a column of the history of its own")
