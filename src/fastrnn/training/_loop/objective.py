# SPDX-License-Identifier: BSD-3-Clause
"""A model and its loss as one function of a batch: which arguments either takes, and which positions count."""

import inspect

import numpy as np

from ...losses._masking import sequence_mask
from ...nn._embedding import Embedding
from ...nn._layer import Layer, leaves

__all__ = ["Objective", "applied", "positions"]


class Objective:
    """What a model's output costs, and the gradients of that.

    Parameters
    ----------
    model : object with ``params``, ``grads``, ``zero_grad``, ``forward``, ``backward`` and a call
        A layer, or a model of one's own. ``forward`` returns (y, tape) or (y, state, tape), a call y or (y, ...), and
        ``backward(tape, dy)`` adds into ``grads``. A batch whose x is a tuple or a dict is given to it as its
        arguments, as they are.
    loss : callable
        ``loss(y, target)`` returns (value, dy), the mean over what counts and its gradient, as `fastrnn.mse_loss`. See
        `applied` for padded batches.
    """

    def __init__(self, model, loss):
        wanted = ("params", "grads", "zero_grad", "forward", "backward")
        if missing := [name for name in wanted if not hasattr(model, name)]:
            raise TypeError(f"model: expected {', '.join(wanted)}, got {type(model).__name__} without {missing[0]}")
        if not callable(loss):
            raise TypeError(f"loss: expected a function loss(y, target), got {type(loss).__name__}")
        self.model, self.loss = model, loss
        self._takes = arguments_of(loss)
        self._inputs = inputs_of(model)

    @property
    def batch_first(self):
        """Whether the rows of a batch are along its first axis: also where no layer looks at time."""
        if isinstance(self.model, Layer):
            return getattr(self.model, "batch_first", None) is not False
        return bool(getattr(self.model, "batch_first", False))

    @property
    def batching(self):
        """Options of `Batches` that make batches for it."""
        takes_labels = "input_lengths" in self._takes
        return {"batch_first": self.batch_first, "dtype": self._dtype(), "per_step": False if takes_labels else None}

    def _dtype(self):
        """That of x; None where the model reads tokens, or does not say."""
        if not isinstance(self.model, Layer) or isinstance(leaves(self.model)[0], Embedding):
            return None
        return getattr(self.model, "dtype", None)

    def forward(self, x, state=None, lengths=None):
        """Training: (y, state, tape); the state is None if the model has none."""
        if self._is_single(x):
            return self.model.apply(x, state, lengths, training=True)
        y, *state, tape = self._run(self.model.forward, x, lengths)
        return y, state[0] if state else None, tape

    def infer(self, x, state=None, lengths=None):
        """Inference: (y, state)."""
        if self._is_single(x):
            return self.model.apply(x, state, lengths, training=False)[:2]
        y, *state = as_tuple(self._run(self.model, x, lengths))
        return y, state[0] if state else None

    def _is_single(self, x):
        """Whether x is the one input of a layer."""
        if isinstance(x, dict | tuple):
            return False
        if len(self._inputs) > 1:
            kind, names = type(self.model).__name__, " and ".join(self._inputs)
            example = ", ".join(f"{name!r}: ..." for name in self._inputs)
            raise TypeError(
                f"x: expected batches whose x is a dict {{{example}}}, since {kind} takes {names}, got "
                f"{type(x).__name__}; give an iterable of (that dict, y, lengths), or Batches(..., collate_fn=...)"
            )
        return isinstance(self.model, Layer)

    def _run(self, method, x, lengths):
        if isinstance(x, dict):
            return method(**x)
        if isinstance(x, tuple):
            return method(*x)
        return method(x) if lengths is None else method(x, lengths=lengths)

    def lengths_after(self, lengths):
        """The lengths of the rows of y; None if they are full, or have no time."""
        return self.model.lengths_after(lengths) if isinstance(self.model, Layer) else lengths

    def cost(self, y, target, lengths):
        """The loss and its gradient with respect to y; 0 where nothing counts."""
        if not positions(y, lengths):
            return 0.0, np.zeros_like(y)
        found = applied(self.loss, y, target, lengths, self.batch_first, self._takes)
        if not isinstance(found, tuple) or len(found) != 2 or np.shape(found[1]) != np.shape(y):
            got = [f"{type(part).__name__} {np.shape(part)}" for part in as_tuple(found)]
            raise TypeError(f"loss: expected (value, dy), dy of the shape of y {np.shape(y)}, got {', '.join(got)}")
        return float(found[0]), found[1]


def applied(function, y, target, lengths, batch_first, takes=None):
    """A loss or a metric of the positions of y that count.

    Parameters
    ----------
    function : callable
        ``function(y, target)``. If it has an argument `lengths`, it is given the lengths of a padded batch, and
        `batch_first` if it has that; so is one with `input_lengths`, as `ctc_loss`, always. Any other sees only
        the positions within their row's length, y (M, ...) and target (M, ...), one after another.
    lengths : array_like of int, shape (N,), or None
    takes : container of str, optional
        The names of the function's arguments, if they are known.

    Returns
    -------
    What the function returns; a gradient in it, the second of a tuple, is spread over the shape of y, 0 elsewhere.
    """
    takes = arguments_of(function) if takes is None else takes  # to ask takes ten microseconds
    more = {"batch_first": True} if batch_first and "batch_first" in takes else {}
    if "input_lengths" in takes:
        return function(y, target, input_lengths=lengths, **more)
    if lengths is None:
        return function(y, target)
    if "lengths" in takes:
        return function(y, target, lengths=lengths, **more)
    counted = sequence_mask("y", y.shape, lengths, "...", batch_first)
    target = np.asarray(target)
    if target.shape[:2] != counted.shape:
        raise ValueError(f"y: expected targets {counted.shape + ('...',)}, one for each step, got {target.shape}")
    found = function(y[counted], target[counted])
    if not isinstance(found, tuple) or len(found) != 2:
        return found
    dy = np.zeros_like(y)
    dy[counted] = found[1]
    return found[0], dy


def arguments_of(function):
    """The names of a function's arguments; none if it does not tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def inputs_of(model):
    """The names of what a model's forward has to be given besides a state and lengths."""
    if getattr(model, "stateful", False):
        return ["x"]
    return [
        name
        for name, argument in arguments_of(model.forward).items()
        if argument.default is argument.empty
        and argument.kind in (argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD)
        and name not in ("state", "lengths")
    ]


def positions(y, lengths):
    """How many positions of an output count: steps of rows, or rows if they have no time."""
    if lengths is not None:
        return int(np.sum(lengths))
    return y.shape[0] * y.shape[1] if np.ndim(y) >= 3 else len(y)


def as_tuple(returned):
    """What a function returned, as a tuple."""
    return returned if isinstance(returned, tuple) else (returned,)
