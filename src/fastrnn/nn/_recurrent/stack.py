# SPDX-License-Identifier: BSD-3-Clause
"""Layers and directions on checked arrays: what RNN, LSTM, GRU and EchoState run.

Sequences are time-major views (T, N, features) and states tuples of arrays (L*D, N, H), h or h and c; row k = l*D + d
of a state belongs to layer l and direction d.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..._engine import passes
from ..._engine.arguments import Array
from ..._engine.cells import Cell
from ..._engine.layout import Layout, StateArrays, as_sequence, as_states, h_and_c
from ..._engine.passes import PLAIN, Arrays, Recurrence, StateUpdate
from ..._engine.ragged import Order, as_lengths, order_of

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
        """The same, with another w_hh."""
        names = self._names[k]
        arrays = dict(zip(names, self.arrays(k), strict=True)) | {names[1]: w_hh}
        return self.bound(k, Arrays({name: array for name, array in arrays.items() if array is not None}))

    def fast_path(self, batch_first: bool) -> Any:
        """Inference for small calls in one step; it returns None for others."""
        return passes.inference(self.weights, self.D, len(self.cell.parts), batch_first, self.dtype)

    # -- arguments ---------------------------------------------------------------------------------------------------

    def enter(
        self, x: Any, state: Any, lengths: Any, batch_first: bool
    ) -> tuple[Array, Layout, StateArrays, Array | None]:
        """The arguments of a call, checked: x (T, N, I), its layout, the initial state, and lengths or None."""
        x, layout = as_sequence("x", x, self.I, self.dtype, batch_first)
        T, N, _ = x.shape
        states = self.as_states("state", state, N, layout)
        return x, layout, states, None if lengths is None else as_lengths(lengths, T, N)

    def as_states(self, name: str, value: Any, N: int, layout: Layout) -> StateArrays:
        """A state, or the gradient of one, as a caller provides it."""
        return as_states(name, value, self.cell.parts, (self.L * self.D, N, self.H), layout.batched, self.dtype)

    def empty_state(self, N: int) -> tuple[Array, ...]:
        """Arrays for a state, not initialized."""
        shape = self.L * self.D, N, self.H
        return tuple([np.empty(shape, self.dtype) for _ in self.cell.parts])

    # -- inference ---------------------------------------------------------------------------------------------------

    def infer(self, x: Array, y: Array, state: StateArrays, final: StateArrays, lengths: Array | None) -> None:
        """Write y (T, N, D*H) and the final state."""
        if self.L == 1 or self.D == 2:
            self._infer(x, y, state, final, order_of(lengths, len(x)))
            return
        for block, order in time_blocks(x.shape[0], x.shape[1], self.H, lengths):
            self._infer(x[block], y[block], state, final, order)
            state = final

    def _infer(self, x: Array, y: Array, state: StateArrays, final: StateArrays, order: Order | None) -> None:
        """All layers; between them are at most two arrays of y's shape."""
        between = [np.empty(y.shape, self.dtype) for _ in range(min(self.L - 1, 2))]
        for layer in range(self.L):
            out = y if layer == self.L - 1 else between[layer % 2]
            self.run(layer, x, out, (state, final), order)
            x = out

    def run(
        self,
        layer: int,
        x: Array,
        y: Array,
        states: Ends,
        order: Order | None,
        forward: Callable[..., Any] = passes.forward,
        own: Sequence[tuple[Any, StateUpdate, Any]] | None = None,
    ) -> list[Any]:
        """One layer, all directions; y (T, N, D*H) and the final state are written.

        Parameters
        ----------
        layer : int
        x, y : ndarray
        states : tuple
            The initial and the final state.
        order : Order or None
        forward : callable
            A function like `passes.forward`.
        own : sequence of tuples, optional
            The Pack and the StateUpdate of each direction, in place of those of inference, and the mask of its w_hh.

        Returns
        -------
        list
            What `forward` returned for each direction.
        """
        saved = []
        for d in range(self.D):
            k = layer * self.D + d
            pack, update, _ = own[d] if own else (self.weights[k].pack(), self.update, None)
            ends = h_and_c(states[0], k), h_and_c(states[1], k)
            saved.append(forward(self.cell, pack, Recurrence(order, update, d == 1), x, self.half(y, d), *ends))
        return saved

    def half(self, y: Array, d: int) -> Array:
        """The outputs of one direction, (T, N, H), among those of all."""
        return y if self.D == 1 else y[..., d * self.H : (d + 1) * self.H]


def time_blocks(T: int, N: int, features: int, lengths: Array | None) -> Iterator[tuple[slice, Order | None]]:
    """Slices of time of some BLOCK_ELEMENTS each, and the order of the rows in each."""
    steps = max(BLOCK_STEPS, BLOCK_ELEMENTS // (N * features)) if N else max(T, 1)
    for t in range(0, max(T, 1), steps):
        block = slice(t, min(t + steps, T))
        left = None if lengths is None else np.clip(lengths - t, 0, block.stop - t)
        yield block, order_of(left, block.stop - t)
