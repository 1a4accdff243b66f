# SPDX-License-Identifier: BSD-3-Clause
"""Cells of a user's own: one step of a recurrent layer and its gradients, in NumPy."""

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..._engine.arguments import Array, as_floats
from ..._engine.layout import as_state, state_arrays
from .._layer import Layer
from .._option import KW_ONLY
from .._options import DType, Size
from .._results import check_array, checked_tuple
from .._tape import Tape, exclusive

Parts = tuple[Array, ...]  # the arrays of a state


class Cell(Layer):
    """Base class of custom cells for `Recurrent`: one step and its gradients.

    A subclass creates its parameters in `_setup` with `add_parameters`, and defines `step` and `step_backward`. It
    overrides `state_shapes` if the state is not a single vector of H numbers, and `output_size` if y does not have H
    features. A cell is a layer: calling it runs one step. (`RNN`, `LSTM` and `GRU` have cells in C and are much
    faster.)

    Notes
    -----
    The rows of a batch are independent. `Recurrent` drops rows whose sequence has ended, so N may differ from step to
    step. Arrays that a cell receives are not changed later, so they can be saved without a copy.

    Examples
    --------
    Leaky integrators, ``h_t = h_(t-1) + a (tanh(W x_t + U h_(t-1)) - h_(t-1))``, with a constant a:

    >>> import numpy as np, fastrnn as fr
    >>> class Leaky(fr.nn.Cell):
    ...     a: fr.nn.Number = fr.nn.Number("The fraction of the new value.", fr.nn.Interval(0, 1, "(]"), default=0.1)
    ...     _: fr.nn.KW_ONLY
    ...     seed: fr.nn.Seed = fr.nn.Seed(default=None)
    ...
    ...     def _setup(self, seed):
    ...         I, H = self.input_size, self.hidden_size
    ...         self.add_parameters(W=seed.normal(0, I**-0.5, (H, I)), U=seed.normal(0, H**-0.5, (H, H)))
    ...
    ...     def step(self, x, h):
    ...         new = np.tanh(x @ self.params["W"].T + h @ self.params["U"].T)
    ...         y = h + self.a * (new - h)
    ...         return y, y, (x, h, new)
    ...
    ...     def step_backward(self, saved, dy, dh):
    ...         x, h, new = saved
    ...         dh = dh + dy  # y is h_t, and went both ways
    ...         dsum = self.a * dh * (1 - new * new)
    ...         self.grads["W"] += dsum.T @ x
    ...         self.grads["U"] += dsum.T @ h
    ...         return dsum @ self.params["W"], (1 - self.a) * dh + dsum @ self.params["U"]
    >>> layer = fr.Recurrent(Leaky(3, 4, dtype=np.float64, seed=0))
    >>> x = np.random.default_rng(0).standard_normal((5, 2, 3))
    >>> y, h = layer(x, lengths=[5, 2])
    >>> y.shape, h.shape, fr.check_gradients(layer, x, lengths=[5, 2]).ok
    ((5, 2, 4), (1, 2, 4), True)
    """

    input_size: Size = Size("I, the features of x_t.")
    hidden_size: Size = Size("H, the units of the state.")
    _: KW_ONLY
    dtype: DType = DType(default=np.float32, last=True)

    # -- what a subclass is ------------------------------------------------------------------------------------------

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of each array of the state of one row: ``((H,),)``, for an LSTM ``((H,), (H,))``."""
        return ((self.hidden_size,),)

    @property
    def output_size(self) -> int:
        """The features of y_t; H by default."""
        return self.hidden_size

    @abstractmethod
    def step(self, x: Array, state: Any) -> tuple[Array, Any, Any]:
        """One step.

        Parameters
        ----------
        x : ndarray, shape (N, I)
        state : ndarray or tuple of ndarray, each (N, ...)
            One array if `state_shapes` has one, else a tuple.

        Returns
        -------
        y : ndarray, shape (N, output_size)
        state
            The state after the step, in the same form.
        saved
            What `step_backward` needs.
        """

    @abstractmethod
    def step_backward(self, saved: Any, dy: Array, dstate: Any) -> tuple[Array, Any]:
        """The gradients of one step; the gradients of the parameters are added to `grads`.

        Parameters
        ----------
        saved
            What `step` returned.
        dy : ndarray, shape (N, output_size)
            The gradient of the loss with respect to y.
        dstate : ndarray or tuple of ndarray
            The gradient with respect to the state after the step, from later steps.

        Returns
        -------
        dx : ndarray, shape (N, I)
        dstate
            The gradient with respect to the state before the step, in the same form.
        """

    # -- checked steps -----------------------------------------------------------------------------------------------

    def checked_step(self, x: Array, state: Parts) -> tuple[Array, Parts, Any]:
        """Call `step` with the arrays of a state; TypeError or ValueError if it returns something invalid."""
        y, after, saved = checked_tuple(self, "step", self.step(x, as_state(state)), ("y", "state", "saved"))
        check_array(self, "step", "y", y, (len(x), self.output_size))
        return y, self._checked_state("step", "state", after, len(x)), saved

    def checked_step_backward(self, saved: Any, dy: Array, dstate: Parts) -> tuple[Array, Parts]:
        """`step_backward` in the same form."""
        result = self.step_backward(saved, dy, as_state(dstate))
        dx, before = checked_tuple(self, "step_backward", result, ("dx", "dstate"))
        check_array(self, "step_backward", "dx", dx, (len(dy), self.input_size))
        return dx, self._checked_state("step_backward", "dstate", before, len(dy))

    def _checked_state(self, method: str, name: str, state: Any, N: int) -> Parts:
        parts = state_arrays(state)
        if len(parts) != len(self.state_shapes):
            raise TypeError(
                f"{type(self).__name__}.{method}: expected {name} of {len(self.state_shapes)} arrays, got {len(parts)}"
            )
        for k, (part, shape) in enumerate(zip(parts, self.state_shapes, strict=True)):
            check_array(self, method, name if len(parts) == 1 else f"{name}[{k}]", part, (N, *shape))
        return parts

    # -- a cell as a layer of one step ---------------------------------------------------------------------------------

    @property
    def stateful(self) -> bool:
        return True

    @property
    def features_in(self) -> int:
        return self.input_size

    def features_after(self, features: int | None) -> int:
        return self.output_size

    def _entered(self, x: ArrayLike, state: Any) -> tuple[Array, Parts]:
        x = as_floats("x", x, self.dtype)
        if x.ndim != 2 or x.shape[1] != self.input_size:
            raise ValueError(
                f"x: expected one step, (N, {self.input_size}), got {x.shape}; Recurrent(cell) reads sequences"
            )
        return x, state_parts("state", state, self.state_shapes, (len(x),), self.dtype)

    def __call__(self, x: ArrayLike, state: Any = None) -> tuple[Array, Any]:
        """One step of inference: (y, state). A state of None is 0."""
        y, after, _ = self.checked_step(*self._entered(x, state))
        return y, as_state(after)

    def forward(self, x: ArrayLike, state: Any = None) -> tuple[Array, Any, Tape]:
        """One step of training: (y, state, tape)."""
        x, parts = self._entered(x, state)
        y, after, saved = self.checked_step(x, parts)
        return y, as_state(after), Tape(self, (saved,), y.shape, x.shape)

    @exclusive
    def backward(self, tape: Tape, dy: ArrayLike, dstate: Any = None) -> tuple[Array, Any]:
        """The gradients of x and of the state before the step; the gradients of the parameters are added to `grads`."""
        (saved,), dy = self._opened(tape, dy)
        dparts = self.check_dstate(tape, dstate)
        tape.close()
        dx, before = self.checked_step_backward(saved, dy, dparts)
        return dx, as_state(before)

    def check_dstate(self, tape: Tape, dstate: Any) -> Parts:
        return state_parts("dstate", dstate, self.state_shapes, tape.shape[:1], self.dtype)

    def apply(self, x: Any, state: Any, lengths: Any, training: bool) -> tuple[Array, Any, Tape | None]:
        return self.forward(x, state) if training else (*self(x, state), None)

    def apply_backward(self, tape: Tape, dy: Any, dstate: Any) -> tuple[Array, Any]:
        return self.backward(tape, dy, dstate)


def state_parts(
    name: str, value: Any, shapes: tuple[tuple[int, ...], ...], lead: tuple[int, ...], dtype: np.dtype[Any]
) -> Parts:
    """Copies of the arrays of a state as a caller has it, each (*lead, *shape); zeros where `value` is None."""
    if value is None:
        return tuple(np.zeros((*lead, *shape), dtype) for shape in shapes)
    provided = (value,) if len(shapes) == 1 else value
    if not isinstance(provided, tuple | list) or len(provided) != len(shapes):
        got = len(provided) if isinstance(provided, tuple | list) else type(value).__name__
        raise TypeError(f"{name}: expected a tuple of {len(shapes)} arrays, got {got}")
    arrays = []
    for k, (shape, array) in enumerate(zip(shapes, provided, strict=True)):
        label = name if len(shapes) == 1 else f"{name}[{k}]"
        array = as_floats(label, array, dtype)
        if array.shape != (*lead, *shape):
            raise ValueError(f"{label}: expected {(*lead, *shape)}, got {array.shape}")
        arrays.append(array.copy(order="C"))
    return tuple(arrays)
