# SPDX-License-Identifier: BSD-3-Clause
"""A random recurrent network that stays as it is, and the features that a readout sees of it."""

import numpy as np

from .. import functional
from ..layer import NamedArrays
from ..stack import BLOCK_ELEMENTS, BLOCK_STEPS
from ..stream import pair
from .sequences import clear
from .spectral import random_matrix


class Joined(NamedArrays):
    """Named arrays of several layers as one, under the names that they have there; no name is there twice."""

    def __init__(self, *parts):
        self._parts = parts

    def _find(self, name):
        """The part that has a name."""
        for part in self._parts:
            if name in part:
                return part
        raise self.unknown(name)

    def __getitem__(self, name):
        return self._find(name)[name]

    def peek(self, name):
        """One of them, for the layer that owns it."""
        return self._find(name).peek(name)

    def shapes(self):
        """The shape of each, by name."""
        return {name: shape for part in self._parts for name, shape in part.shapes().items()}

    def __iter__(self):
        return (name for part in self._parts for name in part)

    def __len__(self):
        return sum(map(len, self._parts))


class Reservoir:
    """Features (T, N, F) of sequences (T, N, I): the inputs, if they are asked for, then the states of each layer.

    Parameters
    ----------
    rnn : RNN
        In one direction. Its weights are the reservoir's.
    inputs : bool
        Whether the inputs are among the features.

    Attributes
    ----------
    features : int
        F, which is I + L*H or L*H.
    """

    def __init__(self, rnn, inputs):
        self.rnn, self.inputs = rnn, inputs
        self.first = rnn.input_size if inputs else 0  # where the states begin
        self.features = self.first + rnn.num_layers * rnn.hidden_size

    def draw(self, rng, spectral_radius, density, input_scaling, bias_scaling):
        """Random weights, as `EchoState` describes them."""
        rnn, H = self.rnn, self.rnn.hidden_size
        for layer in range(rnn.num_layers):
            w_ih, w_hh, b_ih, b_hh = rnn._names(layer, 0)
            bound = input_scaling / (1 if layer == 0 else H**0.5)
            rnn.params[w_ih][...] = rng.uniform(-bound, bound, rnn.params[w_ih].shape)
            rnn.params[w_hh][...] = random_matrix(rng, H, density, spectral_radius)
            if rnn.bias:
                rnn.params[b_ih][...] = rng.uniform(-bias_scaling, bias_scaling, H)
                rnn.params[b_hh].fill(0)

    def states(self, features, layer):
        """The states of one layer among the features, (T, N, H)."""
        start = self.first + layer * self.rnn.hidden_size
        return features[..., start : start + self.rnn.hidden_size]

    def _drive(self, x, features, state, final, lengths, **how):
        """Write features; they are 0 beyond a row's length. `how` are options of `functional.forward`."""
        T, N, I = x.shape
        if self.inputs:
            features[..., :I] = x
            clear(features[..., :I], lengths)
        order, saved = functional.order_of(lengths, T), []
        for layer in range(self.rnn.num_layers):
            h, passes = self.states(features, layer), [(self.rnn._weights[layer][0].pack(), self.rnn._state_update)]
            saved += self.rnn._layer(functional.forward, layer, x, h, state, final, passes, order=order, **how)
            x = h
        return saved

    def blocks(self, x, state, lengths, final):
        """Run through x in blocks of time, so that memory does not grow with T.

        Parameters
        ----------
        x, state, lengths
            As `Stack._enter` returns them.
        final : tuple
            The state after each block. Written.

        Yields
        ------
        block : slice
            The time steps.
        features : ndarray, shape (T', N, F)
        """
        T, N, _ = x.shape
        steps = max(BLOCK_STEPS, BLOCK_ELEMENTS // (N * self.features)) if N else max(T, 1)
        for t in range(0, max(T, 1), steps):
            block = slice(t, min(t + steps, T))
            features = np.empty((block.stop - t, N, self.features), self.rnn.dtype)
            left = None if lengths is None else np.clip(lengths - t, 0, len(features))
            self._drive(x[block], features, state, final, left)
            state = final
            yield block, features

    def forward(self, x, state, lengths):
        """All features at once, the final state, and what `backward` needs."""
        T, N, _ = x.shape
        final, features = self.rnn._empty_state(N), np.empty((T, N, self.features), self.rnn.dtype)
        return features, final, self._drive(x, features, state, final, lengths, keep=True)

    def backward(self, saved, dfeatures, dfinal, dx):
        """Add the gradient with respect to x into dx (T, N, I), return that of the initial state; uses dfeatures up."""
        rnn, N = self.rnn, dx.shape[1]
        dinitial = rnn._empty_state(N)
        if self.inputs:
            dx += dfeatures[..., : rnn.input_size]
        for layer in reversed(range(rnn.num_layers)):
            below = dx if layer == 0 else self.states(dfeatures, layer - 1)
            unused = tuple(map(rnn.grads.own().get, rnn._names(layer, 0)))
            functional.backward(
                rnn.cell, saved[layer], self.states(dfeatures, layer), pair(dfinal, layer), below,
                pair(dinitial, layer), unused,
            )  # fmt: skip
        rnn.zero_grad()  # the reservoir does not learn
        return dinitial

    def stream(self, state):
        """Features one step at a time, from a state (L, N, H) on."""
        return FeatureStream(self, state)


class FeatureStream:
    """A reservoir that reads one step per call, with the bits of whole sequences, and allocates nothing.

    Attributes
    ----------
    features : ndarray, shape (N, F)
        Those of the last step.
    """

    def __init__(self, reservoir, state):
        rnn, (L, N, H) = reservoir.rnn, state.shape
        self._stream, self._top = rnn.stream(N), np.empty((N, H), rnn.dtype)
        self._stream.state = state
        self.features = np.empty((N, reservoir.features), rnn.dtype)
        self._inputs = self.features[:, : reservoir.first]
        self._states = self.features[:, reservoir.first :].reshape(N, L, H).swapaxes(0, 1)  # a view

    @property
    def state(self):
        return self._stream.state

    def step(self, x):
        """Read x (N, I)."""
        self._stream.step(x, self._top)
        if self._inputs.size:
            self._inputs[...] = x
        self._states[...] = self._stream._state[0]
