# SPDX-License-Identifier: BSD-3-Clause
"""The gradient of a loss with respect to every state: what arrives where, step by step and layer by layer."""

from dataclasses import dataclass

import numpy as np

from ..._engine.layout import Layout
from .probes import check_x, probed, strands_of


@dataclass(frozen=True, eq=False)
class StrandFlow:
    """One layer and direction. Arrays are in the order of the steps of x, 0 beyond a row's length.

    Attributes
    ----------
    name : str
        ``"1.l0_reverse"`` is the layer and direction of ``"1.weight_hh_l0_reverse"``.
    states : dict of str to ndarray, each (T, N, H)
        By part, "h" and of an LSTM "c", after each step.
    gradients : dict of str to ndarray, each (T, N, H)
        Of the loss with respect to those.
    lengths : ndarray, shape (N,)
    """

    name: str
    states: dict
    gradients: dict
    lengths: np.ndarray

    def norms(self, part=None):
        """The norm of the gradient of every state, (T, N): of one part, or of all parts as one vector."""
        return _norms(self.gradients, part)

    def state_norms(self, part=None):
        """The norm of every state, (T, N): of one part, or of all parts as one vector."""
        return _norms(self.states, part)


def gradient_flow(model, x, lengths=None, *, dy=None, state=None):
    """Back-propagate through a model and keep dL / dh_t, and of an LSTM dL / dc_t, of every step and layer.

    Parameters
    ----------
    model : Layer
        With an RNN, LSTM or GRU in it. Dropout is off, zoneout its mean; neither parameters nor gradients are touched.
    x, lengths, state
        As the model takes them.
    dy : array_like or callable, optional
        The gradient of the loss with respect to y, of y's shape; or a function of y that returns it, alone or after the
        value of the loss, as the losses of fastrnn do. By default it is a gradient of norm 1 that arrives at each row's
        last output and nowhere else, the same for all features: how much of it comes back is the net's own doing.

    Returns
    -------
    list of StrandFlow
        One for each layer and direction, from the first. The gradient of h_t counts every way from h_t to the loss: by
        the next step, and by what reads h_t. That of c_t is with h_t held: the two are the state.

    Raises
    ------
    TypeError, ValueError
        There is no recurrent layer in the model, x has no steps or is not finite, or an argument has the wrong type or
        shape.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> from fastrnn.inspect import gradient_flow
    >>> model = fr.Sequential(fr.GRU(3, 8, 2, seed=0), fr.LastStep(), fr.Linear(8, 1, seed=1))
    >>> x = np.random.default_rng(0).standard_normal((20, 4, 3)).astype(np.float32)
    >>> for strand in gradient_flow(model, x, dy=lambda y: fr.mse_loss(y, np.zeros_like(y))):
    ...     norms = strand.norms()
    ...     print(strand.name, norms.shape, bool((norms[0] < norms[-1]).all()))
    0.l0 (20, 4) True
    0.l1 (20, 4) True
    """
    taken_apart = probed(model)
    check_x(model, x, lengths)
    y, _, tape = taken_apart.forward(x, state, lengths)
    if dy is None:
        dy = _at_the_end(taken_apart, y)
    elif callable(dy):
        dy = dy(y)
        dy = dy[1] if isinstance(dy, tuple) and len(dy) == 2 else dy
    with np.errstate(over="ignore", invalid="ignore"):  # a gradient that explodes is an answer too
        taken_apart.backward(tape, dy)
    return [
        StrandFlow(
            strand.name,
            _by_part(strand, [array[1:] for array in strand.states]),
            _by_part(strand, strand.gradients),
            strand.lengths,
        )
        for strand in strands_of(taken_apart)
    ]


def _at_the_end(model, y):
    """A gradient of norm 1 at each row's last output."""
    first = strands_of(model)[0]
    dy = np.zeros_like(y)
    if y.ndim < 2 + first.batched:  # behind pooling, where y has no steps
        dy[:] = y.shape[-1] ** -0.5
        return dy
    out = Layout(first.batched, bool(model.batch_first)).time_major(dy)
    S, N, F = out.shape
    lengths = model.lengths_after(first.lengths)
    lengths = np.full(N, S) if lengths is None else lengths
    rows = np.flatnonzero(lengths)
    out[lengths[rows] - 1, rows] = F**-0.5
    return dy


def _by_part(strand, arrays):
    return {
        part: strand.answer(strand.in_time(array), 1)
        for part, array in zip(strand.layer.cell.parts, arrays, strict=True)
    }


def _norms(arrays, part):
    if part is not None and part not in arrays:
        raise ValueError(f"part: expected one of {', '.join(map(repr, arrays))}, got {part!r}")
    chosen = arrays.values() if part is None else [arrays[part]]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(sum(np.square(array, dtype=np.float64).sum(axis=-1) for array in chosen))
