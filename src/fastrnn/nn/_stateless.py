# SPDX-License-Identifier: BSD-3-Clause
"""Layers whose output depends on their input alone."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_floats
from ._layer import Layer
from ._option import KW_ONLY
from ._options import DType
from ._results import checked_gradients, checked_output
from ._tape import Tape, add_inner_extras, exclusive


class StatelessLayer(Layer):
    """Base class of layers with one input and no state.

    A subclass declares its options, creates its parameters in `_setup` with `add_parameters`, and defines `_forward`
    and `_backward` on checked arrays. It overrides `_checked` if x must have a certain shape.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> class Scale(fr.nn.StatelessLayer):
    ...     "y = weight x, with one weight for each feature."
    ...
    ...     features: fr.nn.Size = fr.nn.Size("F, the size of the last axis.")
    ...
    ...     def _setup(self):
    ...         self.add_parameters(weight=np.ones(self.features))
    ...
    ...     def _forward(self, x, training):
    ...         return x * self.params["weight"], x
    ...
    ...     def _backward(self, x, dy):
    ...         self.grads["weight"] += (dy * x).reshape(-1, self.features).sum(axis=0)
    ...         return dy * self.params["weight"]
    >>> Scale(3)
    Scale(features=3, dtype='float32')
    >>> print(fr.check_gradients(Scale(3, dtype=np.float64), np.ones((5, 2, 3))).ok)
    True
    """

    _: KW_ONLY
    dtype: DType = DType(default=np.float32, last=True)

    def _checked(self, x: ArrayLike) -> Array:
        """`x` as an array that `_forward` takes, or an error that names it."""
        return as_floats("x", x, self.dtype)

    @abstractmethod
    def _forward(self, x: Array, training: bool) -> tuple[Array, Any]:
        """y, and what `_backward` needs of this pass."""

    @abstractmethod
    def _backward(self, saved: Any, dy: Array) -> Any:
        """The gradient of x, given that of y; adds those of the parameters into `grads`.

        To save time if the gradient of x is not needed, define ``_backward_parameters(saved, dy)`` besides it, which
        adds the same into `grads` and returns nothing.
        """

    def __call__(self, x: ArrayLike) -> Array:
        """Inference: x gives y."""
        return checked_output(self, self._forward(self._checked(x), training=False), ("y", "saved"))[0]

    def forward(self, x: ArrayLike) -> tuple[Array, Tape]:
        """Training: (y, tape). `x` must not be changed before `backward`."""
        x = self._checked(x)
        y, saved = checked_output(self, self._forward(x, training=True), ("y", "saved"))
        return y, Tape(self, (saved,), y.shape, x.shape)

    @exclusive
    def backward(self, tape: Tape, dy: ArrayLike) -> Any:
        """The gradient of x; the gradients of the parameters are added to `grads`.

        Parameters
        ----------
        tape : Tape
            From `forward` of this layer. It can be used only once.
        dy : array_like
            The gradient of the loss with respect to y, of its shape.

        Raises
        ------
        TypeError, ValueError
            The tape was already used or belongs to another layer, or dy has the wrong dtype or shape. Nothing is added.
        """
        (saved,), dy = self._opened(tape, dy)
        tape.close()
        skips = self._skips_dx and not tape.needs_dx
        dx = self._backward_parameters(saved, dy) if skips else self._backward(saved, dy)  # type: ignore[attr-defined]
        checked_gradients(self, dx, tape)
        add_inner_extras(tape, saved)
        return dx

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, None, Tape | None]:
        y, tape = self.forward(x) if training else (self(x), None)
        return y, None, tape

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Any, None]:
        return self.backward(tape, dy), None
