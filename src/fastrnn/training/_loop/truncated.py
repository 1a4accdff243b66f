# SPDX-License-Identifier: BSD-3-Clause
"""Truncated back-propagation through time: windows of a sequence, with the state carried from one to the next."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..._engine.arguments import as_size
from ...nn._layer import leaves
from .._data.rows import Batch
from .objective import Objective, positions

__all__ = ["Window", "truncated_bptt"]


class Window(NamedTuple):
    """What one window of time gave; its gradients are in ``model.grads``.

    Attributes
    ----------
    loss : float
        Of the last k1 steps, or as many as there are.
    stop : int
        The step before which it ends.
    steps : int
        How many steps of rows it went on by.
    last : bool
        Whether the batch ends here.
    state : object
        The state after the window: where a sequence that goes on in the next batch goes on.
    first : object
        The state in which the next window begins.
    y, target, lengths : ndarray
        Of the steps that `loss` is of.
    extras : dict of str to float
        What the tapes report after `backward`, over the steps that gradients went back (see `Tape.extras`).
    """

    loss: float
    stop: int
    steps: int
    last: bool
    state: object
    first: object
    y: object
    target: object
    lengths: object
    extras: dict[str, float]

    @property
    def positions(self):
        """How many positions `loss` is a mean over: steps of rows, or rows if they have no time."""
        return positions(self.y, self.lengths)


def truncated_bptt(model, loss, x, y, k1, k2=None, *, state=None, lengths=None):
    """Every k1 steps, the gradients of the loss of these steps, back-propagated through the last k2 steps.

    BPTT(h; h') of Williams and Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories", Neural Computation 2, 1990, with h = k2 and h' = k1; Sutskever, "Training recurrent neural networks",
    2013, section 2.8.6. The state goes on through the whole sequence; gradients do not leave their window.

    Parameters
    ----------
    model : Layer
        Recurrent, with an output for every step, and not bidirectional.
    loss : callable
        ``loss(y, target)`` returns (value, dy), as `fastrnn.cross_entropy`.
    x : ndarray
        (T, N, I), tokens (T, N), or with `batch_first` (N, T, ...).
    y : ndarray
        Targets of each step.
    k1 : int
        Steps from one update to the next.
    k2 : int, optional
        Steps that gradients go back, at least k1, which is the default: then the sequence is cut into pieces. With
        more, every step is run about k2 / k1 times, since parameters have changed in between.
    state : optional
        Initial state, as the model takes it. Zero by default.
    lengths : array_like of int, shape (N,), optional

    Yields
    ------
    window : Window
        When it comes, ``model.grads`` is its gradient, and the optimizer may step; `window.loss` is the loss.

    Raises
    ------
    TypeError, ValueError
        An argument does not fit, or the model cannot be cut in time.

    Notes
    -----
    The state in which a window begins was computed when the window before was, with the parameters of that time.

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
    objective = Objective(model, loss)
    k1, k2 = as_windows("k1, k2", (k1, k1 if k2 is None else k2))
    check_cuttable(model)
    return windows(objective, Batch(x, y, lengths), (k1, k2), first=state)


def windows(objective, batch, truncate=None, start=0, first=None):
    """The windows of a batch, from step `start` on; the one there begins in the state `first`.

    Without `truncate`, (k1, k2), the whole batch is one.
    """
    if truncate is not None:
        yield from _cut(objective, batch, *truncate, start, first)
    elif start == 0:
        model = objective.model
        y, state, tape = objective.forward(batch.x, None, batch.lengths)
        lengths = None if batch.lengths is None else objective.lengths_after(batch.lengths)
        loss, dy = objective.cost(y, batch.y, lengths)
        model.zero_grad()
        model.backward(tape, dy)
        yield Window(loss, 1, batch.steps, True, state, None, y, batch.y, lengths, sum_extras([tape]))


def _cut(objective, batch, k1, k2, start, first):
    model, axis = objective.model, int(objective.batch_first)
    x, target, lengths = np.asarray(batch.x), np.asarray(batch.y), batch.lengths
    if target.shape[:2] != x.shape[:2] or x.ndim < 2:
        raise ValueError(f"y: expected targets of each step of x {x.shape}, to cut it in time, got {target.shape}")
    T = x.shape[axis] if lengths is None else int(np.max(lengths, initial=0))

    def steps(array, begin, end):
        return array[:, begin:end] if axis else array[begin:end]

    def inside(begin, end):
        return None if lengths is None else np.clip(lengths, begin, end) - begin

    for t in range(start, T, k1):
        stop = min(t + k1, T)
        begin, following = max(0, t + k1 - k2), max(0, t + 2 * k1 - k2)  # of this window and the next
        cuts = [begin, following, stop] if begin < following < stop else [begin, stop]
        outputs, tapes, states = [], [], [first]
        for a, b in pairwise(cuts):
            out, state, tape = objective.forward(steps(x, a, b), states[-1], inside(a, b))
            outputs.append(out)
            tapes.append(tape)
            states.append(state)
        y = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis)
        y = steps(y, t - begin, stop - begin)
        now = steps(target, t, stop)
        loss, dy = objective.cost(y, now, inside(t, stop))
        if begin < t:  # no error comes from the steps before
            dy = np.concatenate([np.zeros_like(steps(y, 0, 1)).repeat(t - begin, axis), dy], axis)
        model.zero_grad()
        dstate = None
        for (a, b), tape in zip(reversed(list(pairwise(cuts))), reversed(tapes), strict=True):
            _, dstate = model.backward(tape, steps(dy, a - begin, b - begin), dstate)
        first = states[cuts.index(following)] if following in cuts else states[-1]
        there, extras = inside(t, stop), sum_extras(tapes)
        yield Window(loss, stop, positions(y, there), stop == T, states[-1], first, y, now, there, extras)


def sum_extras(tapes):
    """What tapes report beside gradients, summed by name."""
    extras = {}
    for tape in tapes:
        for name, value in getattr(tape, "extras", {}).items():
            extras[name] = extras.get(name, 0.0) + value
    return extras


def as_windows(name, value):
    """`value`, k1 or (k1, k2), as (k1, k2)."""
    k1, k2 = value if isinstance(value, tuple | list) and len(value) == 2 else (value, value)
    k1, k2 = as_size(name, k1), as_size(name, k2)
    if k2 < k1:
        raise ValueError(f"{name}: expected k2 >= k1, or steps would go by of which nothing is learnt, got {k1}, {k2}")
    return k1, k2


def check_cuttable(model):
    """Refuse a model of which a sequence in pieces is not the sequence."""
    name = type(model).__name__
    if not getattr(model, "stateful", False):
        raise TypeError(f"model: expected one with a state to carry from window to window, got {name}")
    if any(getattr(leaf, "bidirectional", False) and leaf.stateful for leaf in leaves(model)):
        raise ValueError(f"model: expected one direction, got a bidirectional {name}, whose other begins at the end")
    if model.lengths_after(np.ones(1, np.intp)) is None:
        raise ValueError(f"model: expected an output for every step, got a {name} that sums up the sequence")
