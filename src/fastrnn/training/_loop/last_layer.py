# SPDX-License-Identifier: BSD-3-Clause
"""An objective whose loss also computes the last layer, in chunks, so that its output is never stored.

The output of a last `Linear` is often what a step has most of: logits of V classes at each position. A loss that has
a function of what the layer reads (`losses._heads.OfLinear`), such as `cross_entropy`, computes some rows of them, and
adds their part of the gradients of the layer, before it goes on to the next. All numbers have the same bits.
"""

from typing import Any

from ..._engine.arguments import is_packed
from ...losses._heads import OfLinear, of_linear
from .._data.batch import Batch
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
    """

    def __init__(self, model: Any, loss: Loss, in_pieces: bool, *, before: Any, last: str, head: OfLinear) -> None:
        super().__init__(model, loss, in_pieces)
        self.runs, self.function, self._value = before, head.cost, head.value
        self._last, self._linear = last, model.children()[last]

    def run(self, batch: Batch, state: Any = None, *, training: bool) -> tuple[Any, Any, Any]:
        h, state, tape = super().run(batch, state, training=training)
        with self.model._noted(self._last):  # an error of what it reads is that of the layer
            self._linear._checked(h.data if is_packed(h) else h)
        return h, state, tape

    def value(self, y: Any, target: Any, lengths: Any, weight: Any = None) -> float:
        if not counts(self.loss, y, lengths):
            return super().value(y, target, lengths, weight)
        (value,) = as_tuple(applied(self._value, y, target, lengths, self.batch_first, self.takes, weight))
        return value


def objective_of(model: Any, loss: Loss, metrics: Any, pieces: Any = None) -> Objective:
    """The objective of a training or an evaluation, which computes the last layer with the loss where that is the same.

    It is where the output is for the loss alone, and each of its steps for one backward pass.

    Parameters
    ----------
    model, loss
        As of an `Objective`.
    metrics : sequence or mapping
        They read the output.
    pieces : int or (int, int), optional
        The steps of the windows into which sequences are cut, or (k1, k2) of `fit`: with k2 > k1 windows overlap.
    """
    in_pieces, overlap = pieces is not None, isinstance(pieces, tuple | list) and pieces[:1] != pieces[1:]
    if not metrics and not overlap and "_before_last" in vars(type(model)):  # inherited it says nothing of own passes
        before, last = model._before_last() or (None, "")
        head = of_linear(loss, model.children().get(last))
        if head is not None:
            return WithLastLayer(model, loss, in_pieces, before=before, last=last, head=head)
    return Objective(model, loss, in_pieces)
