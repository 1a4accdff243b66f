# SPDX-License-Identifier: BSD-3-Clause
"""A model and its loss as a function of a batch."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import numpy as np

from ..._engine.arguments import Array, is_packed
from ...losses import Mean
from ...losses._masking import sequence_mask
from ...losses._positions import takes_positions
from ...nn._layer import Layer
from ...nn._options import kind_of
from ...nn._tape import without_dx
from .._data.batch import Batch, spread
from .._data.packing import Places
from .._data.reading import arguments_of, reading_of

Loss: TypeAlias = Callable[..., tuple[float, Array]]  # of y, target, and lengths if it takes them


class Runner:
    """A model as a function of a batch.

    Parameters
    ----------
    model : object with ``params``, ``grads``, ``zero_grad``, ``forward``, ``backward`` and a call
        A layer, or any other model with this interface. ``forward`` returns (y, tape) or (y, state, tape), a call y or
        (y, ...), and ``backward(tape, dy)`` adds into ``grads``. The x of a batch is passed as its arguments if it is a
        tuple or a dict.
    targets_have_lengths : bool, default False
        Whether targets are labels of whole rows.

    Attributes
    ----------
    runs : object
        What runs of the model: all of it.
    reading : Reading
        How the model reads data.
    batch_first : bool
        Whether the rows of an output, and of targets, are along its first axis.
    """

    def __init__(self, model: Any, targets_have_lengths: bool = False) -> None:
        names = ("params", "grads", "zero_grad", "forward", "backward")
        if missing := [name for name in names if not hasattr(model, name)]:
            raise TypeError(f"model: expected {', '.join(names)}, got {type(model).__name__} without {missing[0]}")
        if isinstance(model, type):
            raise TypeError(f"model: expected an object, got {kind_of(model)}")
        self.model = self.runs = model
        self.reading = reading_of(model, targets_have_lengths)
        self.batch_first = self.reading.targets_batch_first

    def run(self, batch: Batch, state: Any = None, *, training: bool) -> tuple[Any, Any, Any]:
        """(y, state, tape) of a model that begins in a state; None for a state or a tape that it does not return."""
        x, _, lengths = batch
        if self._is_single(x):
            return self.runs.apply(x, state, lengths, training=training)
        function = self.runs.forward if training else self.runs
        if isinstance(x, dict):
            results = function(**x)
        elif isinstance(x, tuple) and not is_packed(x):
            results = function(*x)
        else:
            results = function(x) if lengths is None else function(x, lengths=lengths)
        y, *others = results if training else as_tuple(results)
        tape = others.pop() if training else None
        return y, others[0] if others else None, tape

    def _is_single(self, x: Any) -> bool:
        """Whether x is the one input of a layer."""
        if isinstance(x, dict | tuple) and not is_packed(x):
            return False
        self.reading.check_one_input(x)
        return isinstance(self.model, Layer)

    def lengths_after(self, lengths: Any) -> Any:
        """The lengths of the rows of y, given those of x; None if the rows are full or have no time axis."""
        return lengths if lengths is None or not isinstance(self.model, Layer) else self.model.lengths_after(lengths)


class Objective(Runner):
    """The loss of a model's output, and its gradients.

    Parameters
    ----------
    model : object
        As of a `Runner`.
    loss : callable
        ``loss(y, target)`` returns (value, dy), the mean over the positions that count and its gradient, as
        `fastrnn.mse_loss` does. A mean over anything else is a `Mean`. See `applied` for rows of different lengths.
    in_pieces : bool, default False
        Whether batches are to be cut in time, and therefore stay padded.

    Attributes
    ----------
    takes : mapping
        The arguments of the loss by name.
    function : callable
        What is called of the output and a target: the loss.
    scored : mapping of str to Mean, or None
        The metrics of the last output, where nobody else can compute them.
    """

    scored: Mapping[str, float] | None = None

    def __init__(self, model: Any, loss: Loss, in_pieces: bool = False) -> None:
        self.loss = self.function = loss
        self.takes = arguments_of(loss)
        super().__init__(model, self.of_rows)
        if in_pieces:
            self.reading = self.reading._replace(packed=False)
        if isinstance(loss, type) or not callable(loss):
            raise TypeError(f"loss: expected a function loss(y, target), got {kind_of(loss)}")

    @property
    def of_rows(self) -> bool:
        """Whether the loss is one of whole rows, as `ctc_loss`, and not of positions."""
        return "input_lengths" in self.takes

    def cost(self, y: Any, target: Any, lengths: Any, weight: Any = None) -> tuple[float, Array]:
        """The loss, a `Mean` if it returns one, and its gradient with respect to y; 0 where nothing counts.

        `weight` is the `sample_weight` of a loss that takes one.
        """
        if not counts(self.loss, y, lengths):
            return Mean(0.0, 0.0), np.zeros_like(y)
        result = applied(self.function, y, target, lengths, self.batch_first, self.takes, weight)
        if not isinstance(result, tuple) or len(result) != 2 or _shape(result[1]) != _shape(y):
            got = [f"{type(part).__name__} {np.shape(part)}" for part in as_tuple(result)]
            raise TypeError(f"loss: expected (value, dy), dy of the shape of y {_shape(y)}, got {', '.join(got)}")
        return result[0] if isinstance(result[0], Mean) else float(result[0]), result[1]

    def value(self, y: Any, target: Any, lengths: Any, weight: Any = None) -> float:
        """The loss alone, of an output that no gradient is wanted of."""
        return self.cost(y, target, lengths, weight)[0]

    def backward(self, tape: Any, dy: Any, *dstate: Any) -> Any:
        """The backward pass of the model, without the gradient of the data, which is not needed."""
        return self.runs.backward(without_dx(tape, self.runs), dy, *dstate)


def applied(
    function: Callable[..., Any],
    y: Any,
    target: Any,
    lengths: Any,
    batch_first: bool,
    takes: Collection[str] | None = None,
    weight: Any = None,
) -> Any:
    """A loss or a metric of the positions of y that count.

    Parameters
    ----------
    function : callable
        ``function(y, target)``. If it has an argument `lengths`, it receives the lengths of a padded batch, and
        `batch_first` if it has that; one with `input_lengths`, as `ctc_loss`, always does. Any other sees only
        the positions within their row's length, y (M, ...) and target (M, ...), one after another.
    y : ndarray or PackedSequence
        Packed rows are positions already, and target is (R, ...); a function that asks for lengths gets them padded,
        but for those of this package, which need not know.
    lengths : array_like of int, shape (N,), or None
    takes : collection of str, optional
        The names of the function's arguments, if they are known.
    weight : ndarray, optional
        Of each row, or of the first axes of the target: the argument `sample_weight`.

    Returns
    -------
    What the function returns; a gradient in it, the second of a tuple, has the shape of y, 0 where nothing counts.
    """
    takes = arguments_of(function) if takes is None else takes  # a signature takes ten microseconds
    options: dict[str, Any] = {"batch_first": True} if batch_first and "batch_first" in takes else {}
    if weight is not None:
        options["sample_weight"] = weight
    if is_packed(y):
        return _of_packed(function, y, target, batch_first, takes, weight)
    if "input_lengths" in takes:
        return function(y, target, input_lengths=lengths, **options)
    if lengths is None:
        return function(y, target) if weight is None else function(y, target, **options)
    if "lengths" in takes:
        return function(y, target, lengths=lengths, **options)
    mask, *arguments = counted(y, target, lengths, batch_first)
    named = {}
    if weight is not None:
        axes = max(weight.ndim, 2)
        named["sample_weight"] = spread(weight, np.shape(target)[:axes], 0 if batch_first else 1)[mask]
    result = function(*arguments, **named)
    if not isinstance(result, tuple) or len(result) != 2:
        return result
    dy = np.zeros_like(y)
    dy[mask] = result[1]
    return result[0], dy


def _of_packed(
    function: Callable[..., Any], y: Any, target: Any, batch_first: bool, takes: Collection[str], weight: Any
) -> Any:
    """`applied` of packed rows; a gradient is that of their array."""
    of_rows = "input_lengths" in takes
    if not of_rows and ("lengths" not in takes or takes_positions(function)):
        if weight is None:
            return function(y.data, target)
        first = {"batch_first": True} if "batch_first" in takes else {}  # the positions, where they have further axes
        return function(y.data, target, sample_weight=weight, **first)
    places = Places.of(y)
    full = places.scattered(y.data, batch_first)
    if not of_rows:
        target = places.scattered(np.asarray(target), batch_first)
        weight = None if weight is None else places.scattered(weight, batch_first)
    result = applied(function, full, target, np.bincount(places.rows), batch_first, takes, weight)
    if not isinstance(result, tuple) or len(result) != 2 or np.shape(result[1]) != full.shape:
        return result
    return result[0], places.gathered(np.asarray(result[1]), batch_first)


def counted(y: Any, target: Any, lengths: Any, batch_first: bool) -> tuple[Array, Array, Array]:
    """Which positions of y are within their row's length, and y (M, ...) and target (M, ...) there."""
    mask, target = sequence_mask("y", y.shape, lengths, "...", batch_first), np.asarray(target)
    if target.shape[:2] != mask.shape:
        raise ValueError(f"y: expected targets {mask.shape + ('...',)}, one for each step, got {target.shape}")
    return mask, y[mask], target[mask]


def counts(function: Callable[..., Any], y: Any, lengths: Any) -> bool:
    """Whether a loss or a metric has anything to say of an output: one of rows does of rows without steps, too."""
    return positions(y, lengths) > 0 or "input_lengths" in arguments_of(function)


def positions(y: Any, lengths: Any) -> int:
    """How many positions of an output count: steps of rows, or rows if they have no time."""
    if is_packed(y):
        return len(y.data)
    if lengths is not None:
        return int(np.sum(lengths))
    shape = _shape(y)
    return shape[0] * shape[1] if len(shape) >= 3 else len(y)


def _shape(y: Any) -> tuple[int, ...]:
    """The shape of an array, of packed rows, or of what NumPy can make an array of."""
    return y.shape if hasattr(y, "shape") else np.shape(y)


def as_tuple(result: Any) -> tuple[Any, ...]:
    """The result of a function as a tuple."""
    return result if isinstance(result, tuple) else (result,)
