# SPDX-License-Identifier: BSD-3-Clause
"""Learning rates that fall along a cosine."""

import math

from ..._engine.arguments import NONNEGATIVE
from ...nn._options import Number, Size
from .schedule import Schedule


def along_cosine(first: float, last: float, fraction: float) -> float:
    """Half a cosine: exactly `first` at the fraction 0, exactly `last` at 1."""
    weight = (1 + math.cos(math.pi * fraction)) / 2
    return weight * first + (1 - weight) * last


class CosineAnnealingLR(Schedule):
    """Lowers the learning rate along half a cosine to `eta_min` in `T_max` steps, and keeps it there.

    Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5, without
    restarts::

        eta_min + (lr - eta_min) (1 + cos(pi count / T_max)) / 2

    (PyTorch's rises again after `T_max` steps.)

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.CosineAnnealingLR(sgd, T_max=4, eta_min=0.1)
    >>> for epoch in range(6):
    ...     print(round(sgd.lr, 4), end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.4414 0.3 0.1586 0.1 0.1
    """

    T_max: Size = Size("Number of steps to `eta_min`, at least 1.")
    eta_min: Number = Number("The last learning rate, of at least 0.", NONNEGATIVE, default=0.0)

    def at(self, lr: float, count: int) -> float:
        return along_cosine(lr, self.eta_min, min(count, self.T_max) / self.T_max)


class CosineAnnealingWarmRestarts(Schedule):
    """Lowers the learning rate along half a cosine towards `eta_min`, with restarts at lr.

    Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5. The first cycle
    has T = `T_0` steps, each later one `T_mult` times as many; `t` counts the steps since it began::

        eta_min + (lr - eta_min) (1 + cos(pi t / T)) / 2

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.CosineAnnealingWarmRestarts(sgd, T_0=2, T_mult=2)
    >>> for epoch in range(7):
    ...     print(round(sgd.lr, 4), end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.25 0.5 0.4268 0.25 0.0732 0.5
    """

    T_0: Size = Size("Number of steps in the first cycle, at least 1.")
    T_mult: Size = Size("How many times as long each cycle is as the one before, at least 1.", default=1)
    eta_min: Number = Number(
        "What the learning rate approaches at the end of a cycle, of at least 0.", NONNEGATIVE, default=0.0
    )

    def at(self, lr: float, count: int) -> float:
        t, T = count, self.T_0
        if self.T_mult == 1:
            t %= T
        while t >= T:
            t, T = t - T, T * self.T_mult
        return along_cosine(lr, self.eta_min, t / T)
