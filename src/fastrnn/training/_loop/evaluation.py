# SPDX-License-Identifier: BSD-3-Clause
"""How good a model is on data: its mean loss and metrics, without gradients."""

from collections.abc import Mapping

import numpy as np

from ..._engine.arguments import as_size
from .._data.rows import Batch
from .._data.source import Feed, as_source
from .objective import Objective, applied, as_tuple, positions

# Of a history, without metrics.
COLUMNS = "epoch", "step", "loss", "omega", "penalty", "grad_norm", "lr", "val_loss", "seconds"

__all__ = ["Means", "as_metrics", "evaluate"]


def evaluate(model, loss, x, y=None, *, metrics=(), batch_size=32, chunk=None):
    """Mean loss and metrics of a model on data.

    Parameters
    ----------
    model, loss, x, y
        As `fastrnn.fit` takes them.
    metrics : sequence of callable, or dict of str to callable
        ``metric(y, target)`` returns a number, the mean over what counts. A loss is one too: its gradient is left out.
    batch_size : int
        Rows that are run at a time.
    chunk : int, optional
        Steps that are run at a time, the state carried on: for long sequences, since the output of all their steps need
        not fit in memory. The model is recurrent in one direction, and there is a target for each step.

    Returns
    -------
    found : dict of str to float
        ``"loss"``, and each metric under its name. Of several batches, or chunks, the mean weighted by the positions in
        them: time steps of rows, or rows where the output has no time.

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
    >>> found = fr.evaluate(model, fr.cross_entropy, sequences, np.array([0, 0, 0]), metrics=[accuracy])
    >>> sorted(found)
    ['accuracy', 'loss']
    """
    objective, metrics = Objective(model, loss), as_metrics(metrics)
    source = as_source(x, y, batch_size=batch_size, shuffle=False, **objective.batching)
    return measured(objective, metrics, Feed(source), None if chunk is None else as_size("chunk", chunk))


def measured(objective, metrics, feed, chunk=None):
    """The means over one epoch of a feed."""
    means = Means()
    for batch in feed.epoch():
        for y, target, lengths in _outputs(objective, batch, chunk):
            cost, _ = objective.cost(y, target, lengths)
            found = {"loss": cost} | scores(objective, metrics, y, target, lengths)
            means.add(found, positions(y, lengths))
    if not means.weight and not means.totals:
        raise ValueError("x: expected at least one batch, got none")
    return means.values()


def scores(objective, metrics, y, target, lengths):
    """The metrics of one output; 0 where nothing counts."""
    if not positions(y, lengths):
        return dict.fromkeys(metrics, 0.0)
    found = {
        name: as_tuple(applied(metric, y, target, lengths, objective.batch_first))[0]
        for name, metric in metrics.items()
    }
    for name, value in found.items():
        if np.ndim(value) or np.asarray(value).dtype.kind not in "fiub":
            got = f"shape {np.shape(value)}" if np.ndim(value) else repr(value)
            raise TypeError(f"metrics: expected a number from {name}, got {got}")
    return {name: float(value) for name, value in found.items()}


def _outputs(objective, batch, chunk):
    """Output, target and lengths of a batch, in one piece or many."""
    if chunk is None:
        y, _ = objective.infer(batch.x, None, batch.lengths)
        yield y, batch.y, None if batch.lengths is None else objective.lengths_after(batch.lengths)
        return
    x, target = np.asarray(batch.x), np.asarray(batch.y)
    axis, state = int(objective.batch_first), None
    for begin in range(0, x.shape[axis], chunk):
        within = (slice(None),) * axis + (slice(begin, begin + chunk),)
        piece = Batch(x[within], target[within])
        if batch.lengths is not None:
            piece = piece._replace(lengths=np.clip(batch.lengths - begin, 0, piece.x.shape[axis]))
        y, state = objective.infer(piece.x, state, piece.lengths)
        yield y, piece.y, piece.lengths


class Means:
    """Running means of named numbers, weighted."""

    def __init__(self):
        self.totals, self.weight = {}, 0

    def add(self, found, weight):
        for name, value in found.items():
            self.totals[name] = self.totals.get(name, 0.0) + weight * value
        self.weight += weight

    def values(self):
        """The means; 0 where nothing counted."""
        return {name: total / max(self.weight, 1) for name, total in self.totals.items()}

    def state_dict(self):
        return {"totals": dict(self.totals), "weight": self.weight}

    def load_state_dict(self, state):
        self.totals, self.weight = dict(state["totals"]), state["weight"]


def as_metrics(metrics):
    """`metrics` as a dict of str to callable."""
    if not isinstance(metrics, Mapping):
        if not isinstance(metrics, list | tuple):
            raise TypeError(f"metrics: expected a list or a dict of functions, got {type(metrics).__name__}")
        names = [getattr(metric, "__name__", type(metric).__name__) for metric in metrics]
        if double := [name for k, name in enumerate(names) if name in names[:k]]:
            raise ValueError(f"metrics: expected different names, got {double[0]} twice; a dict can name them")
        metrics = dict(zip(names, metrics, strict=True))
    for name, metric in metrics.items():
        if not callable(metric):
            raise TypeError(f"metrics: expected functions metric(y, target), got {type(metric).__name__} as {name}")
        if name in COLUMNS:
            raise ValueError(f"metrics: expected names other than {name!r}, a column of the history of its own")
    return dict(metrics)
