# SPDX-License-Identifier: BSD-3-Clause
"""Layers whose output depends on their input alone."""

from abc import abstractmethod
from typing import Any

from numpy.typing import ArrayLike

from .._engine.arguments import Array, as_floats
from ._layer import Layer
from ._tape import Tape


class StatelessLayer(Layer):
    """Base of layers with one input and no state.

    A subclass defines `_forward` and `_backward`, its mathematics, on checked arrays, and overrides `_checked` if x
    has to be of a certain shape.
    """

    def _checked(self, x: ArrayLike) -> Array:
        """`x` as an array that `_forward` takes, or an error that names it."""
        return as_floats("x", x, self.dtype)  # type: ignore[attr-defined]

    @abstractmethod
    def _forward(self, x: Array, training: bool) -> tuple[Array, Any]:
        """y, and what `_backward` needs of this pass."""

    @abstractmethod
    def _backward(self, saved: Any, dy: Array) -> Any:
        """The gradient of x, given that of y; adds those of the parameters into `grads`."""

    def __call__(self, x: ArrayLike) -> Array:
        """Inference: x gives y."""
        return self._forward(self._checked(x), training=False)[0]

    def forward(self, x: ArrayLike) -> tuple[Array, Tape]:
        """Training: (y, tape). `x` must not be changed before `backward`."""
        y, saved = self._forward(self._checked(x), training=True)
        return y, Tape(self, (saved,), y.shape)

    def backward(self, tape: Tape, dy: ArrayLike) -> Any:
        """The gradient of x; those of the parameters are added into `grads`.

        Parameters
        ----------
        tape : Tape
            From this layer's `forward`; used up.
        dy : array_like
            The gradient of the loss with respect to y, of its shape.

        Raises
        ------
        TypeError, ValueError
            The tape is used or another layer's, or dy has the wrong dtype or shape. Nothing is added then.
        """
        (saved,), dy = self._opened(tape, dy)
        tape.close()
        return self._backward(saved, dy)

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, None, Tape | None]:
        y, tape = self.forward(x) if training else (self(x), None)
        return y, None, tape

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Any, None]:
        return self.backward(tape, dy), None
