# SPDX-License-Identifier: BSD-3-Clause
"""Layers that carry a state through time."""

from abc import abstractmethod
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from ._layer import Layer
from ._masked import steps_to_read
from ._option import KW_ONLY
from ._options import DType
from ._results import checked_gradients, checked_output, checked_tuple
from ._signal import Axes
from ._tape import Tape, add_inner_extras, exclusive

State = TypeVar("State")


class StatefulLayer(Layer, Generic[State]):
    """Base class of layers that process sequences and carry a state.

    A subclass defines `_forward` and `_backward`, and overrides `check_dstate` to check the gradient of its state.
    Sequences are (T, N, features), with `batch_first` (N, T, features), or unbatched (T, features). If the layer
    repeats one step over time, use `Recurrent` with a `Cell` instead, which provides the time loop.
    """

    _: KW_ONLY
    dtype: DType = DType(default=np.float32, last=True)

    @property
    def stateful(self) -> bool:
        return True

    @property
    def takes_lengths(self) -> bool:
        return True

    def axes_after(self, axes: Axes | None) -> Axes | None:
        return self.axes_in or axes

    def directions_after(self, directions: int | None) -> int | None:
        return 1

    @abstractmethod
    def _forward(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, State, Any]:
        """y, the state after it, and what `_backward` needs of this pass. Checks its arguments."""

    @abstractmethod
    def _backward(self, saved: Any, dy: Array, dstate: Any, extras: dict[str, float]) -> tuple[Any, State]:
        """The gradients of x and of the initial state; adds those of the parameters into `grads`.

        `dstate` is what `check_dstate` returned; `extras` takes what the layer reports besides gradients. A class that
        saves time where nobody wants the gradient of x defines `_backward_parameters` beside it, of the same arguments,
        which returns that of the initial state alone.
        """

    def __call__(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None, resets: ArrayLike | None = None,
    ) -> tuple[Array, State]:  # fmt: skip
        """Inference: (y, state).

        Parameters
        ----------
        x : array_like, shape (T, N, features), with `batch_first` (N, T, features), or unbatched (T, features)
        state : array_like or tuple, optional
            In the form that the layer returns. Zero by default.
        lengths : array_like of int, shape (N,), optional
            The number of valid steps of each row, 0..T, in any order.
        mask : array_like of bool, shape (T, N), with `batch_first` (N, T), or unbatched (T,), optional
            Steps where it is False are skipped, as if the row did not have them. By default no step is skipped.
        resets : array_like of bool, laid out as `mask`, optional
            The state is set to zero before each step where it is True: a new sequence starts there. In the reverse
            direction of a bidirectional layer, no state crosses this place either.

        Returns
        -------
        y : ndarray
            In x's layout; 0 beyond a row's length and at masked steps.
        state
            The state after each row's own last step.

        Raises
        ------
        TypeError, ValueError
            An argument has the wrong dtype or shape; the message names it, what was expected and what was given.
        """
        x, rows, kept = steps_to_read(self, x, lengths, mask, resets)
        result = checked_output(self, self._forward(x, state, rows, training=False), ("y", "state", "saved"))
        return result[:2] if kept is None else (kept.output(result[0]), result[1])

    def forward(
        self, x: ArrayLike, state: State | None = None, lengths: ArrayLike | None = None,
        mask: ArrayLike | None = None, resets: ArrayLike | None = None,
    ) -> tuple[Array, State, Tape]:  # fmt: skip
        """Training: like a call, but with dropout and a tape for `backward`: (y, state, tape).

        The tape is for one call of `backward`. It may refer to `x` and `y` instead of copying them: `x` must not be
        changed before `backward`, and `y` may be read-only (copy it to change it).
        """
        x_shape = getattr(x, "shape", None)
        x, rows, kept = steps_to_read(self, x, lengths, mask, resets)
        y, final, saved = checked_output(self, self._forward(x, state, rows, training=True), ("y", "state", "saved"))
        y = y if kept is None else kept.output(y)
        tape = Tape(self, (saved,), y.shape, x_shape)
        tape._kept = kept
        return y, final, tape

    @exclusive
    def backward(self, tape: Tape, dy: ArrayLike | None, dstate: State | None = None) -> tuple[Any, State]:
        """Back-propagation through time; the gradients of the parameters are added to `grads`.

        Parameters
        ----------
        tape : Tape
            From `forward` of this layer. It can be used only once.
        dy : array_like or None
            Gradient of the loss with respect to y, of y's shape. None means zero, if only the state has a gradient.
        dstate : array_like or tuple, optional
            Gradient with respect to the final state, in the form of the state. Zero by default.

        Returns
        -------
        dx : ndarray or None
            Gradient with respect to x, 0 beyond a row's length and at masked steps; None if x is tokens.
        dstate
            Gradient with respect to the initial state.

        Raises
        ------
        TypeError, ValueError
            The tape was already used or belongs to another layer, a gradient has the wrong dtype or shape, or none is
            given. Nothing is added.
        """
        if (result := self._quick_backward(tape, dy, dstate)) is not None:
            return result
        (saved,), checked = self._opened(tape, dy, others=dstate)
        dfinal, kept = self.check_dstate(tape, dstate), tape._kept
        tape.close()
        arguments = saved, checked if kept is None else kept.gradient(checked), dfinal, tape.extras
        if tape.needs_dx or not self._skips_dx:
            dx, dinitial = checked_tuple(self, "_backward", self._backward(*arguments), ("dx", "dstate"))
        else:
            dx, dinitial = None, self._backward_parameters(*arguments)  # type: ignore[attr-defined]
        dx = dx if kept is None or dx is None else kept.scattered(dx)
        checked_gradients(self, dx, tape)
        add_inner_extras(tape, saved)
        return dx, dinitial

    def _quick_backward(self, tape: Any, dy: Any, dstate: Any) -> tuple[Any, State] | None:
        """`backward` in a shorter way that a layer may have; None, having done nothing, where it does not apply."""
        return None

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, State, Tape | None]:
        if training:
            return self.forward(x, state, lengths)
        return *self(x, state, lengths), None

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Any, State]:
        return self.backward(tape, dy, dstate)
