# SPDX-License-Identifier: BSD-3-Clause
"""An objective whose loss also computes the last layer, in chunks, so that its output is never stored.

The output of a last `Linear` is often what a step has most of: logits of V classes at each position. A loss that has
a function of what the layer reads (`losses._heads.OfLinear`), such as `cross_entropy`, computes some rows of them, and
adds their part of the gradients of the layer, before it goes on to the next. All numbers have the same bits. Metrics
that are means over positions see the same rows; their sums are rounded part by part.
"""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..._engine.arguments import Array, is_packed
from ...losses import Mean
from ...losses._heads import OfLinear, of_linear
from ...losses._masking import sequence_mask
from ...losses._positions import takes_positions
from .._data.batch import Batch
from .metrics import Metrics, as_metrics, mean_of, score
from .objective import Loss, Objective, applied, as_tuple, counts


class WithLastLayer(Objective):
    """An `Objective` of the layers before the last, and of a loss that takes the last.

    The gradients of the last layer are added by `cost`, and not by `backward`; an output is what the last layer reads.

    Parameters
    ----------
    model : Container
    loss : callable
    in_pieces : bool
    before : object
        What runs all of the model but its last layer.
    last : str
        The name of that layer, a Linear.
    head : OfLinear
        The loss as a function of what it reads.
    metrics : dict of str to callable
        Those of the output, all `from_parts`.
    """

    def __init__(
        self, model: Any, loss: Loss, in_pieces: bool, *, before: Any, last: str, head: OfLinear, metrics: Metrics
    ) -> None:
        super().__init__(model, loss, in_pieces)
        self.runs, self._head = before, head
        self._last, self._linear, self._metrics = last, model.children()[last], metrics

    def run(self, batch: Batch, state: Any = None, *, training: bool) -> tuple[Any, Any, Any]:
        h, state, tape = super().run(batch, state, training=training)
        with self.model._noted(self._last):  # an error of what it reads is that of the layer
            self._linear._checked(h.data if is_packed(h) else h)
        return h, state, tape

    def cost(self, y: Any, target: Any, lengths: Any, weight: Any = None) -> tuple[float, Array]:
        self.function = self._seen(self._head.cost, y, target, lengths)
        return super().cost(y, target, lengths, weight)

    def value(self, y: Any, target: Any, lengths: Any, weight: Any = None) -> float:
        value = self._seen(self._head.value, y, target, lengths)
        if not counts(self.loss, y, lengths):
            return 0.0
        return as_tuple(applied(value, y, target, lengths, self.batch_first, self.takes, weight))[0]

    def _seen(self, function: Callable[..., Any], y: Any, target: Any, lengths: Any) -> Callable[..., Any]:
        """A function of the head that leaves the metrics of an output in `scored`."""
        if not self._metrics:
            return function
        parts = Parts(self._metrics, y, target, lengths, self.batch_first)
        self.scored = parts.means
        return partial(function, see=parts.add)


class Parts:
    """The metrics of an output, of which some rows are known at a time.

    Attributes
    ----------
    means : dict of str to Mean
        Those of the rows so far.
    """

    def __init__(self, metrics: Metrics, y: Any, target: Any, lengths: Any, batch_first: bool) -> None:
        self.metrics, self.means = metrics, dict[str, float].fromkeys(metrics, Mean(0.0, 0.0))
        self._shape = np.shape(y.data if is_packed(y) else y)[:-1]
        self._given = target, lengths, batch_first

    @cached_property
    def _rows(self) -> tuple[Array, Array | None]:
        """The target of each row, and whether it is within its length; asked for when the loss has checked them."""
        target, lengths, batch_first = np.asarray(self._given[0]), *self._given[1:]
        target = target.reshape(-1, *target.shape[len(self._shape) :])
        if lengths is None:
            return target, None
        return target, sequence_mask("y", self._shape, lengths, "...", batch_first).reshape(-1)

    def add(self, at: Array, logits: Array) -> None:
        """Add what the last layer makes of the rows at (k,)."""
        target, mask = self._rows
        if mask is not None:
            inside = mask[at]
            at, logits = at[inside], logits[inside]
        for name, metric in self.metrics.items():
            value: Any = score(name, mean_of(metric), logits, target[at], None, False)
            before: Any = self.means[name]
            self.means[name] = type(value)(before.total + value.total, before.weight + value.weight)


def objective_of(model: Any, loss: Loss, metrics: Any, pieces: Any = None) -> Objective:
    """The objective of a training or an evaluation, which computes the last layer with the loss where that is the same.

    It is where the output is for the loss alone, and for metrics of parts, and each of its steps for one backward pass.

    Parameters
    ----------
    model, loss
        As of an `Objective`.
    metrics : sequence or mapping
        They read the output, and need all of it unless they are all `from_parts`.
    pieces : int or (int, int), optional
        The steps of the windows into which sequences are cut, or (k1, k2) of `fit`: with k2 > k1 windows overlap.
    """
    in_pieces, overlap = pieces is not None, isinstance(pieces, tuple | list) and pieces[:1] != pieces[1:]
    if not overlap and "_before_last" in vars(type(model)):  # inherited it says nothing of own passes
        before, last = model._before_last() or (None, "")
        head, named = of_linear(loss, model.children().get(last)), as_metrics(metrics)
        if head is not None and all(map(from_parts, named.values())):
            return WithLastLayer(model, loss, in_pieces, before=before, last=last, head=head, metrics=named)
    return Objective(model, loss, in_pieces)


def from_parts(metric: Any) -> bool:
    """Whether a metric is the mean of its values on parts of the positions, as accuracy and the losses of this package.

    Not with arguments that are arrays of all positions. Sums are rounded part by part.
    """
    metric = mean_of(metric)
    options = metric.keywords if isinstance(metric, partial) else {}
    return takes_positions(metric) and not options.keys() & {"lengths", "sample_weight"}
