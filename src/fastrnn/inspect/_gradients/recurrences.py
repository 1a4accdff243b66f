# SPDX-License-Identifier: BSD-3-Clause
"""One layer and one direction of a recurrent network, run step by step: a `Recurrence`.

Jacobians, Lyapunov exponents and memory are defined for a recurrence: a state that goes from step to step while the
inputs are held fixed. The state of an LSTM is h and c together. The second direction of a layer is a recurrence of its
own, which runs from the end of each row to its beginning. So is every layer of a stack. That is enough: the Jacobian of
all layers together is block-triangular, so its exponents are those of the recurrences.
"""

import numpy as np

from ..._engine.arguments import Array
from ..._engine.layout import StateArrays, as_state, state_arrays
from ..._engine.ragged import length_mask
from ...nn._recurrent.recurrent import RecurrentBase

BLOCK_ROWS = 4096  # gradients that go back one step together: some tens of megabytes

Arrays = tuple[Array, ...]  # of a state: h, or h and c


def reverse_rows(array: Array, lengths: Array) -> Array:
    """Each row of an array (T, N, ...) reversed up to its own length; what lies beyond stays where it is."""
    T = len(array)
    steps = np.arange(T)[:, None]
    source = np.where(length_mask(lengths, T), lengths - 1 - steps, steps)
    return array[source, np.arange(array.shape[1])]


class Recurrence:
    """One layer and direction, run over x.

    Its name is that of its parameters: ``"1.l0_reverse"`` has ``"1.weight_hh_l0_reverse"``. `layer` is a copy of one
    layer and direction, `initial` the initial h and c, None for zeros, and `batched` says whether the x of the caller
    has the axis N.

    Attributes
    ----------
    x : ndarray, shape (T, N, I)
        Like all arrays below in running order: a reverse recurrence begins with the last step of a row.
    states : tuple of ndarray, each (T + 1, N, H)
        h, or h and c, from the initial state on. A row that has ended keeps its last state.
    gradients : tuple of ndarray, each (T, N, H)
        Of a loss with respect to the state after each step, written by `backward`; 0 beyond the length of a row.
    """

    def __init__(
        self, name: str, layer: RecurrentBase, x: Array, initial: StateArrays, lengths: Array, reverse: bool,
        batched: bool,
    ) -> None:  # fmt: skip
        self.name, self.layer, self.lengths, self.reverse, self.batched = name, layer, lengths, reverse, batched
        self.x = reverse_rows(x, lengths) if reverse else x
        T, N, _ = x.shape
        self.states = tuple(np.zeros((T + 1, N, layer.hidden_size), layer.dtype) for _ in layer.cell.parts)
        self.gradients: Arrays = ()
        for array, first in zip(self.states, initial, strict=False):
            array[0] = 0 if first is None else first
        for t in range(T):
            _, after = layer(self.x[t : t + 1], as_state(array[t : t + 1] for array in self.states), self._running(t))
            for array, value in zip(self.states, state_arrays(after), strict=True):
                array[t + 1] = value[0]

    @property
    def size(self) -> int:
        """n, how many numbers a state has: H, or 2 H for an LSTM."""
        return len(self.states) * self.layer.hidden_size

    def _running(self, t: int, copies: int = 1) -> Array | None:
        """The lengths, 0 or 1, of the rows at step t; None where all of them run."""
        running = t < self.lengths
        return None if running.all() else np.repeat(running, copies).astype(np.intp)

    def in_input_order(self, array: Array) -> Array:
        """An array (T, N, ...) from running order to the order of x; 0 beyond the length of a row."""
        array = reverse_rows(array, self.lengths) if self.reverse else array.copy()
        array[~length_mask(self.lengths, len(array))] = 0
        return array

    def outputs(self) -> Array:
        """y, (T, N, H), in the order of x."""
        return self.in_input_order(self.states[0][1:])

    def result(self, array: Array, axis: int) -> Array:
        """A result with the axis N, or without it where the x of the caller has none."""
        return array if self.batched else array.take(0, axis)

    def check_finite(self) -> None:
        """Raise FloatingPointError if a state is not finite, since nothing after it means anything."""
        finite = np.isfinite(self.states).all(axis=(0, 2, 3))  # (T + 1,)
        if not finite.all():
            step = int(np.argmin(finite)) - 1
            raise FloatingPointError(
                f"{self.name}: expected finite states, got nan or inf "
                + (f"after step {step} in running order" if step >= 0 else "in the initial state")
            )

    def pull_back(self, t: int, vectors: Array) -> Array:
        """v J_t for vectors v (N, k, n), where J_t is the Jacobian of step t; v itself in a row that has ended."""
        N, k, n = vectors.shape
        H, dtype, products = self.layer.hidden_size, self.layer.dtype, np.empty(vectors.shape)
        size = max(1, BLOCK_ROWS // N)
        for block in (slice(start, start + size) for start in range(0, k, size)):
            rows = vectors[:, block].astype(dtype).reshape(-1, n)
            dstate = tuple(np.ascontiguousarray(rows[:, start : start + H]) for start in range(0, n, H))
            products[:, block] = np.concatenate(self.step_back(t, dstate)[0], axis=-1).reshape(N, -1, n)
        return products

    def step_back(self, t: int, dstate: Arrays) -> tuple[Arrays, Array]:
        """The gradients of the state before step t, each (R, H), and of x[t], given those of the state after step t.

        R is a multiple of N: several gradients of row 0, as many of row 1 and so on. In a row that has ended by step t
        they stay as they are.
        """
        copies = len(dstate[0]) // len(self.lengths)
        state = as_state(np.repeat(array[t], copies, axis=0)[None] for array in self.states)
        x = np.repeat(self.x[t], copies, axis=0)[None]
        *_, tape = self.layer.forward(x, state, self._running(t, copies))
        dx, before = self.layer.backward(tape, None, as_state(array[None] for array in dstate))
        return tuple(array[0] for array in state_arrays(before)), dx[0]

    def backward(self, dy: Array, dfinal: StateArrays) -> tuple[Array, Arrays]:
        """dx (T, N, I) and the gradients of the initial state, given dy (T, N, H) and those of the final state, (N, H).

        dy and dx are in the order of x. The gradients of all states are kept in `gradients`.
        """
        T, N, I = self.x.shape
        mask = length_mask(self.lengths, T)[..., None]
        dy = np.where(mask, reverse_rows(dy, self.lengths) if self.reverse else dy, 0)
        dx = np.zeros((T, N, I), self.layer.dtype)
        self.gradients = tuple(np.zeros_like(array[1:]) for array in self.states)
        dstate: Arrays = tuple(
            np.zeros_like(array[0]) if last is None else last for array, last in zip(self.states, dfinal, strict=False)
        )
        for t in reversed(range(T)):
            dstate = (dstate[0] + dy[t], *dstate[1:])
            for array, gradient in zip(self.gradients, dstate, strict=True):
                array[t] = gradient * mask[t]
            dstate, dx[t] = self.step_back(t, dstate)
        return self.in_input_order(dx), dstate
