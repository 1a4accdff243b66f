# SPDX-License-Identifier: BSD-3-Clause
"""The mean loss and metrics of a model on data, without gradients."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from ..._engine.arguments import as_size
from ...nn._layer import Layer
from .._data.batch import Batch, between, weight_of
from .._data.draw import Draw
from .._data.packing import without_padding
from .._data.source import EpochReader, as_source
from .alone import Alone
from .blame import note_row
from .last_layer import objective_of
from .means import Means
from .metrics import Metric, Metrics, as_metrics
from .objective import Loss, Objective, positions
from .options import check_takes_weights, weigh_classes
from .truncated import as_cuttable, check_steps
from .whole import EpochMetrics


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
    sample_weight: Any = None,
    class_weight: Any = None,
) -> dict[str, float]:
    """Mean loss and metrics of a model on data.

    Parameters
    ----------
    model, loss, x, y, lengths
        As `fastrnn.fit` takes them.
    metrics : sequence of callable or str, or dict of them by name, default ()
        ``metric(y, target)`` returns a number; a loss is a metric too: its gradient is ignored. Or the name of one:
        ``"accuracy"``, see `fastrnn.training.accuracy`, ``"mae"``, ``"mse"`` or ``"rmse"``. Padded batches are passed
        as they are to a loss.
    batch_size : int, default 32
        Rows that are run at a time.
    chunk : int, optional
        Steps that are run at a time, the state carried from one chunk to the next: for long sequences, since the output
        of all their steps need not fit in memory. The model is recurrent in one direction, and there is a target for
        each step.
    sample_weight, class_weight : optional
        As `fastrnn.fit` takes them: weights of the loss, not of the metrics. ``"balanced"`` counts these targets.

    Returns
    -------
    means : dict of str to float
        ``"loss"``, and each metric under its name. They do not depend on `batch_size` and `chunk`, up to rounding, nor
        on how the rows are divided into batches. See Notes.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit, or there is no data.

    Notes
    -----
    A loss or a metric that returns a `fastrnn.losses.Mean`, as those of this package do, is the mean over all that it
    averages. A loss of your own that returns a plain number is taken as the mean over the positions of a batch: time
    steps of rows, or rows where the output has no time.

    A metric that returns a plain number need not be a mean. It is computed once, of all data as one batch, for which
    their outputs are kept in memory: of rows of different lengths, it receives the positions that count, one after
    another, y (M, ...) and target (M, ...); if it has an argument `lengths` or `input_lengths`, the rows, padded to the
    longest. To find out which it is, it is first called with the first batch. Of a mean, and of a function of a mean
    that is declared as one, `fastrnn.training.FunctionOfMean`, nothing is kept.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.LastStep(), fr.Linear(8, 2, seed=1))
    >>> sequences = [np.ones((length, 3), np.float32) for length in (5, 2, 4)]
    >>> means = fr.evaluate(model, fr.cross_entropy, sequences, np.array([0, 0, 0]), metrics=["accuracy"])
    >>> sorted(means)
    ['accuracy', 'loss']
    """
    objective, named = objective_of(model, loss, metrics, chunk), as_metrics(metrics)
    chunk = None if chunk is None else as_size("chunk", chunk)
    if chunk is not None and isinstance(model, Layer):
        check_steps(model)
    check_takes_weights(objective, sample_weight=sample_weight, class_weight=class_weight)
    options = {"lengths": lengths, "sample_weight": sample_weight, "batch_size": batch_size, "shuffle": False}
    source = as_source(x, y, objective.reading, **options)
    weigh_classes(source, x, class_weight, objective)
    return mean_scores(objective, named, EpochReader(source), chunk, Alone())


def mean_scores(
    objective: Objective, metrics: Metrics, data: EpochReader, chunk: int | None, stepper: Alone
) -> dict[str, float]:
    """The means over one epoch, to which each process adds batches of its own."""
    scores = EpochScores(objective, EpochMetrics(metrics, objective.batch_first), chunk)
    means = Means()
    for parts in stepper.of_all(lambda: scores.of_batches(data, stepper)):
        for values, weight in parts:
            means.add(values, weight)
    if not means.totals:
        raise ValueError("x: expected at least one batch, got none")
    values = means.values()
    values |= scores.metrics.values(values)
    return {name: values[name] for name in ("loss", *metrics)}


class EpochScores(NamedTuple):
    """Runs a model on the batches of an epoch."""

    objective: Objective
    metrics: EpochMetrics
    chunk: int | None

    def of_batches(self, data: EpochReader, stepper: Alone) -> dict[int, list[tuple[dict[str, float], int]]]:
        """The means of batches, by their numbers, each of pieces with the number of positions.

        Metrics that are no means are of the outputs of all batches, which all processes then run.
        """
        found = {}
        for k, batch in enumerate(data.draws()):
            if self.metrics.are_means and not stepper.runs(k, batch):
                continue
            try:
                found[k] = [*self._of_batch(batch.batch() if isinstance(batch, Draw) else batch)]
            except (TypeError, ValueError) as error:
                note_row(error, data.source, self.objective)
                raise
        return found

    def _of_batch(self, batch: Batch) -> Iterator[tuple[dict[str, float], int]]:
        for piece, (y, target, lengths, weight) in enumerate(_outputs(self.objective, batch, self.chunk)):
            loss, scored = {"loss": self.objective.value(y, target, lengths, weight)}, self.objective.scored
            if scored is not None:
                means = self.metrics.add_means(scored)
            else:
                means = self.metrics.add(y, target, lengths, continues=piece > 0)
            yield loss | means, positions(y, lengths)


def _outputs(objective: Objective, batch: Batch, chunk: int | None) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Output, target, lengths and weights of a batch, in one piece or many."""
    if chunk is None:
        batch = without_padding(batch, objective.reading)
        y, _, _ = objective.run(batch, training=False)
        yield y, batch.y, objective.lengths_after(batch.lengths), weight_of(batch)
        return
    batch, steps, axis = as_cuttable(objective, batch)
    state = None
    for begin in range(0, steps, chunk):
        piece = between(batch, begin, begin + chunk, axis)
        y, state, _ = objective.run(piece, state, training=False)
        yield y, piece.y, piece.lengths, weight_of(piece)
