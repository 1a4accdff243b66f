# SPDX-License-Identifier: BSD-3-Clause
"""The gradient of a loss with respect to every state, step by step and layer by layer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array
from ..._engine.layout import Layout
from ...nn import Layer
from .._documented import documented
from .probes import ARGUMENTS, ERRORS, recurrences_of, run_with_probes
from .recurrences import Recurrence

LossGradient = ArrayLike | Callable[[Array], Any]


@dataclass(frozen=True, eq=False)
class RecurrenceFlow:
    """States and gradients of one layer and direction, in the order of x; 0 beyond the length of a row.

    Attributes
    ----------
    name : str
        ``"1.l0_reverse"`` is the layer and direction of ``"1.weight_hh_l0_reverse"``.
    states : dict of str to ndarray, each (T, N, H)
        "h", for an LSTM also "c", after each step.
    gradients : dict of str to ndarray, each (T, N, H)
        Of the loss with respect to those states.
    lengths : ndarray, shape (N,)
    """

    name: str
    states: dict[str, Array]
    gradients: dict[str, Array]
    lengths: Array

    def norms(self, part: str | None = None) -> Array:
        """The norm of the gradient with respect to every state, (T, N).

        Parameters
        ----------
        part : {None, "h", "c"}, default None
            One part of the state, or None for all parts as one vector.
        """
        return _norms(self.gradients, part)

    def state_norms(self, part: str | None = None) -> Array:
        """The norm of every state, (T, N); `part` is as in `norms`."""
        return _norms(self.states, part)


StrandFlow = RecurrenceFlow  # its earlier name


@documented(first=ARGUMENTS, last=ERRORS)
def gradient_flow(
    model: Layer, x: Any, lengths: ArrayLike | None = None, *, dy: LossGradient | None = None, state: Any = None
) -> list[RecurrenceFlow]:
    """The gradients dL / dh_t, and for an LSTM dL / dc_t, at every step and layer of a model.

    Parameters
    ----------
    dy : array_like or callable, optional
        The gradient of the loss with respect to y, of y's shape; or a function of y that returns it, alone or after
        the value of the loss, as the losses of fastrnn do. By default a gradient of norm 1 at the last output of each
        row and nowhere else, equal in all features: how much of it comes back depends on the model alone.

    Returns
    -------
    list of RecurrenceFlow
        One for each layer and direction, from the first. The gradient of h_t includes all paths from h_t to the loss:
        through the next step, and through everything that reads h_t. That of c_t holds h_t fixed, since h_t and c_t
        together are the state.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import gradient_flow
    >>> model = fr.Sequential(fr.GRU(3, 8, 2, seed=0), fr.LastStep(), fr.Linear(8, 1, seed=1))
    >>> x = np.random.default_rng(0).standard_normal((20, 4, 3)).astype(np.float32)
    >>> for flow in gradient_flow(model, x, dy=lambda y: fr.mse_loss(y, np.zeros_like(y))):
    ...     norms = flow.norms()
    ...     print(flow.name, norms.shape, bool((norms[0] < norms[-1]).all()))
    0.l0 (20, 4) True
    0.l1 (20, 4) True
    """
    copy, y, tape = run_with_probes(model, x, lengths, state)
    if dy is None:
        dy = _at_the_end(copy, y)
    elif callable(dy):
        dy = dy(y)
        dy = dy[1] if isinstance(dy, tuple) and len(dy) == 2 else dy
    with np.errstate(over="ignore", invalid="ignore"):  # a gradient that explodes is a result, too
        copy.backward(tape, dy)
    return [
        RecurrenceFlow(
            recurrence.name,
            _by_part(recurrence, [array[1:] for array in recurrence.states]),
            _by_part(recurrence, recurrence.gradients),
            recurrence.lengths,
        )
        for recurrence in recurrences_of(copy)
    ]


def _at_the_end(model: Any, y: Array) -> Array:
    """A gradient of norm 1 at the last output of each row."""
    first = recurrences_of(model)[0]
    if y.ndim < 2 + first.batched:  # after pooling, where y has no steps
        return np.full_like(y, y.shape[-1] ** -0.5)
    dy = np.zeros_like(y)
    steps = Layout(first.batched, bool(model.batch_first)).time_major(dy)
    S, N, F = steps.shape
    lengths = model.lengths_after(first.lengths)
    lengths = np.full(N, S) if lengths is None else lengths
    rows = np.flatnonzero(lengths)
    steps[lengths[rows] - 1, rows] = F**-0.5
    return dy


def _by_part(recurrence: Recurrence, arrays: Sequence[Array]) -> dict[str, Array]:
    return {
        part: recurrence.result(recurrence.in_input_order(array), 1)
        for part, array in zip(recurrence.layer.cell.parts, arrays, strict=True)
    }


def _norms(arrays: Mapping[str, Array], part: str | None) -> Array:
    if part is not None and part not in arrays:
        raise ValueError(f"part: expected one of {', '.join(map(repr, arrays))}, got {part!r}")
    parts = arrays.values() if part is None else [arrays[part]]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(sum(np.square(array, dtype=np.float64).sum(axis=-1) for array in parts))
