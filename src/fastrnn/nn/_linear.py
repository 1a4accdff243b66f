# SPDX-License-Identifier: BSD-3-Clause
"""Linear and Embedding."""

import numpy as np

from .._engine import arguments, passes
from .._engine.cells import CELLS
from ._layer import Layer
from ._tape import Tape


class Linear(Layer):
    """y = x W^T + b over the last axis; torch.nn.Linear.

    Sequences need nothing special: (T, N, I) gives (T, N, O).

    Parameters
    ----------
    in_features, out_features : int
        I and O.
    bias : bool
    dtype : {np.float32, np.float64}
    seed : int or None

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (O, I) and ``bias`` (O,), uniform in +-1/sqrt(I) at first, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or out of range.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> linear = fr.Linear(3, 2, seed=0)
    >>> linear(np.ones((5, 4, 3), np.float32)).shape
    (5, 4, 2)
    """

    cell = CELLS["linear"]

    def __init__(self, in_features, out_features, *, bias=True, dtype=np.float32, seed=None):
        self.in_features = arguments.as_size("in_features", in_features)
        self.out_features = arguments.as_size("out_features", out_features)
        self.bias, self.dtype = arguments.as_flag("bias", bias), arguments.as_dtype(dtype)
        self._own(self._initial(arguments.as_rng(seed)))
        own = self.params.own()
        self._weights = passes.weights(
            self.cell,
            self.dtype,
            self.in_features,
            self.out_features,
            (own["weight"], None, own.get("bias"), None),
            self.params,
        )

    @property
    def features_in(self):
        return self.in_features

    def features_after(self, features):
        return self.out_features

    @staticmethod
    def _shapes(in_features, out_features, bias, **others):
        """(name, shape) of each parameter that a layer with this `config` has, one after another; allocates nothing."""
        yield "weight", (out_features, in_features)
        if bias:
            yield "bias", (out_features,)

    def _initial(self, rng):
        """PyTorch's default: everything uniform in +-1/sqrt(I)."""
        bound = self.in_features**-0.5
        shapes = self._shapes(**self.config())
        return {name: rng.uniform(-bound, bound, shape).astype(self.dtype) for name, shape in shapes}

    def config(self):
        return {
            "in_features": self.in_features,
            "out_features": self.out_features,
            "bias": self.bias,
            "dtype": str(self.dtype),
        }

    def _run(self, x, keep):
        x = arguments.as_floats("x", x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ValueError(f"x: expected (..., {self.in_features}), got {x.shape}")
        y = np.empty((*x.shape[:-1], self.out_features), self.dtype)
        rows = arguments.readable(x.reshape(1, -1, self.in_features))  # every position is a row, in a single step
        saved = passes.forward(
            self.cell,
            self._weights.pack(),
            rows,
            y.reshape(1, -1, self.out_features),
            (None, None),
            (None, None),
            keep=keep,
        )
        return y, saved

    def __call__(self, x):
        """Inference: x (..., I) gives y (..., O)."""
        return self._run(x, keep=False)[0]

    def forward(self, x):
        """Training: (y, tape). `x` must not be changed before `backward`."""
        y, saved = self._run(x, keep=True)
        return y, Tape(self, (y.shape, saved))

    def backward(self, tape, dy):
        """Gradient with respect to x; those of the parameters are added into `grads`."""
        shape, saved = Tape.check(tape, self)
        dy = arguments.as_floats("dy", dy, self.dtype)
        if dy.shape != shape:
            raise ValueError(f"dy: expected {shape}, the shape of y, got {dy.shape}")
        self.check_grads()
        tape.use()
        dx = np.zeros((*shape[:-1], self.in_features), self.dtype)
        own = self.grads.own()
        passes.backward(
            self.cell, saved, arguments.readable(dy.reshape(1, -1, self.out_features)), (None, None),
            dx.reshape(1, -1, self.in_features), (None, None), (own["weight"], None, own.get("bias"), None),
        )  # fmt: skip
        return dx
