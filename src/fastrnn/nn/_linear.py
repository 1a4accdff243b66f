# SPDX-License-Identifier: BSD-3-Clause
"""Linear."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine import passes, recycled
from .._engine.arguments import Array, Generator, as_floats, readable
from .._engine.cells import CELLS
from .._engine.layout import features_hint
from ._layer import Shapes
from ._option import KW_ONLY
from ._options import DType, Flag, Seed, Size
from ._parametrized import initial_shapes
from ._stateless import StatelessLayer

CELL = CELLS["linear"]
NO_STATE = (None, None)
ONE_STEP = passes.Recurrence()
GRADIENT_ROWS = 256  # a multiple of GRAD_ROWS of csrc/engine/limits.h: sums over rows are cut at these


class Linear(StatelessLayer):
    """y = x W^T + b over the last axis, like torch.nn.Linear.

    It works on sequences too: (T, N, I) gives (T, N, O).

    Attributes
    ----------
    params, grads : Parameters
        ``weight`` (O, I) and ``bias`` (O,), initially uniform in +-1/sqrt(I), as in PyTorch.

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

    in_features: Size = Size("I, the size of the last axis of x.")
    out_features: Size = Size("O, the size of the last axis of y.")
    _: KW_ONLY
    bias: Flag = Flag("Whether b is added.", default=True)
    dtype: DType = DType(default=np.float32)
    seed: Seed = Seed(default=None)

    def _setup(self, seed: Generator) -> None:
        self._own(self.initial_parameters(seed))
        names, sizes = ("weight", None, "bias" if self.bias else None, None), (self.in_features, self.out_features)
        self.weights: Any = passes.weights(CELL, self.dtype, *sizes, self._arrays, names)
        self._four_grads: Any = (self._grad_arrays["weight"], None, self._grad_arrays.get("bias"), None)
        self._few_rows: Any = passes.fast_path([self.weights], 1, 0, False, self.dtype, [self._four_grads])

    @property
    def features_in(self) -> int:
        return self.in_features

    def features_after(self, features: int | None) -> int:
        return self.out_features

    @property
    def keeps_axes(self) -> bool:
        return True

    def directions_after(self, directions: int | None) -> int | None:
        return None if directions == 2 else directions  # of both, no half is of one any more

    @classmethod
    def parameter_shapes(cls, in_features: int, out_features: int, bias: bool, **others: Any) -> Shapes:
        yield "weight", (out_features, in_features)
        if bias:
            yield "bias", (out_features,)

    def initial_parameters(self, rng: Generator) -> dict[str, Array]:
        """PyTorch's default: every parameter uniform in +-1/sqrt(I)."""
        bound = self.in_features**-0.5
        shapes = initial_shapes(self, "in_features", "out_features")
        return {name: rng.uniform(-bound, bound, shape).astype(self.dtype) for name, shape in shapes}

    def _checked(self, x: ArrayLike) -> Array:
        x = as_floats("x", x, self.dtype)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            hint = features_hint("x", x.shape, self.in_features, batch_first=True)
            raise ValueError(f"x: expected (..., {self.in_features}), got {x.shape}{hint}")
        return x

    def _forward(self, x: Array, training: bool) -> tuple[Array, Any]:
        rows = readable(x.reshape(1, -1, self.in_features))  # every position is a row, in a single step
        run = self._few_rows.forward if training else self._few_rows
        if (result := run(rows, None)) is not None:
            return result[0].reshape(*x.shape[:-1], self.out_features), result[2] if training else None
        y = recycled.empty((*x.shape[:-1], self.out_features), self.dtype)
        out = y.reshape(1, -1, self.out_features)
        return y, passes.forward(CELL, self.weights.pack(), ONE_STEP, rows, out, NO_STATE, NO_STATE, keep=training)

    def _backward(self, saved: Any, dy: Array) -> Any:
        return self._backward_to(saved, dy, self._frozen, True)

    def _backward_parameters(self, saved: Any, dy: Array) -> None:
        self._backward_to(saved, dy, self._frozen, False)

    def _backward_to(self, saved: Any, dy: Array, frozen: bool, needs_dx: bool) -> Any:
        """The gradient of x, if it is needed; adds those of the parameters unless they are frozen."""
        rows = readable(dy.reshape(1, -1, self.out_features))
        if isinstance(saved, passes.Kept):
            dx, _ = self._few_rows.backward(saved, rows, None, frozen, needs_dx)
            return dx.reshape(*dy.shape[:-1], self.in_features) if needs_dx else None
        dx = recycled.zeros((*dy.shape[:-1], self.in_features), self.dtype) if needs_dx else None
        below = None if dx is None else dx.reshape(1, -1, self.in_features)
        passes.backward(saved, rows, NO_STATE, below, NO_STATE, (None,) * 4 if frozen else self._four_grads)
        return dx

    # -- many calls one after another, with the gradients of the parameters added once at the end ----------------------

    def input_gradient(self, saved: Any, dy: Array) -> Array:
        """The gradient of x, given what `_forward` saved; `add_gradients` must follow for all such calls at once."""
        return self._backward(saved, dy) if self._has_own_backward() else self._backward_to(saved, dy, True, True)

    def add_gradients(self, x: Array, dy: Array) -> None:
        """Add the gradients of the parameters, given x (T, N, I) and dy (T, N, O) of all calls; dy is C-ordered."""
        if self._frozen or self._has_own_backward():
            return
        with self._in_backward:
            passes.linear_backward(self.weights.pack(), x, dy, None, self._four_grads)

    # -- rows in parts, which a loss takes one after another: see fastrnn.losses.linear_cross_entropy ------------------

    def write_rows(self, pack: Any, x: Array, y: Array) -> None:
        """y (M, O), written, of x (M, I), both C-ordered; pack is what ``weights.pack()`` gave for all parts."""
        passes.forward(CELL, pack, ONE_STEP, x[None], y[None], NO_STATE, NO_STATE)

    def rows_back(self, pack: Any, x: Array, dy: Array) -> Array:
        """The gradient of x (M, I), given that of y (M, O); adds those of the parameters, unless they are frozen.

        In parts of a multiple of `GRADIENT_ROWS` rows, none of them all 0 in dy, they have the bits of `backward`.
        """
        dx = np.zeros(x.shape, self.dtype)
        with self._in_backward:
            grads = (None,) * 4 if self._frozen else self._four_grads
            passes.linear_backward(pack, x[None], dy[None], dx[None], grads)
        return dx

    def _has_own_backward(self) -> bool:
        """Whether a subclass has another, which adds its gradients at once."""
        return type(self)._backward is not Linear._backward
