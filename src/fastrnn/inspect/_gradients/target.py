# SPDX-License-Identifier: BSD-3-Clause
"""A model and a sequence, ready to be asked how outputs hang on inputs: many rows at a time, in blocks."""

import numpy as np

from ..._engine import arguments
from ..._engine.layout import Layout
from ..._engine.ragged import as_lengths
from ...nn._dropout import Dropout
from ...nn._embedding import Embedding
from ...nn._layer import leaves
from ...nn._sequential import Sequential
from .probes import check_model, check_x

BLOCK_BYTES = 1 << 26  # of what a pass over one block of rows keeps


class Subject:
    """See there for the arguments: `influence.influence`.

    Attributes
    ----------
    x : ndarray, shape (T, N, I)
        What the model reads; tokens as the vectors of its embedding.
    y : ndarray, shape (S, N, F)
        What it says to that; S is 1 behind pooling, where y has no steps.
    lengths, y_lengths : ndarray, shape (N,)
    """

    def __init__(self, model, x, lengths, state):
        check_model(model)
        self.model = model.inference_copy()
        check_x(model, x, lengths)
        y, _ = self.model(x, state, lengths)  # what is wrong with the arguments is said here, in the caller's shapes
        self.embedding, self.model = reading_vectors(self.model)
        if self.embedding is not None:
            x = self.embedding(x)
        x = arguments.as_floats("x", x, self.model.dtype)
        if y.ndim > x.ndim:
            raise ValueError(
                f"x: expected sequences, got vectors {x.shape} of which the model makes sequences {y.shape}"
            )
        self.batch_first = bool(self.model.batch_first)
        self.layout = Layout(x.ndim != 2, self.batch_first)
        self.x = self.layout.time_major(x)
        self.state = state if self.layout.batched else _rows(state, np.s_[:, None])
        T, N, _ = self.x.shape
        self.lengths = np.full(N, T) if lengths is None else as_lengths(lengths, T, N)
        after = self.model.lengths_after(self.lengths)
        self.has_steps = y.ndim == x.ndim
        self.y = self.layout.time_major(y) if self.has_steps else y.reshape(1, N, -1)
        self.y_lengths = np.full(N, len(self.y)) if after is None else after

    # -- what is asked ---------------------------------------------------------------------------------------------

    def steps(self, at):
        """The steps of y that `at` means, (N, K): one row of them for each row of the batch; -1 where there is none."""
        S = len(self.y)
        if at is None:
            steps = np.arange(S)
        elif not self.has_steps:
            raise ValueError(f"at: expected None, as y has no steps, got {at!r}")
        else:
            steps = np.atleast_1d(arguments.as_integers("at", at))
            if steps.ndim != 1 or (wrong := (steps < -S) | (steps >= S)).any():
                got = f"shape {steps.shape}" if steps.ndim != 1 else steps[wrong][0]
                raise ValueError(f"at: expected a step of y, or several, each in {-S}..{S - 1}, got {got}")
        steps = np.where(steps < 0, steps + self.y_lengths[:, None], steps)
        return np.where((steps >= 0) & (steps < self.y_lengths[:, None]), steps, -1)

    def units(self, output):
        """The feature of y that `output` means at each step and row, (S, N)."""
        S, N, F = self.y.shape
        units = arguments.as_integers("output", output)
        shape = self.layout.shape(S, N, 1)[:-1] if self.has_steps else ((N,) if self.layout.batched else ())
        if units.shape not in ((), shape):
            raise ValueError(f"output: expected an integer, or integers of shape {shape}, got shape {units.shape}")
        if ((units < 0) | (units >= F)).any():
            raise ValueError(f"output: expected features of y in 0..{F - 1}, got {units.min()}..{units.max()}")
        if units.ndim == 0:
            return np.broadcast_to(units, (S, N))
        if not self.has_steps:
            return units.reshape(1, N)
        return self.layout.time_major(units[..., None])[..., 0]

    def baseline(self, baseline):
        """What stands for "nothing", as x."""
        if baseline is None:
            return np.zeros_like(self.x)
        shape = self.layout.shape(*self.x.shape)
        if self.embedding is not None:
            baseline = arguments.as_integers("baseline", baseline)
            if not _fits(baseline.shape, shape[:-1]):
                raise ValueError(f"baseline: expected a token, or tokens {shape[:-1]}, got shape {baseline.shape}")
            baseline = self.embedding(baseline)
        else:
            baseline = arguments.as_floats("baseline", baseline, self.x.dtype)
            if not _fits(baseline.shape, shape):
                raise ValueError(f"baseline: expected what broadcasts to x, {shape}, got shape {baseline.shape}")
        return self.layout.time_major(np.broadcast_to(baseline, shape))

    def answer(self, array, at):
        """A result (N, K, ...) without the axes that were not asked for."""
        if not self.has_steps or np.ndim(at) == 0 and at is not None:
            array = array[:, 0]
        return array if self.layout.batched else array[0]

    # -- the passes over many rows -----------------------------------------------------------------------------------

    def run(self, x, rows):
        """y (S, R, F) of x (T, R, I), with the states and lengths of the given rows of the batch."""
        return self._out(self.model(self._in(x), _rows(self.state, np.s_[:, rows]), self.lengths[rows])[0])

    def gradients(self, x, rows, steps, units):
        """The gradients, with respect to x (T, R, I), of one number each: feature units[r] of its y at steps[r]."""
        y, _, tape = self.model.forward(self._in(x), _rows(self.state, np.s_[:, rows]), self.lengths[rows])
        dy = np.zeros(y.shape, y.dtype)
        self._out(dy)[steps, np.arange(len(steps)), units] = 1
        dx, _ = self.model.backward(tape, dy)
        return dx.swapaxes(0, 1) if self.batch_first else dx

    def blocks(self, rows):
        """Slices of so many rows, each a block that fits into memory."""
        one = self._in(self.x[:, :1])
        y, _, tape = self.model.forward(one)
        step = max(1, BLOCK_BYTES // (tape.nbytes + 2 * (one.nbytes + y.nbytes)))
        return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]

    def _in(self, x):
        return x.swapaxes(0, 1) if self.batch_first else x

    def _out(self, y):
        if not self.has_steps:
            return y[None]
        return y.swapaxes(0, 1) if self.batch_first else y


def _rows(state, which):
    """Every array of a state, [which]."""
    if isinstance(state, tuple | list):
        return tuple(_rows(part, which) for part in state)
    return None if state is None else arguments.as_array("state", state)[which]


def reading_vectors(model):
    """The embedding with which a model begins, or None, and the model with vectors in the place of its tokens."""
    embedding = leaves(model)[0]
    if not isinstance(embedding, Embedding):
        return None, model

    def rest(layer):
        if isinstance(layer, Sequential):
            return Sequential(rest(layer.layers[0]), *layer.layers[1:])
        return Dropout(0.0, dtype=layer.dtype)  # which passes on what it gets

    return embedding, rest(model)


def _fits(shape, wanted):
    """Whether an array of `shape` broadcasts to `wanted`."""
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False
