# SPDX-License-Identifier: BSD-3-Clause
"""A stack of layers and directions on checked arrays, used by RNN, LSTM, GRU and EchoState.

Sequences are time-major views (T, N, features) and states tuples of arrays (L*D, N, H), h or h and c; row k = l*D + d
of a state belongs to layer l and direction d.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..._engine import layers, passes
from ..._engine.arguments import Array
from ..._engine.cells import Cell
from ..._engine.layers import Course, Entry
from ..._engine.layout import Layout, StateArrays, as_sequence, as_states, h_and_c
from ..._engine.passes import Arrays
from ..._engine.ragged import Rows, as_rows
from ..._engine.state_update import PLAIN, StateUpdate

# Inference runs a stack in blocks of time, all layers on one block before the next, so that what passes between the
# layers stays this small however long the sequence is. The bits are those of the whole sequence at once.
BLOCK_ELEMENTS = 1 << 18
BLOCK_STEPS = 16  # at least

WeightArrays = tuple[Array | None, ...]  # w_ih (G*H, I), w_hh (G*H, H), b_ih (G*H,), b_hh (G*H,)
Ends = tuple[StateArrays, StateArrays]  # the initial and the final state, or the gradients of the final and the initial


class Stack:
    """L layers in D directions, with packed copies of their weights.

    Parameters
    ----------
    cell : Cell
    input_size, hidden_size, num_directions : int
        I, H and D.
    dtype : dtype
    own : Arrays
        The parameter arrays. One that is held elsewhere is compared with its packed copy at every call.
    names : sequence of tuples
        Those of the four arrays of each layer and direction, at l*D + d.
    update : StateUpdate
        The state update of inference.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_directions: int,
        dtype: np.dtype[Any],
        own: Arrays,
        names: Sequence[tuple[str, ...]],
        update: StateUpdate = PLAIN,
    ) -> None:
        self.cell: Cell = cell
        self.dtype: np.dtype[Any] = dtype
        self.update: StateUpdate = update
        self.I: int = input_size
        self.H: int = hidden_size
        self.D: int = num_directions
        self.L: int = len(names) // num_directions
        self.reverse: bool = False  # whether layers of one direction read each row from its own end
        self._own, self._names = own, names
        self.weights: list[Any] = [self.bound(k, own, update) for k in range(len(names))]

    def arrays(self, k: int) -> WeightArrays:
        """The parameter arrays of layer and direction k; None where there is none."""
        return tuple(map(self._own.get, self._names[k]))

    def bound(self, k: int, arrays: Arrays, update: StateUpdate = PLAIN) -> Any:
        """Packed copies of weights for layer and direction k, which follow the arrays."""
        features, names = self.I if k < self.D else self.D * self.H, self._names[k]
        present = [name if name in arrays else None for name in names]
        return passes.weights(self.cell, self.dtype, features, self.H, arrays, present, update)

    def replaced(self, k: int, w_hh: Array) -> Any:
        """The weights with another w_hh."""
        names = self._names[k]
        arrays = dict(zip(names, self.arrays(k), strict=True)) | {names[1]: w_hh}
        return self.bound(k, Arrays({name: array for name, array in arrays.items() if array is not None}))

    def allow_sparse(self) -> None:
        """From now on skip recurrent weights that are 0, as long as enough of them are 0 for this to be faster."""
        for weights in self.weights:
            weights.allow_sparse()

    def fast_path(self, batch_first: bool, grads: Sequence[WeightArrays]) -> Any:
        """Small calls and training steps with little overhead; None for others. `grads` is where gradients go."""
        return passes.fast_path(self.weights, self.D, len(self.cell.parts), batch_first, self.dtype, grads)

    # -- arguments ---------------------------------------------------------------------------------------------------

    def enter(self, x: Any, state: Any, rows: Any, batch_first: bool) -> tuple[Array, Layout, StateArrays, Rows]:
        """The arguments of a call, checked: x (T, N, I), its layout, the initial state, and its rows."""
        packed = isinstance(rows, Rows) and rows.packed is not None
        x, layout = as_sequence("x", x, self.I, self.dtype, batch_first, packed)
        T, N, _ = x.shape
        rows = as_rows(rows, T, N, layout)
        _, N = rows.sizes(x.shape)
        return x, layout, self.as_states("state", state, N, layout), rows

    def as_states(self, name: str, value: Any, N: int, layout: Layout) -> StateArrays:
        """A state, or the gradient of one, as a caller provides it."""
        return as_states(name, value, self.cell.parts, (self.L * self.D, N, self.H), layout.batched, self.dtype)

    def empty_state(self, N: int) -> tuple[Array, ...]:
        """Arrays for a state, not initialized."""
        shape = self.L * self.D, N, self.H
        return tuple([np.empty(shape, self.dtype) for _ in self.cell.parts])

    # -- inference ---------------------------------------------------------------------------------------------------

    def infer(self, x: Array, y: Array, state: StateArrays, final: StateArrays, rows: Rows) -> None:
        """Write y (T, N, D*H) and the final state."""
        self.infer_all(x, [None] * (self.L - 1) + [y], (state, final), rows)

    def infer_all(self, x: Array, ys: Sequence[Array | None], states: Ends, rows: Rows) -> None:
        """Write the outputs of each layer (None if not needed) and the final state."""
        initial, final = states
        whole = self.L == 1 or self.D == 2 or rows.packed is not None
        blocks = [slice(len(x))] if whole else [*time_blocks(x.shape[0], x.shape[1], self.H)]
        for block in reversed(blocks) if self.reverse else blocks:
            entries = self.entries((initial, final))
            order = (rows if whole else rows.inside(block)).order(len(x[block]))
            out = [None if y is None else y[block] for y in ys]
            layers.forward(entries, Course(order, self.reverse), x[block], out)
            initial = final

    def entries(self, states: Ends, own: Sequence[tuple[Any, StateUpdate]] | None = None) -> list[Entry]:
        """Each layer and direction of a pass.

        Parameters
        ----------
        states : tuple
            The initial and the final state.
        own : sequence of tuples, optional
            The Pack and the StateUpdate of each, in place of those of inference.
        """
        own = [(weights.pack(), self.update) for weights in self.weights] if own is None else own
        initial, final = states
        return [Entry(self.cell, *one, h_and_c(initial, k), h_and_c(final, k)) for k, one in enumerate(own)]


def time_blocks(T: int, N: int, features: int) -> Iterator[slice]:
    """Slices of time of some BLOCK_ELEMENTS each."""
    steps = max(BLOCK_STEPS, BLOCK_ELEMENTS // (N * features)) if N else max(T, 1)
    for t in range(0, max(T, 1), steps):
        yield slice(t, min(t + steps, T))
