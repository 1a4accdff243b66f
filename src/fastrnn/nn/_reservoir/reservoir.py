# SPDX-License-Identifier: BSD-3-Clause
"""A random recurrent network that stays fixed, and the features that a readout sees of it."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..._engine import layers
from ..._engine.arguments import Array, Generator
from ..._engine.layers import Course, Downstream, Upstream
from ..._engine.layout import StateArrays, h_and_c
from ..._engine.ragged import Rows
from .._recurrent.rnn import RNN
from .._recurrent.stack import Stack, time_blocks
from .sequences import clear
from .spectral import random_matrix


class Reservoir:
    """Features (T, N, F) of sequences (T, N, I): the inputs, if requested, then the states of each layer.

    Parameters
    ----------
    rnn : RNN
        Of one direction. Its weights are the reservoir's.
    inputs : bool
        Whether the inputs are among the features.

    Attributes
    ----------
    features : int
        F, which is I + L*H or L*H.
    """

    def __init__(self, rnn: RNN, inputs: bool) -> None:
        self.rnn: RNN = rnn
        self.stack: Stack = rnn.stack
        self.stack.allow_sparse()
        self.inputs: bool = inputs
        self.first: int = rnn.input_size if inputs else 0  # where the states begin
        self.features: int = self.first + rnn.num_layers * rnn.hidden_size

    def draw(
        self,
        rng: Generator,
        spectral_radius: float,
        density: float,
        input_scaling: float,
        bias_scaling: float,
    ) -> None:
        """Random weights, as `EchoState` describes them."""
        H = self.rnn.hidden_size
        for layer in range(self.stack.L):
            w_ih, w_hh, b_ih, b_hh = self.stack.arrays(layer)
            bound = input_scaling / (1 if layer == 0 else H**0.5)
            w_ih[...] = rng.uniform(-bound, bound, w_ih.shape)  # type: ignore[index,union-attr]
            w_hh[...] = random_matrix(rng, H, density, spectral_radius)  # type: ignore[index]
            if b_ih is not None and b_hh is not None:
                b_ih[...] = rng.uniform(-bias_scaling, bias_scaling, H)
                b_hh.fill(0)

    def states(self, features: Array, layer: int) -> Array:
        """The states of one layer among the features, (T, N, H)."""
        start = self.first + layer * self.rnn.hidden_size
        return features[..., start : start + self.rnn.hidden_size]

    def _drive(
        self,
        x: Array,
        features: Array,
        states: tuple[StateArrays, StateArrays],
        rows: Rows,
        keep: bool = False,
    ) -> layers.Pass | None:
        """Write features, which are 0 beyond a row's length, and the final state."""
        if self.inputs:
            features[..., : x.shape[-1]] = x
            clear(features[..., : x.shape[-1]], rows.lengths)
        hs = [self.states(features, layer) for layer in range(self.stack.L)]
        return layers.forward(self.stack.entries(states), Course(rows.order(len(x))), x, hs, keep)

    def blocks(self, x: Array, state: StateArrays, rows: Rows, final: StateArrays) -> Iterator[tuple[slice, Array]]:
        """Run through x in blocks of time, so that memory does not grow with T.

        Parameters
        ----------
        x, state, rows
            As `Stack.enter` returns them.
        final : tuple
            The state after each block. Written.

        Yields
        ------
        block : slice
            The time steps.
        features : ndarray, shape (T', N, F)
        """
        T, N, _ = x.shape
        for block in time_blocks(T, N, self.features):
            features = np.empty((block.stop - block.start, N, self.features), self.rnn.dtype)
            self._drive(x[block], features, (state, final), rows.inside(block))
            state = final
            yield block, features

    def write(
        self, readout: Callable[[Array], Array], x: Array, start: tuple[StateArrays, Rows], y: Array
    ) -> StateArrays:
        """Write the readout of each step into y (T, N, O), return the final state. `start`: a state and the rows."""
        state, rows = start
        final = self.stack.empty_state(x.shape[1])
        for block, features in self.blocks(x, state, rows, final):
            y[block] = readout(features)
        clear(y, rows.lengths)
        return final

    def forward(self, x: Array, state: StateArrays, rows: Rows) -> tuple[Array, StateArrays, Any]:
        """All features at once, the final state, and what `backward` needs."""
        T, N, _ = x.shape
        final, features = self.stack.empty_state(N), np.empty((T, N, self.features), self.rnn.dtype)
        return features, final, self._drive(x, features, (state, final), rows, keep=True)

    def backward(self, kept: layers.Pass, dfeatures: Array, dfinal: StateArrays, dx: Array) -> StateArrays:
        """Add the gradient of x into dx (T, N, I) and return that of the initial state."""
        dinitial = self.stack.empty_state(dx.shape[1])
        if self.inputs:
            dx += dfeatures[..., : self.rnn.input_size]
        L = range(self.stack.L)
        upstream = Upstream([self.states(dfeatures, layer) for layer in L], [h_and_c(dfinal, layer) for layer in L])
        downstream = Downstream(dx, [h_and_c(dinitial, layer) for layer in L], [(None,) * 4 for _ in L])
        layers.release(kept.entries, layers.backward(kept, upstream, downstream))
        return dinitial

    def stream(self, state: Array) -> "FeatureStream":
        """Features one step at a time, starting from a state (L, N, H)."""
        return FeatureStream(self, state)


class FeatureStream:
    """A reservoir that reads one step per call, with the bits of whole sequences, and allocates nothing.

    Attributes
    ----------
    features : ndarray, shape (N, F)
        Those of the last step.
    """

    def __init__(self, reservoir: Reservoir, state: Array) -> None:
        rnn, (L, N, H) = reservoir.rnn, state.shape
        self._stream, self._top = rnn.stream(N), np.empty((N, H), rnn.dtype)
        self._stream.state = state
        self.features: Array = np.empty((N, reservoir.features), rnn.dtype)
        self._inputs = self.features[:, : reservoir.first]
        self._states = self.features[:, reservoir.first :].reshape(N, L, H).swapaxes(0, 1)  # a view

    @property
    def state(self) -> Array:
        """A copy of the current state, (L, N, H)."""
        return self._stream.state.copy()

    def step(self, x: Array) -> None:
        """Read x (N, I)."""
        self._stream.step(x, self._top)
        if self._inputs.size:
            self._inputs[...] = x
        self._states[...] = self._stream._state[0]
