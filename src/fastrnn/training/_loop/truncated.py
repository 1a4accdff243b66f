# SPDX-License-Identifier: BSD-3-Clause
"""Truncated back-propagation through time: windows of a sequence, with the state carried from one to the next."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import as_array, as_size, is_packed
from ...nn._layer import Layer, every_layer
from ...nn._tape import add_extras
from .._data.batch import Batch, between, steps_of, weight_of, weighted
from .._data.packing import without_padding
from .objective import Loss, Objective, positions


class Window(NamedTuple):
    """The results of one window of time; its gradients are in ``model.grads``.

    Attributes
    ----------
    loss : float
        The mean over the last k1 steps, or over fewer at the end of the batch; a `Mean` if the loss returns one.
    stop : int
        The step before which the window ends.
    steps : int
        How many new steps of rows it covers.
    last : bool
        Whether the batch ends with it.
    state : object
        The state after the window: the initial state of a batch that continues the sequence.
    first : object
        The state in which the next window begins.
    y, target, lengths : ndarray
        The output, the targets and the lengths, or None, of the steps of `loss`. In `fit`, y may be what the last
        layer reads.
    extras : dict of str to float
        What the tapes report after `backward`, over the steps that gradients went back (see `Tape.extras`).
    """

    loss: float
    stop: int
    steps: int
    last: bool
    state: Any
    first: Any
    y: Any
    target: Any
    lengths: Any
    extras: dict[str, float]

    @property
    def positions(self) -> int:
        """How many positions it covers: steps of rows, or rows if they have no time."""
        return positions(self.y, self.lengths)


def truncated_bptt(
    model: Any, loss: Loss, x: ArrayLike, y: ArrayLike, k1: int, k2: int | None = None, *, state: Any = None,
    lengths: ArrayLike | None = None,
) -> Iterator[Window]:  # fmt: skip
    """Truncated back-propagation through time: gradients every k1 steps, through the last k2 steps.

    BPTT(h; h') of Williams and Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories", Neural Computation 2, 1990, with h = k2 and h' = k1; Sutskever, "Training recurrent neural networks",
    2013, section 2.8.6. The state is carried through the whole sequence; gradients do not leave their window.

    Parameters
    ----------
    model : Layer
        A causal recurrent model with an output for every step.
    loss : callable
        ``loss(y, target)`` returns (value, dy), as `fastrnn.cross_entropy`.
    x : ndarray
        (T, N, I), tokens (T, N), with `batch_first` (N, T, ...), or a single sequence (T, I) or (T,).
    y : ndarray
        Targets of each step.
    k1 : int
        Steps from one update to the next.
    k2 : int, optional
        Steps that gradients go back, at least k1, default k1: then the sequence is cut into pieces. With more, every
        step is run about k2 / k1 times, since parameters have changed in between.
    state : optional
        Initial state, as the model takes it. Zero by default.
    lengths : array_like of int, shape (N,), optional
        The number of valid steps of each row. All of them by default.

    Yields
    ------
    window : Window
        Its gradients are in ``model.grads`` until the next window is requested, so that the optimizer can step.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit, or the model cannot be cut in time.

    Notes
    -----
    The state in which a window begins was computed with the window before it, by the parameters of that time.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.GRU(3, 8, seed=0), fr.Linear(8, 1, seed=1))
    >>> adam = fr.Adam(model)
    >>> x = np.ones((100, 2, 3), np.float32)
    >>> for window in fr.truncated_bptt(model, fr.mse_loss, x, np.ones((100, 2, 1)), k1=40):
    ...     norm = fr.clip_grad_norm(model, 1.0)
    ...     adam.step()
    ...     print(window.stop, window.loss < 1.5)
    40 True
    80 True
    100 True
    """
    objective = Objective(model, loss, in_pieces=True)
    truncate = as_windows("k1, k2", (k1, k1 if k2 is None else k2), model)
    return windows(objective, Batch(x, y, lengths), truncate, first=state)


def windows(
    objective: Objective, batch: Batch, truncate: tuple[int, int] | None = None, start: int = 0, first: Any = None
) -> Iterator[Window]:
    """The windows of a batch from step `start` on, where the state is `first`; only one if `truncate` is None."""
    if truncate is not None:
        yield from _cut(objective, batch, *truncate, start, first)
    elif start == 0:
        model, batch = objective.model, without_padding(batch, objective.reading)
        y, state, tape = objective.run(batch, training=True)
        lengths = objective.lengths_after(batch.lengths)
        model.zero_grad()  # the loss may add the gradients of the last layer
        loss, dy = objective.cost(y, batch.y, lengths, weight_of(batch))
        objective.backward(tape, dy)
        yield Window(loss, 1, batch.steps, True, state, None, y, batch.y, lengths, add_extras({}, [tape]))


def _cut(objective: Objective, batch: Batch, k1: int, k2: int, start: int, first: Any) -> Iterator[Window]:
    """The windows of a batch of arrays, k1 steps each, with gradients through the last k2."""
    batch, T, axis = as_cuttable(objective, batch)
    T = T if batch.lengths is None else int(np.max(batch.lengths, initial=0))
    for t in range(start, T, k1):
        stop = min(t + k1, T)
        begin, following = max(0, t + k1 - k2), max(0, t + 2 * k1 - k2)  # of this window and the next
        cuts = [begin, following, stop] if begin < following < stop else [begin, stop]
        outputs, tapes, states = [], [], [first]
        for a, b in pairwise(cuts):
            output, state, tape = objective.run(between(batch, a, b, axis), states[-1], training=True)
            outputs.append(output)
            tapes.append(tape)
            states.append(state)
        y = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis)
        y = steps_of(y, t - begin, stop - begin, axis)
        piece = between(batch, t, stop, axis)
        _, target, lengths = piece
        objective.model.zero_grad()
        loss, dy = objective.cost(y, target, lengths, weight_of(piece))
        if begin < t:  # no error comes from the steps before
            dy = np.concatenate([np.zeros_like(steps_of(dy, 0, 1, axis)).repeat(t - begin, axis), dy], axis)
        dstate = None
        for (a, b), tape in zip(reversed(list(pairwise(cuts))), reversed(tapes), strict=True):
            _, dstate = objective.backward(tape, steps_of(dy, a - begin, b - begin, axis), dstate)
        first = states[cuts.index(following)] if following in cuts else states[-1]
        yield Window(
            loss, stop, positions(y, lengths), stop == T, states[-1], first, y, target, lengths, add_extras({}, tapes)
        )


def as_cuttable(objective: Objective, batch: Batch) -> tuple[Batch, int, int]:
    """A batch of arrays that can be cut in time, its steps, and their axis."""
    if objective.of_rows:
        raise ValueError("loss: expected one of each step, to cut it in time, got one of whole rows (input_lengths)")
    if is_packed(batch.x):
        raise TypeError("x: expected an array, to cut it in time, got a packed sequence")
    if isinstance(batch.x, dict | tuple):
        raise TypeError(f"x: expected an array, to cut it in time, got a {type(batch.x).__name__} of {len(batch.x)}")
    expected = "an array, to cut it in time"
    x, y = as_array("x", batch.x, expected), as_array("y", batch.y, expected)
    single = objective.reading.is_single(x)
    leading, axis = 1 if single else 2, 0 if single else int(objective.reading.batch_first)
    if y.shape[:leading] != x.shape[:leading] or x.ndim < leading:
        raise ValueError(f"y: expected targets of each step of x {x.shape}, to cut it in time, got {y.shape}")
    arrays, weight = Batch(x, y, batch.lengths), weight_of(batch)
    return arrays if weight is None else weighted(arrays, weight, 1 - axis), x.shape[axis], axis


def as_windows(name: str, value: Any, model: Any) -> tuple[int, int]:
    """`value`, k1 or (k1, k2), as (k1, k2), for a model to which a sequence in pieces is the same as the whole."""
    k1, k2 = value if isinstance(value, tuple | list) and len(value) == 2 else (value, value)
    k1, k2 = as_size(name, k1), as_size(name, k2)
    if k2 < k1:
        raise ValueError(f"{name}: expected k2 >= k1, since no step may be left out, got {k1}, {k2}")
    if not getattr(model, "stateful", False):
        raise TypeError(f"model: expected one with a state to carry from window to window, got {type(model).__name__}")
    check_steps(model)
    return k1, k2


def check_steps(model: Any) -> None:
    """Raise ValueError unless a layer runs forward in time and gives an output for every step."""
    kind = type(model).__name__
    if ahead := [layer for layer in every_layer(model) if layer.reads_ahead]:
        both = getattr(ahead[0], "bidirectional", False)
        got = f"a bidirectional {kind}, whose reverse direction" if both else f"a {kind} with reverse=True, which"
        raise ValueError(f"model: expected one direction, got {got} starts at the end")
    if model.lengths_after(np.ones(1, np.intp)) is None:
        raise ValueError(f"model: expected an output for every step, got a {kind} that sums up the sequence")
    if isinstance(model, Layer) and (across := _reads_across(model)) is not None:
        raise ValueError(
            "model: expected layers that carry a state, or treat all positions alike (keeps_axes), got "
            f"{type(across).__name__}, which may read steps on both sides of a cut"
        )


def _reads_across(layer: Any) -> Any:
    """The first layer, of those that run one after another, that reads steps around a position and has no state."""
    if layer.children_in_sequence:
        return next(filter(None, map(_reads_across, layer.children().values())), None)
    return None if layer.stateful or layer.keeps_axes else layer
