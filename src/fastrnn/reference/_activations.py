# SPDX-License-Identifier: BSD-3-Clause
"""Activation functions.

Their branches look at the real part only, so that f(a + 1e-30j).imag / 1e-30 is the derivative of f at a.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[[Array], Array]

SELU_ALPHA = 1.6732632423543772848170429916717  # with these two, mean 0 and variance 1 are a
SELU_SCALE = 1.0507009873554804934193349852946  # fixed point of the layer (Klambauer et al. 2017)


def tanh(a: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(a)


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)); the argument of exp is never positive, so that nothing overflows."""
    e = np.exp(np.where(np.real(a) < 0, a, -a))
    return np.where(np.real(a) < 0, e, 1) / (1 + e)


def relu(a: Array) -> Array:
    """The larger of a and 0; NaN stays NaN."""
    return np.where(np.real(a) <= 0, 0, a)


def selu(a: Array) -> Array:
    """SCALE*a for a > 0, SCALE*ALPHA*(exp(a) - 1) for a <= 0."""
    negative = SELU_ALPHA * np.expm1(np.where(np.real(a) > 0, 0, a))
    return SELU_SCALE * np.where(np.real(a) > 0, a, negative)


def identity(a: Array) -> Array:
    """a itself."""
    return a
