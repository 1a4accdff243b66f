# SPDX-License-Identifier: BSD-3-Clause
"""Recurrent: a cell of a user's own, run over time."""

from typing import Any, NamedTuple

import numpy as np

from ..._engine.arguments import Array
from ..._engine.layout import Layout, as_sequence, as_state
from ..._engine.ragged import Rows, as_rows
from .._container import Container
from .._option import KW_ONLY
from .._options import Flag, Sublayer
from .._stateful import StatefulLayer
from .._tape import Tape, open_tape
from .cell import Cell, Parts, state_parts
from .stream import CellStream


class Step(NamedTuple):
    """The data that one step saves for the backward pass."""

    t: int
    rows: Array  # (N,) bool: the rows that have a step t
    saved: Any  # the cell's own


class Recurrent(Container, StatefulLayer[Any]):
    """A recurrent layer around a custom `Cell` written in NumPy.

    For research and teaching: it runs step by step in Python, and is therefore slow. Lengths, both directions and
    initial states work as in `RNN`, `LSTM` and `GRU`. To stack several layers, use `Sequential`.

    Attributes
    ----------
    params, grads : mapping
        Those of the cells: ``"cell.weight"`` is ``"weight"`` of the cell, ``"reverse_cell.weight"`` that of the other.

    Raises
    ------
    TypeError, ValueError
        A cell is none, or the two do not fit each other; when called: an argument does not fit, or a cell returns
        something else than it should.

    Examples
    --------
    A cell that sums its inputs:

    >>> import numpy as np, fastrnn as fr
    >>> class Sum(fr.nn.Cell):
    ...     def step(self, x, h):
    ...         return h + x, h + x, None
    ...
    ...     def step_backward(self, saved, dy, dh):
    ...         return dy + dh, dy + dh
    >>> layer = fr.Recurrent(Sum(1, 1))
    >>> y, h = layer(np.ones((4, 2, 1), np.float32), lengths=[4, 2])
    >>> y[:, 1, 0].tolist(), h.ravel().tolist()
    ([1.0, 2.0, 0.0, 0.0], [4.0, 2.0])
    """

    cell: Sublayer[Cell] = Sublayer("Its `step` is taken at every time step.", Cell)
    _: KW_ONLY
    reverse_cell: Sublayer[Cell | None] = Sublayer(
        "The cell of a second direction, with parameters of its own: it reads each row from its own end, and the "
        "outputs are concatenated. D is then 2, else 1.",
        Cell,
        default=None,
    )
    batch_first: Flag = Flag("Sequences are (N, T, features) instead of (T, N, features).", default=False)

    def _setup(self) -> None:
        if self.reverse_cell is self.cell:
            raise ValueError("reverse_cell: expected a cell with parameters of its own, got the same one as cell")
        for name in ("input_size", "output_size", "state_shapes", "dtype") if self.reverse_cell else ():
            expected, value = getattr(self.cell, name), getattr(self.reverse_cell, name)
            if value != expected:
                raise ValueError(f"reverse_cell: expected {name}={expected}, as cell has, got {value}")

    @property
    def bidirectional(self) -> bool:
        """Whether there is a second direction."""
        return self.reverse_cell is not None

    @property
    def reads_ahead(self) -> bool:
        return self.bidirectional

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cell of each direction."""
        return (self.cell,) if self.reverse_cell is None else (self.cell, self.reverse_cell)

    @property
    def features_in(self) -> int:
        return self.cell.input_size

    def features_after(self, features: int | None) -> int:
        return len(self.cells) * self.cell.output_size

    @property
    def takes_resets(self) -> bool:
        return True

    # -- passes ------------------------------------------------------------------------------------------------------

    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, Any, Any]:
        x, layout = as_sequence("x", x, self.cell.input_size, self.dtype, self.batch_first)
        T, N, _ = x.shape
        rows = as_rows(lengths, T, N, layout)
        states, O = self._states("state", state, layout, N), self.cell.output_size
        y = np.zeros(layout.shape(T, N, len(self.cells) * O), self.dtype)
        steps = []
        for d, cell in enumerate(self.cells):
            out, own = layout.time_major(y)[..., d * O : (d + 1) * O], tuple(part[d] for part in states)
            steps.append(run(cell, x, out, own, rows, reverse=d == 1, keep=training))
        return y, self._state(states, layout), (layout, x.shape, steps)

    def _backward(self, saved: Any, dy: Array, dstate: Parts, extras: dict[str, float]) -> tuple[Array, Any]:
        (layout, shape, steps), O = saved, self.cell.output_size
        dx, dy = np.zeros(layout.shape(*shape), self.dtype), layout.time_major(dy)
        for d, cell in enumerate(self.cells):
            own = tuple(part[d] for part in dstate)
            run_backward(cell, steps[d], dy[..., d * O : (d + 1) * O], own, layout.time_major(dx))
        return dx, self._state(dstate, layout)

    def check_dstate(self, tape: Tape, dstate: Any) -> Parts:
        ((layout, (_, N, _), _),) = open_tape(tape, self)
        return self._states("dstate", dstate, layout, N)

    def _states(self, name: str, value: Any, layout: Layout, N: int) -> Parts:
        """The arrays of a state, each (D, N, ...), which may be written."""
        D, shapes = len(self.cells), self.cell.state_shapes
        parts = state_parts(name, value, shapes, (D, N) if layout.batched else (D,), self.dtype)
        return parts if layout.batched else tuple(part[:, None] for part in parts)

    def _state(self, parts: Parts, layout: Layout) -> Any:
        """A state in the form that a caller has."""
        return as_state(part if layout.batched else part[:, 0] for part in parts)

    def stream(self, batch: int = 1) -> CellStream:
        """Run the layer one step at a time, in Python; ValueError if it is bidirectional.

        Parameters
        ----------
        batch : int, default 1
            N.

        Returns
        -------
        CellStream
            With the methods of `Stream`.
        """
        return CellStream(self, batch)


def run(cell: Cell, x: Array, y: Array, state: Parts, of: Rows, *, reverse: bool, keep: bool) -> list[Step | Array]:
    """One direction of x (T, N, I): writes y (T, N, O) and the state, and returns what the backward pass needs.

    That is, in the order of running: each step, and the rows (N,) of each reset.
    """
    steps: list[Step | Array] = []
    T, N, _ = x.shape
    lengths = np.full(N, T) if of.lengths is None else of.lengths

    def reset(t: int) -> None:
        rows = of.resets[t] & (t < lengths)
        for part in state:
            part[rows] = 0
        if keep:
            steps.append(rows)

    for t in reversed(range(T)) if reverse else range(T):
        if of.resets is not None and not reverse:
            reset(t)
        rows = t < lengths  # a mask, so that the cell gets copies, which nobody writes to
        if rows.any():
            y[t, rows], after, saved = cell.checked_step(x[t, rows], tuple(part[rows] for part in state))
            for part, new in zip(state, after, strict=True):
                part[rows] = new
            if keep:
                steps.append(Step(t, rows, saved))
        if of.resets is not None and reverse:  # on the way to the step before it
            reset(t)
    return steps


def run_backward(cell: Cell, steps: list[Step | Array], dy: Array, dstate: Parts, dx: Array) -> None:
    """The backward pass of `run`: adds to dx (T, N, I), and replaces the gradient of the final state by that of the
    initial.

    The gradients of the parameters are summed over the steps before they are added to what is in `grads`, so that the
    sum does not depend on that.
    """
    earlier = {name: grad.copy() for name, grad in cell.grads.items()}
    cell.zero_grad()
    try:
        for step in reversed(steps):
            if not isinstance(step, Step):
                for part in dstate:
                    part[step] = 0
                continue
            t, rows, saved = step
            own = tuple(part[rows] for part in dstate)
            dx_t, before = cell.checked_step_backward(saved, dy[t, rows], own)
            dx[t, rows] += dx_t
            for part, new in zip(dstate, before, strict=True):
                part[rows] = new
    finally:
        for name, grad in cell.grads.items():
            grad += earlier[name]
