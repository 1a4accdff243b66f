# SPDX-License-Identifier: BSD-3-Clause
"""A mean that can be continued: a float that knows what was summed and what the sum was divided by."""

from typing import Any, SupportsFloat

from .._engine.arguments import as_nonnegative


class Mean(float):
    """A mean that remembers its sum and its weight, so that means of batches can be combined exactly.

    It is a float, ``total / weight``. The losses of this package return one. `fastrnn.fit` and `fastrnn.evaluate` add
    up totals and weights, so that their results do not depend on how data are divided into batches. Custom losses and
    metrics may return one, too; a plain number is taken as the mean over the positions of the batch.

    Parameters
    ----------
    total : float
        The weighted sum of the averaged values.
    weight : float, default 1.0
        The divisor of the sum: the number of terms, or the sum of their weights; finite and >= 0.

    Attributes
    ----------
    total, weight : float

    Raises
    ------
    TypeError
        `total` or `weight` is not a number.
    ValueError
        `weight` is negative or not finite.

    Notes
    -----
    It is 0.0 where `weight` is 0. Arithmetic gives plain floats.

    Examples
    --------
    >>> from fastrnn.losses import Mean
    >>> a, b = Mean(6.0, 3), Mean(1.0, 1)
    >>> a, b
    (2.0, 1.0)
    >>> Mean(a.total + b.total, a.weight + b.weight)
    1.75
    """

    __slots__ = ("total", "weight")

    total: float
    weight: float

    def __new__(cls, total: SupportsFloat, weight: SupportsFloat = 1.0) -> "Mean":
        sum_, divisor = float(total), as_nonnegative("weight", weight)
        mean = super().__new__(cls, cls._value(sum_, divisor))
        mean.total, mean.weight = sum_, divisor
        return mean

    @staticmethod
    def _value(total: float, weight: float) -> float:
        return total / weight if weight else 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.total, self.weight)


class Sum(Mean):
    """A sum that remembers its weight: the result of a loss with ``reduction="sum"``.

    It is a float, `total`. `fastrnn.fit` and `fastrnn.evaluate` add up totals and weights as for a `Mean`, and report
    the mean, because a sum would depend on the size of the data.

    Parameters
    ----------
    total, weight : float
        As of a `Mean`.

    Attributes
    ----------
    total, weight : float

    Raises
    ------
    TypeError
        `total` or `weight` is not a number.
    ValueError
        `weight` is negative or not finite.

    Examples
    --------
    >>> import numpy as np, fastrnn as fr
    >>> loss, _ = fr.mse_loss(np.array([1.0, 3.0]), [0, 0], reduction="sum")
    >>> loss, loss.weight
    (10.0, 2.0)
    """

    __slots__ = ()

    @staticmethod
    def _value(total: float, weight: float) -> float:
        return total
