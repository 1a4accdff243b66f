# SPDX-License-Identifier: BSD-3-Clause
"""Activation functions as a layer. Within the time loop they are an option of RNN."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .._engine.arguments import Array
from ._functional import sigmoid, softmax
from ._option import KW_ONLY
from ._options import Choice, DType
from ._stateless import StatelessLayer

LEAKY = 0.01  # the slope of leaky_relu below 0


class Function(NamedTuple):
    """An activation function whose slope follows from its value, so that a tape holds y alone."""

    value: Callable[[Array], Array]  # y, given x
    slope: Callable[[Array], Array]  # dy/dx, given y


FUNCTIONS: dict[str, Function] = {
    "identity": Function(np.copy, np.ones_like),
    "relu": Function(lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    "leaky_relu": Function(lambda x: np.where(x > 0, x, LEAKY * x), lambda y: np.where(y > 0, 1, y.dtype.type(LEAKY))),
    "elu": Function(lambda x: np.where(x > 0, x, np.expm1(x)), lambda y: np.where(y > 0, 1, y + 1)),
    "softplus": Function(lambda x: np.logaddexp(x, 0), lambda y: -np.expm1(-y)),
    "sigmoid": Function(sigmoid, lambda y: y * (1 - y)),
    "tanh": Function(np.tanh, lambda y: 1 - y * y),
}
SOFTMAX = "softmax"  # over the last axis, so that its slope is a matrix


class Activation(StatelessLayer):
    """An activation function, applied to each element of x.

    ============  ===============================  ======================================================
    "identity"    ``x``
    "relu"        ``max(x, 0)``
    "leaky_relu"  ``x if x > 0 else 0.01 x``       Maas, Hannun, Ng 2013
    "elu"         ``x if x > 0 else exp(x) - 1``   Clevert, Unterthiner, Hochreiter 2016, arXiv 1511.07289
    "softplus"    ``log(1 + exp(x))``
    "sigmoid"     ``1 / (1 + exp(-x))``
    "tanh"        ``tanh(x)``
    "softmax"     ``exp(x) / sum exp(x)``          over the last axis
    ============  ===============================  ======================================================

    They equal those of torch.nn with default arguments, except that "softplus" has no threshold. (`cross_entropy` and
    `binary_cross_entropy_with_logits` take logits: do not put a "softmax" or "sigmoid" in front of them.)

    Attributes
    ----------
    params, grads : Parameters
        Empty.

    Raises
    ------
    TypeError, ValueError
        An argument is of the wrong type or is not one of the names.

    Notes
    -----
    The derivative of "relu", "leaky_relu" and "elu" at 0 is the one from the left. y from `forward` is
    read-only, as the tape refers to it.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> model = fr.Sequential(fr.Linear(3, 8, seed=0), fr.Activation("relu"), fr.Linear(8, 2, seed=1))
    >>> y, state = model(np.ones((5, 3), np.float32))
    >>> y.shape
    (5, 2)
    >>> fr.Activation("leaky_relu")(np.array([-1, 0, 2], np.float32)).tolist()
    [-0.009999999776482582, 0.0, 2.0]
    """

    nonlinearity: Choice = Choice("The name of the function, as above.", (*FUNCTIONS, SOFTMAX))
    _: KW_ONLY
    dtype: DType = DType("The dtype of the input and the output.", default=np.float32)

    def _setup(self) -> None:
        self._own({})

    def features_after(self, features: int | None) -> int | None:
        return features

    @property
    def keeps_axes(self) -> bool:
        return True

    def directions_after(self, directions: int | None) -> int | None:
        return directions

    def _checked(self, x: ArrayLike) -> Array:
        x = super()._checked(x)
        if self.nonlinearity == SOFTMAX and not x.ndim:
            raise ValueError("x: expected (..., F), got ()")
        return x

    def _forward(self, x: Array, training: bool) -> tuple[Array, Array]:
        value = softmax if self.nonlinearity == SOFTMAX else FUNCTIONS[self.nonlinearity].value
        with np.errstate(all="ignore"):  # what is infinite may give NaN, as in the engine
            y = np.asarray(value(x), self.dtype)
        y.flags.writeable = not training  # the tape refers to it
        return y, y

    def _backward(self, saved: Array, dy: Array) -> Array:
        with np.errstate(all="ignore"):
            if self.nonlinearity != SOFTMAX:
                return np.asarray(dy * FUNCTIONS[self.nonlinearity].slope(saved), self.dtype)
            # In C order, so that NumPy sums each row in one order, whatever the batch
            mean = np.multiply(saved, dy, order="C").sum(axis=-1, keepdims=True)
            return saved * (dy - mean)
