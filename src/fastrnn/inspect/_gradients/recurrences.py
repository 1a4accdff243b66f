# SPDX-License-Identifier: BSD-3-Clause
"""A strand is one layer and one direction, run one step at a time.

It is what the words "Jacobian", "exponent" and "memory" are about: a state that goes from step to step, driven by
inputs that are held as they are. The state of an LSTM is (h, c), both together. A second direction is a strand of its
own that runs from each row's end to its beginning. The layers of a stack are strands too, and no more is needed: the
Jacobian of all layers together is block-triangular, so its exponents are those of the strands.
"""

import numpy as np

BLOCK_ROWS = 4096  # gradients that go back one step together: some tens of megabytes


def flipped(array, lengths):
    """Each row (T, N, ...) from its own end to its beginning; what is beyond stays where it is."""
    T = len(array)
    steps = np.arange(T)[:, None]
    source = np.where(steps < lengths, lengths - 1 - steps, steps)
    return array[source, np.arange(array.shape[1])]


def within(T, lengths):
    """Which of the positions (T, N) belong to a row."""
    return np.arange(T)[:, None] < lengths


class Strand:
    """One layer and direction, run over x.

    Attributes
    ----------
    name : str
        As its parameters are called: ``"1.weight_hh_l0_reverse"`` is of ``"1.l0_reverse"``.
    layer : Stack
        Of one layer and one direction, a copy.
    reverse : bool
    batched : bool
        Whether the caller's x has the axis N.
    lengths : ndarray, shape (N,)
    x : ndarray, shape (T, N, I)
        Like all that follows in the order of running: a reverse strand begins with a row's last step.
    states : tuple of ndarray, each (T + 1, N, H)
        h, or h and c; the first is the initial state, and a row that has ended keeps its last.
    gradients : tuple of ndarray, each (T, N, H)
        Of a loss with respect to the states after each step, written by `back_through`; 0 beyond a row's length.
    """

    def __init__(self, name, layer, x, start, lengths, reverse, batched):
        self.name, self.layer, self.lengths, self.reverse, self.batched = name, layer, lengths, reverse, batched
        self.x = flipped(x, lengths) if reverse else x
        T, N, _ = x.shape
        self.states = tuple(np.zeros((T + 1, N, layer.hidden_size), layer.dtype) for _ in layer.cell.parts)
        self.gradients = None
        for array, first in zip(self.states, start, strict=True):
            array[0] = 0 if first is None else first
        for t in range(T):
            state = tuple(array[t : t + 1] for array in self.states)
            _, after = layer(self.x[t : t + 1], as_state(state), self._running(t))
            for array, value in zip(self.states, as_parts(after), strict=True):
                array[t + 1] = value[0]

    @property
    def size(self):
        """n: the numbers in a state, H or for an LSTM 2 H."""
        return len(self.states) * self.layer.hidden_size

    def _running(self, t, copies=1):
        """The lengths (0 or 1) of the rows at step t, or None where all of them run."""
        runs = t < self.lengths
        return None if runs.all() else np.repeat(runs, copies).astype(np.intp)

    def in_time(self, array):
        """An array (T, N, ...) in the order of running, in the order of the steps of x; 0 beyond a row's length."""
        array = flipped(array, self.lengths) if self.reverse else array.copy()
        array[~within(len(array), self.lengths)] = 0
        return array

    def outputs(self):
        """y, (T, N, H), in the order of x."""
        return self.in_time(self.states[0][1:])

    def answer(self, array, axis):
        """A result with the axis N, as the caller has it: without, where x has none."""
        return array if self.batched else array.take(0, axis)

    def check_finite(self):
        """Raise FloatingPointError where a state is not finite: nothing can be said about what comes after."""
        finite = np.logical_and.reduce([np.isfinite(array).all(axis=-1) for array in self.states])
        if not finite.all():
            step = int(np.argmin(finite.all(axis=1))) - 1
            raise FloatingPointError(
                f"{self.name}: expected finite states, got nan or inf "
                + (f"after step {step} in the order of running" if step >= 0 else "in the initial state")
            )

    def pull_back(self, t, vectors):
        """v J_t for several vectors v (N, k, n), J_t the Jacobian of step t; v itself in a row that has ended."""
        N, k, n = vectors.shape
        H, dtype, out = self.layer.hidden_size, self.layer.dtype, np.empty(vectors.shape)
        block = max(1, BLOCK_ROWS // N)
        for some in (slice(start, start + block) for start in range(0, k, block)):
            rows = vectors[:, some].astype(dtype).reshape(-1, n)
            parts = tuple(np.ascontiguousarray(rows[:, start : start + H]) for start in range(0, n, H))
            out[:, some] = np.concatenate(self.back(t, parts)[0], axis=-1).reshape(N, -1, n)
        return out

    def back(self, t, dstate):
        """Gradients one step back. In a row that has ended by step t they stay as they are.

        Parameters
        ----------
        t : int
        dstate : tuple of ndarray, each (R, H)
            With respect to the state after step t, R a multiple of N: several gradients of row 0, as many of row 1 ...

        Returns
        -------
        dstate : tuple of ndarray, each (R, H)
            With respect to the state before step t.
        dx : ndarray, shape (R, I)
        """
        copies = len(dstate[0]) // len(self.lengths)
        state = tuple(np.repeat(array[t], copies, axis=0)[None] for array in self.states)
        x = np.repeat(self.x[t], copies, axis=0)[None]
        y, _, tape = self.layer.forward(x, as_state(state), self._running(t, copies))
        dx, before = self.layer.backward(tape, np.zeros_like(y), as_state(tuple(part[None] for part in dstate)))
        return tuple(part[0] for part in as_parts(before)), dx[0]

    def back_through(self, dy, dfinal):
        """Back-propagate through all steps, and keep the gradients of the states.

        Parameters
        ----------
        dy : ndarray, shape (T, N, H)
            In the order of x.
        dfinal : tuple of (ndarray or None), each (N, H)

        Returns
        -------
        dx : ndarray, shape (T, N, I)
            In the order of x.
        dstate : tuple of ndarray, each (N, H)
        """
        T, N, I = self.x.shape
        own = within(T, self.lengths)
        dy = np.where(own[..., None], flipped(dy, self.lengths) if self.reverse else dy, 0)
        dx = np.zeros((T, N, I), self.layer.dtype)
        self.gradients = tuple(np.zeros_like(array[1:]) for array in self.states)
        dstate = tuple(
            np.zeros_like(array[0]) if given is None else given
            for array, given in zip(self.states, dfinal, strict=True)
        )
        for t in reversed(range(T)):
            dstate = (dstate[0] + dy[t], *dstate[1:])
            for array, part in zip(self.gradients, dstate, strict=True):
                array[t] = part * own[t][:, None]
            dstate, dx[t] = self.back(t, dstate)
        return self.in_time(dx), dstate


def as_parts(state):
    """A state as a tuple."""
    return state if isinstance(state, tuple) else (state,)


def as_state(parts):
    """A state as the layers have it."""
    return parts if len(parts) > 1 else parts[0]
