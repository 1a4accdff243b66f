# SPDX-License-Identifier: BSD-3-Clause
"""A mean that can be continued: a float that knows what was summed and what the sum was divided by."""

from typing import Any, SupportsFloat

from .._engine.arguments import as_nonnegative


class Mean(float):
    """A float, ``total / weight``, that knows both, so that the means of parts give the mean of the whole.

    The losses of this package return one. `fastrnn.fit` and `fastrnn.evaluate` add up totals and weights, so that what
    they report does not depend on how data are cut into batches. A loss or a metric of your own may return one, too;
    one that returns a plain number is taken as the mean over the positions of its batch.

    Parameters
    ----------
    total : float
        The sum of what is averaged, weighted.
    weight : float, default 1.0
        What the sum is divided by: the number of terms, or the sum of their weights; finite and >= 0.

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
    """A float, `total`, of which the mean is known, too: what a loss returns with ``reduction="sum"``.

    `fastrnn.fit` and `fastrnn.evaluate` add up totals and weights as they do of a `Mean`, and report the mean, since a
    sum would depend on the size of the data.

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
