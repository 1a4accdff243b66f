# SPDX-License-Identifier: BSD-3-Clause
"""A cell as a user writes it, with the equations of the NumPy reference, and recurrent layers around it."""

import numpy as np

import fastrnn as fr
from fastrnn import nn, reference
from fastrnn.nn._recurrent import parameters

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class ReferenceCell(nn.Cell):
    """A cell of `reference.CELLS`. It keeps the weights of each step, since they may change before the way back."""

    kind: nn.Choice = nn.Choice("Its name.", tuple(reference.CELLS), default="gru")
    _: nn.KW_ONLY
    seed: nn.Seed = nn.Seed(default=None)

    def _setup(self, seed):
        rows = reference.CELLS[self.kind].gates * self.hidden_size
        bound, own = (
            self.hidden_size**-0.5,
            {"weight_ih": (rows, self.input_size), "weight_hh": (rows, self.hidden_size)},
        )
        shapes = own | {"bias_ih": (rows,), "bias_hh": (rows,)}
        self.add_parameters(**{name: seed.uniform(-bound, bound, shape) for name, shape in shapes.items()})

    @property
    def state_shapes(self):
        return ((self.hidden_size,),) * (1 + reference.CELLS[self.kind].has_c)

    def step(self, x, state):
        w_ih, w_hh, b_ih, b_hh = weights = [self.params[name].copy() for name in NAMES]
        h, c = state if len(self.state_shapes) == 2 else (state, None)
        one = self.dtype.type(1)
        h, c, saved = reference.CELLS[self.kind].forward(x @ w_ih.T + b_ih, h, c, w_hh, b_hh, one)
        return h, h if c is None else (h, c), (x, weights, saved)

    def step_backward(self, saved, dy, dstate):
        x, (w_ih, w_hh, *_), inner = saved
        dh, dc = dstate if len(self.state_shapes) == 2 else (dstate, None)
        backward = reference.CELLS[self.kind].backward
        da_x, dh, dc, dw_hh, db_hh = backward(inner, dh + dy, dc, w_hh, lambda array: array)
        for name, gradient in zip(NAMES, (da_x.T @ x, dw_hh, da_x.sum(axis=0), db_hh), strict=True):
            self.grads[name] += gradient
        return da_x @ w_ih, dh if dc is None else (dh, dc)


def recurrent(dtype=np.float32, seed=0, *, cell="lstm", batch_first=False, bidirectional=True):
    """x (T, N, 3) to y (T, N, D * 4)."""
    one, other = (ReferenceCell(3, 4, cell, dtype=dtype, seed=seed + d) for d in range(2))
    return fr.Recurrent(one, reverse_cell=other if bidirectional else None, batch_first=batch_first)


def names_of(layer):
    """The names of the parameters of RNN, LSTM and GRU, by those of a `Recurrent`."""
    cells = layer.children()
    return {
        f"{cell}.{name}": full
        for d, cell in enumerate(cells)
        for name, full in zip(NAMES, parameters.names(0, d), strict=True)
    }
